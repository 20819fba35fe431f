"""The function's binary with its own topics and alert history: nothing that it sends mixes with other messages."""

from dataclasses import dataclass, field
from typing import Any

from local import history_table
from local.cloud import Cloud
from local.deployment import TOPIC_OUTPUTS, Deployment
from local.inbox import Inbox, Message
from tests.local_cloud.support import history
from tests.local_cloud.support.bare_function import BareFunction

TOPIC_VARIABLES = {"json": "TOPIC_ARN", "text": "TEXT_TOPIC_ARN", "chat": "CHAT_TOPIC_ARN"}
"""The channels, and the setting of each topic."""


@dataclass
class Sandbox:
    """A table and a topic for each channel, all named after the sandbox, and a subscriber of each topic."""

    cloud: Cloud
    name: str
    env: dict[str, str] = field(default_factory=dict)
    """More variables of the function, such as the address of a proxy."""
    channels: tuple[str, ...] = ("json", "text", "chat")
    with_history: bool = True

    def __post_init__(self) -> None:
        self.dynamodb, sns = self.cloud.client("dynamodb"), self.cloud.client("sns")
        self.table = history_table.create(self.dynamodb, self.name) if self.with_history else ""
        self.topics = {each: sns.create_topic(Name=f"{self.name}-{each}")["TopicArn"] for each in self.channels}
        topics = Deployment(self.cloud, {TOPIC_OUTPUTS[each]: arn for each, arn in self.topics.items()})
        self.inboxes = {each: Inbox(topics, f"{self.name}-{each}", each) for each in self.channels}

    def function(self, run: str = "0", **env: str) -> BareFunction:
        """Starts a process of the function. `run` distinguishes its log from others."""
        topics = {TOPIC_VARIABLES[each]: arn for each, arn in self.topics.items()}
        table = {"LEDGER_TABLE": self.table} if self.with_history else {}
        variables = self.cloud.env | table | topics | self.env | env
        return BareFunction(variables, self.cloud.logs / "functions" / f"{self.name}-{run}.log")

    def received(self) -> dict[str, list[Message]]:
        """Returns what arrived on each channel since the last call, sorted.

        Nothing has to be waited for once the function has answered or is dead: see `Inbox.drain`.
        """
        return {channel: inbox.drain() for channel, inbox in self.inboxes.items()}

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The alert records."""
        return history.alerts(self.dynamodb, self.table)

    @property
    def leases(self) -> list[dict[str, Any]]:
        """The lease records, released ones included."""
        return history.leases(self.dynamodb, self.table)

    @property
    def held_leases(self) -> list[dict[str, Any]]:
        """The leases that have not been released."""
        return [lease for lease in self.leases if "claimedUntil" in lease or "holder" in lease]

    def expire_leases(self) -> None:
        """Sets the end of every lease that is held to the past, so that no function waits for it."""
        self._expire(self.held_leases)

    def expire_leases_of(self, request_id: str) -> None:
        """The same for the leases of one invocation, which must be dead."""
        self._expire([lease for lease in self.held_leases if request_id in lease.get("holder", "")])

    def _expire(self, leases: list[dict[str, Any]]) -> None:
        for lease in leases:
            self.dynamodb.update_item(
                TableName=self.table,
                Key={name: {"S": lease[name]} for name in ("pk", "sk")},
                UpdateExpression="SET claimedUntil = claimedUntil - :much",
                ExpressionAttributeValues={":much": {"N": "3600"}},
            )


def lease_is_held(vpc: str) -> str:
    """Returns the error of a function that does not get the lease of a VPC."""
    return f"PublishFailed: Publish, about {vpc}: another invocation has the lease of this VPC and has not finished"
