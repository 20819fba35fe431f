"""A queue that receives every event of EventBridge: shows what a change looks like to a listener."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.cloud import Cloud
from local.waiting import wait_until

EVERYTHING = {"source": [{"prefix": ""}]}


class EventRecorder:
    """Returns each event once, in the order of arrival."""

    def __init__(self, cloud: Cloud, queue: str) -> None:
        self._cloud, self._sqs, self._queue = cloud, cloud.client("sqs"), queue

    def take(self, at_least: int, seconds: float) -> list[dict[str, Any]]:
        """Waits until so many events have arrived or the time is over; returns all that are there."""
        events: list[dict[str, Any]] = []
        deadline = time.monotonic() + seconds
        while True:
            answer = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
                events.append(json.loads(message["Body"]))
            if not answer.get("Messages"):
                if len(events) >= at_least or time.monotonic() > deadline:
                    return events
                time.sleep(0.05)

    def drain(self) -> list[dict[str, Any]]:
        """Returns the events of all changes in EC2 so far. Waits only until EventBridge has received them."""
        assert wait_until(lambda: self._cloud.unsent_events() == 0, seconds=30)
        return self.take(at_least=0, seconds=0)


@contextmanager
def record_events(
    cloud: Cloud, name: str, bus: str = "default", pattern: dict[str, Any] = EVERYTHING
) -> Iterator[EventRecorder]:
    """Records the events of a bus that match a pattern in this context."""
    events, sqs = cloud.client("events"), cloud.client("sqs")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow | {"Resource": arn}]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    try:
        yield EventRecorder(cloud, queue)
    finally:
        events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
        events.delete_rule(Name=name, EventBusName=bus)
        sqs.delete_queue(QueueUrl=queue)
