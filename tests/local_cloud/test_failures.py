"""What cannot be worked on ends where a person finds it, and holds nothing else up."""

import json
import time
from typing import Any

from conftest import SETTLE_SECONDS
from local.cloud import Cloud
from local.deployment import Deployment
from local.inbox import Inbox
from local.networks import Builder

POISON = "this is not JSON"


def test_a_bad_record_ends_in_the_dead_letter_queue_and_a_good_one_goes_through(
    build: Builder, cloud: Cloud, stack: Deployment, inbox: Inbox
) -> None:
    with stack.untold():
        vpc = build.vpc("beside-poison", "10.50.0.0/16")
        assert inbox.wait_for(vpc, 3) is None
    sqs = cloud.client("sqs")
    queue = stack.outputs["ChangesQueueUrl"]
    # In the template a record that failed rests for minutes before the next try; five tries would take half an hour.
    with stack.failures_rest(seconds=1):
        sqs.send_message_batch(
            QueueUrl=queue,
            Entries=[
                {"Id": "poison", "MessageBody": POISON},
                {"Id": "good", "MessageBody": json.dumps({"check": {"vpcIds": [vpc]}})},
            ],
        )

        assert inbox.wait_for(vpc, SETTLE_SECONDS + 30) is not None
        dead = arrivals(sqs, stack.outputs["ChangesDeadLetterQueueUrl"], 1, seconds=60)
    assert [message["Body"] for message in dead] == [POISON]


def test_an_asynchronous_invocation_that_fails_is_handed_over(cloud: Cloud, stack: Deployment) -> None:
    unsupported = {"source": "aws.s3", "detail-type": "Object Created", "detail": {}}

    cloud.client("lambda").invoke(
        FunctionName=stack.function, InvocationType="Event", Payload=json.dumps(unsupported)
    )

    [handed_over] = arrivals(cloud.client("sqs"), stack.outputs["DeliveryDeadLetterQueueUrl"], 1, seconds=60)
    record = json.loads(handed_over["Body"])
    assert record["requestPayload"] == unsupported
    assert record["responsePayload"]["errorType"] == "UnsupportedEvent"


def arrivals(sqs: Any, queue: str, count: int, seconds: float) -> list[dict[str, Any]]:
    """Takes `count` messages out of a queue, or as many as come in time."""
    messages: list[dict[str, Any]] = []
    deadline = time.monotonic() + seconds
    while len(messages) < count and time.monotonic() < deadline:
        for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2).get("Messages", []):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            messages.append(message)
    return messages
