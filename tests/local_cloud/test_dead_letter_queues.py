"""Records and invocations that fail for good end in a dead-letter queue, and do not block others."""

import json
from typing import Any

from local import schemas
from local.cloud import Cloud
from local.deployment import Deployment
from local.inbox import Inbox
from local.networks import Builder
from local.waiting import wait_until
from tests.local_cloud.support.stack import SETTLE_SECONDS

NOT_JSON = "this is not JSON"


def test_a_bad_record_reaches_the_dead_letter_queue_and_a_good_one_is_handled(
    build: Builder, cloud: Cloud, stack: Deployment, inbox: Inbox
) -> None:
    with stack.without_events():
        vpc = build.vpc("beside-a-bad-record", "10.50.0.0/16")
    assert stack.wait_until_idle(seconds=10)
    assert [message for message in inbox.drain() if message.attributes["vpcId"] == vpc] == []
    sqs = cloud.client("sqs")
    # In the template a failed record waits for minutes before the next attempt; five attempts would take half an hour.
    with stack.retry_after(seconds=1):
        good = json.dumps({"check": {"vpcIds": [vpc]}})
        entries = [{"Id": "bad", "MessageBody": NOT_JSON}, {"Id": "good", "MessageBody": good}]
        sqs.send_message_batch(QueueUrl=stack.changes_queue, Entries=entries)

        assert inbox.wait_for(vpc, SETTLE_SECONDS + 30) is not None
        dead = wait_until(lambda: take_all(sqs, stack.outputs["ChangesDeadLetterQueueUrl"]), seconds=60)
    assert [message["Body"] for message in dead] == [NOT_JSON]


def test_a_failed_asynchronous_invocation_reaches_the_dead_letter_queue(cloud: Cloud, stack: Deployment) -> None:
    unsupported = {"source": "aws.s3", "detail-type": "Object Created", "detail": {}}

    cloud.client("lambda").invoke(FunctionName=stack.function, InvocationType="Event", Payload=json.dumps(unsupported))

    queue = stack.outputs["DeliveryDeadLetterQueueUrl"]
    [failure] = wait_until(lambda: take_all(cloud.client("sqs"), queue), seconds=60)
    record = json.loads(failure["Body"])
    assert record["requestPayload"] == unsupported
    assert schemas.validate("error", record["responsePayload"])["errorType"] == "UnsupportedEvent"


def take_all(sqs: Any, queue: str) -> list[dict[str, Any]]:
    """Takes all messages out of a queue."""
    messages: list[dict[str, Any]] = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return messages
