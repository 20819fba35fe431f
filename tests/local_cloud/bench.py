"""The function's binary with a ledger and topics of its own: nothing that it tells mixes with another's."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from local import ledger
from local.bare_function import BareFunction
from local.cloud import Cloud
from local.deployment import Deployment, InvocationFailed
from local.inbox import Inbox, Message

CHANNELS = {"json": "TOPIC_ARN", "text": "TEXT_TOPIC_ARN", "chat": "CHAT_TOPIC_ARN"}
"""How each topic is set."""
ALL_DONE: dict[str, Any] = {"batchItemFailures": []}


@dataclass
class Bench:
    """A table and a topic for each channel, all called after the bench, and a subscriber of each topic."""

    cloud: Cloud
    name: str
    env: dict[str, str] = field(default_factory=dict)
    """What the function's environment has besides, such as the way to a proxy."""

    def __post_init__(self) -> None:
        self.dynamodb, sns = self.cloud.client("dynamodb"), self.cloud.client("sns")
        self.table = ledger.create(self.dynamodb, self.name)
        self.topics = {each: sns.create_topic(Name=f"{self.name}-{each}")["TopicArn"] for each in CHANNELS}
        self.inboxes = {
            each: Inbox(Deployment(self.cloud, {"TopicArn": arn}), f"{self.name}-{each}", read=readers[each])
            for each, arn in self.topics.items()
        }

    def function(self, run: str = "0", **env: str) -> BareFunction:
        """A process of the function. `run` tells its log from those of others."""
        topics = {variable: self.topics[each] for each, variable in CHANNELS.items()}
        variables = self.cloud.env | {"LEDGER_TABLE": self.table} | topics | self.env | env
        return BareFunction(variables, self.cloud.logs / "ledger" / f"{self.name}-{run}.log")

    def received(self, at_least: int = 0, seconds: int = 1) -> dict[str, list[Message]]:
        """What has come on each channel since the last time, and what still comes within so many seconds.

        What is published is in the queue before the function hears that it was taken, so there is little to wait for.
        """
        with ThreadPoolExecutor(len(self.inboxes)) as pool:
            lists = pool.map(lambda inbox: inbox.all_within(seconds, at_least), self.inboxes.values())
            return dict(zip(self.inboxes, lists))

    @property
    def items(self) -> list[dict[str, Any]]:
        """What the ledger holds of findings, by table and service, with the values as plain as they can be."""
        entries = [plain(item) for item in ledger.items(self.dynamodb, self.table) if "findingId" in item]
        return sorted(entries, key=lambda entry: (entry["routeTable"]["id"], entry["service"]))

    @property
    def claims(self) -> list[dict[str, Any]]:
        """What it holds of who tells."""
        return [plain(item) for item in ledger.items(self.dynamodb, self.table) if "findingId" not in item]

    @property
    def held(self) -> list[dict[str, Any]]:
        """The claims that nobody has let go."""
        return [claim for claim in self.claims if "claimedUntil" in claim or "holder" in claim]

    def let_claims_end(self) -> None:
        """Sets the end of every claim that is held to a minute ago: who waits for it need not."""
        for claim in self.held:
            self.dynamodb.update_item(
                TableName=self.table, Key={name: {"S": claim[name]} for name in ("pk", "sk")},
                UpdateExpression="SET claimedUntil = claimedUntil - :much",
                ExpressionAttributeValues={":much": {"N": "3600"}},
            )


readers = {"json": json.loads, "text": str, "chat": json.loads}


def plain(item: dict[str, Any]) -> dict[str, Any]:
    """An item of DynamoDB without the types of its values."""
    return {name: _plain(value) for name, value in item.items()}


def _plain(value: dict[str, Any]) -> Any:
    [(kind, inner)] = value.items()
    if kind == "M":
        return plain(inner)
    if kind == "L":
        return [_plain(each) for each in inner]
    return {"N": int, "NULL": lambda _: None}.get(kind, lambda same: same)(inner)


def record(message_id: str, vpc: str) -> dict[str, Any]:
    """A message of the queue."""
    return {"messageId": message_id, "eventSource": "aws:sqs", "body": json.dumps({"check": {"vpcIds": [vpc]}})}


def answer_or_error(bare: BareFunction, payload: Any, seconds: float = 60) -> Any:
    """The answer, or the error without the request ids in it."""
    try:
        return bare.invoke(payload, seconds)
    except InvocationFailed as failure:
        return {name: without_request_ids(failure.error[name]) for name in ("errorType", "errorMessage")}


def errors_in(bare: BareFunction) -> list[str]:
    """What the log says of each message of a batch that failed."""
    lines = [json.loads(line)["fields"] for line in bare.log.read_text().splitlines() if line.startswith("{")]
    failures = [line for line in lines if "error_type" in line]
    return [f"{line['error_type']}: {without_request_ids(json.loads(line['error']))}" for line in failures]


def without_request_ids(text: str) -> str:
    """The same text for each run."""
    return re.sub(r"request id [\w-]+", "request id …", text)


def changes(messages: list[Message]) -> list[tuple[str, str]]:
    """What was told: each change with the finding that it is about, over all messages for programs."""
    return sorted((told["change"], told["id"]) for message in messages for told in message.body["findings"])


def another_is_telling(vpc: str) -> str:
    """What the function says who finds a VPC claimed."""
    return f"Publish, about {vpc}: another invocation is telling of it and has not finished"


