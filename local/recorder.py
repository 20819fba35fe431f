"""A queue that hears everything EventBridge is told: what a change looks like to whoever listens."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.cloud import Cloud

EVERYTHING = {"source": [{"prefix": ""}]}


class Recorder:
    """Each event is handed out once, in the order in which it came."""

    def __init__(self, sqs: Any, queue: str) -> None:
        self._sqs, self._queue = sqs, queue

    def take(self, at_least: int, seconds: float) -> list[dict[str, Any]]:
        """Waits for so many events, or for no more within `seconds`; gives them and whatever else has come by then."""
        events: list[dict[str, Any]] = []
        deadline = time.monotonic() + seconds
        while True:
            # Short polls: nobody knows better than the caller how long to wait.
            answer = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
                events.append(json.loads(message["Body"]))
            if not answer.get("Messages"):
                if (len(events) >= at_least > 0) or time.monotonic() > deadline:
                    return events
                time.sleep(0.05)


@contextmanager
def recorder(cloud: Cloud, name: str) -> Iterator[Recorder]:
    """Records as long as it holds."""
    events, sqs = cloud.client("events"), cloud.client("sqs")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow | {"Resource": arn}]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    events.put_rule(Name=name, EventPattern=json.dumps(EVERYTHING))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    try:
        yield Recorder(sqs, queue)
    finally:
        events.remove_targets(Rule=name, Ids=["queue"])
        events.delete_rule(Name=name)
        sqs.delete_queue(QueueUrl=queue)
