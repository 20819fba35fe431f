"""A queue that is subscribed to a topic: what a subscriber receives."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local import schemas
from local.cloud import Cloud
from local.deployment import Deployment


@dataclass(frozen=True)
class Message:
    """An SNS message as it reached the queue."""

    subject: str
    attributes: dict[str, Any]
    body: Any
    """A JSON object; in the topic for e-mail, the text."""


def _valid_json(text: str) -> Any:
    """Returns a message for programs: about findings, or from a hub about accounts."""
    body = json.loads(text)
    return schemas.validate("enrollment" if "enrollment" in body["schema"] else "notification", body)


READERS: dict[str, Callable[[str], Any]] = {
    "json": _valid_json,
    "text": str,
    "chat": json.loads,
}
"""The channels, and how a message's body is made of its text."""


def subscribe_queue(cloud: Cloud, topic: str, name: str) -> str:
    """Creates a queue that receives the messages of a topic; returns its URL."""
    sqs = cloud.client("sqs")
    queue: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    arn = attributes["Attributes"]["QueueArn"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(_policy(topic, arn))})
    # Not raw: the subject and the attributes are in SNS's envelope.
    cloud.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return queue


class Inbox:
    """Subscribes to the topic of a channel when it is created. Returns each message once."""

    def __init__(self, deployment: Deployment, name: str = "inbox", channel: str = "json") -> None:
        self._read = READERS[channel]
        self._sqs = deployment.cloud.client("sqs")
        self._queue = subscribe_queue(deployment.cloud, deployment.topic_of(channel), name)

    def wait_for(self, vpc: str, seconds: float) -> Message | None:
        """Returns the next message about this VPC, or nothing if none arrives in time. Drops those about other VPCs."""
        return self.wait_for_all({vpc}, seconds).get(vpc)

    def wait_for_all(self, vpcs: set[str], seconds: float) -> dict[str, Message]:
        """Returns the next message about each of these VPCs, as far as they arrive in time."""
        found: dict[str, Message] = {}
        deadline = time.monotonic() + seconds
        while found.keys() != vpcs and time.monotonic() < deadline:
            for message in self._receive(1, wait_seconds=1):
                # A message about REST APIs is about no VPC.
                if (vpc := message.attributes.get("vpcId")) in vpcs:
                    found.setdefault(vpc, message)
        return found

    def receive(self, at_least: int, seconds: float) -> list[Message]:
        """Waits until so many messages have arrived or the time is over; returns all that are there, sorted."""
        messages: list[Message] = []
        deadline = time.monotonic() + seconds
        while len(messages) < at_least and time.monotonic() < deadline:
            messages += self._receive(10, wait_seconds=1)
        return sorted(messages + self.drain(), key=lambda message: json.dumps(message.body))

    def drain(self) -> list[Message]:
        """Returns all messages that are there, sorted, without waiting.

        That is enough once the function has answered: SNS hands a message to its queues before Publish returns.
        """
        return sorted(self.drain_in_order(), key=lambda message: json.dumps(message.body))

    def drain_in_order(self) -> list[Message]:
        """Returns all messages that are there in the order in which SNS accepted them, without waiting.

        SQS does not promise this order. ministack keeps it.
        """
        messages: list[Message] = []
        while received := self._receive(10, wait_seconds=0):
            messages += received
        return messages

    def _receive(self, at_most: int, wait_seconds: int) -> list[Message]:
        received = self._sqs.receive_message(
            QueueUrl=self._queue, MaxNumberOfMessages=at_most, WaitTimeSeconds=wait_seconds
        ).get("Messages", [])
        for message in received:
            self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return [self._message(json.loads(message["Body"])) for message in received]

    def _message(self, envelope: dict[str, Any]) -> Message:
        attributes = {name: each["Value"] for name, each in sorted(envelope.get("MessageAttributes", {}).items())}
        return Message(envelope.get("Subject", ""), attributes, self._read(envelope["Message"]))


def _policy(topic: str, queue: str) -> dict[str, Any]:
    """Returns the policy that a subscribed queue needs: the topic may send to it."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue,
                "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
            }
        ],
    }
