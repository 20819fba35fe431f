"""A queue subscribed to a topic: what a subscriber receives."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.deployment import Deployment


@dataclass(frozen=True)
class Message:
    """One SNS message as it reached the queue."""

    subject: str
    attributes: dict[str, Any]
    body: Any
    """A JSON object; of the topic for e-mail, the text."""


def as_reported(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Findings of a message as a report has them: without what the message adds about each."""
    added = ("change", "since", "resolution")
    return [{name: value for name, value in finding.items() if name not in added} for finding in findings]


class Inbox:
    """Subscribes on creation; each message is handed out once.

    To the topic for JSON, unless another is given. `read` makes a message's body of its text.
    """

    def __init__(
        self,
        deployment: Deployment,
        name: str = "inbox",
        topic: str | None = None,
        read: Callable[[str], Any] = json.loads,
    ) -> None:
        topic, self._read = topic or deployment.topic, read
        self._sqs = deployment.cloud.client("sqs")
        self._queue = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        arn = attributes["Attributes"]["QueueArn"]
        policy = json.dumps(_let_in(topic, arn))
        self._sqs.set_queue_attributes(QueueUrl=self._queue, Attributes={"Policy": policy})
        # Not with raw delivery: subject and attributes come in SNS's envelope.
        deployment.cloud.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def wait_for(self, vpc: str, seconds: float) -> Message | None:
        """The next message about this VPC, or nothing if none comes in time. Drops those about other VPCs."""
        return self.wait_for_all({vpc}, seconds).get(vpc)

    def wait_for_all(self, vpcs: set[str], seconds: float) -> dict[str, Message]:
        """The next message about each of these VPCs, as far as they come in time."""
        found: dict[str, Message] = {}
        deadline = time.monotonic() + seconds
        while found.keys() != vpcs and time.monotonic() < deadline:
            message = self._receive(wait_seconds=1)
            if message and message.attributes["vpcId"] in vpcs:
                found.setdefault(message.attributes["vpcId"], message)
        return found

    def all_within(self, seconds: int, at_least: int) -> list[Message]:
        """All messages there are, in the order of their VPCs: waits for `at_least` so many, and then for no more."""
        messages: list[Message] = []
        while message := self._receive(wait_seconds=0 if len(messages) >= at_least > 0 else seconds):
            messages.append(message)
        return sorted(messages, key=lambda message: json.dumps(message.body))

    def _receive(self, wait_seconds: int) -> Message | None:
        answer = self._sqs.receive_message(
            QueueUrl=self._queue, MaxNumberOfMessages=1, WaitTimeSeconds=wait_seconds
        )
        for received in answer.get("Messages", []):
            self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=received["ReceiptHandle"])
            envelope = json.loads(received["Body"])
            attributes = {name: each["Value"] for name, each in sorted(envelope.get("MessageAttributes", {}).items())}
            return Message(envelope.get("Subject", ""), attributes, self._read(envelope["Message"]))
        return None


def _let_in(topic: str, queue: str) -> dict[str, Any]:
    """The policy that a subscribed queue needs: the topic may send to it."""
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
