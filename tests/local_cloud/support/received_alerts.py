"""The alerts that subscribers have received about each finding: the same for JSON, e-mail and chat card.

E-mail and card are text for people. Their wording is not part of the contract, so this file changes with it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from local.inbox import Message

Key = tuple[str, str]
"""A route table and a service: what a finding is about."""

SEVERITIES = ("LOW", "MEDIUM", "HIGH")
RESOLVED = "RESOLVED"
SERVICES = {"S3": "s3", "DynamoDB": "dynamodb"}


@dataclass(frozen=True)
class ReceivedAlert:
    """What a message says about a finding. A card says less about findings after the first three tables."""

    label: str
    """The severity, or `RESOLVED`."""
    change: str | None
    gap: str | None
    subnets: frozenset[str] | None

    def is_right_about(self, finding: dict[str, Any] | None) -> bool:
        """Whether this may be the last message about a finding that is in this state now; `None`: there is none.

        gatewatch sends no alert when a finding gets better. So the message may name a higher severity and more subnets.
        """
        if finding is None or self.label == RESOLVED:
            return finding is None and self.label == RESOLVED
        subnets = {each["id"] for each in finding["subnets"]}
        return (
            SEVERITIES.index(self.label) >= SEVERITIES.index(finding["severity"])
            and self.gap in (None, finding["gap"])
            and (self.subnets is None or self.subnets >= subnets)
        )


def in_json(message: Message) -> Iterator[tuple[Key, ReceivedAlert]]:
    """Reads a JSON message."""
    for finding in message.body["findings"]:
        is_resolved = finding["change"] == "resolved"
        subnets = frozenset(each["id"] for each in finding["subnets"])
        yield (
            (finding["routeTable"]["id"], finding["service"]),
            ReceivedAlert(RESOLVED if is_resolved else finding["severity"], finding["change"], finding["gap"], subnets),
        )


HEADING = re.compile(r"^\*?(HIGH|MEDIUM|LOW|RESOLVED): (rtb-[0-9a-f]+) in [a-z0-9-]+ (.+)$", re.MULTILINE)
SHORT_LINE = re.compile(r"^- (HIGH|MEDIUM|LOW|RESOLVED) (rtb-[0-9a-f]+): (.+)$", re.MULTILINE)
CHANGES = {
    "New: first seen": "opened",
    "Worse than in the last alert": "worsened",
    "Changed since the last alert": "changed",
    "Reminder: ": "reminder",
}
GAPS = {
    "The VPC has no available gateway endpoint for {}.": "no_endpoint",
    " for {} is in the VPC, but does not list the table.": "not_associated",
    " for {} lists the table, but the table has no active route": "route_inactive",
    " for {} lists the table, but its state is": "endpoint_not_available",
}


def in_text(text: str) -> Iterator[tuple[Key, ReceivedAlert]]:
    """Reads an e-mail or the description of a card."""
    headings = list(HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    for heading, end in zip(headings, ends, strict=False):
        label, table, sentence = heading.groups()
        section = text[heading.end() : end]
        change = next((change for words, change in CHANGES.items() if words in section), "reported")
        subnets = frozenset(re.findall(r"^- (subnet-[0-9a-f]+)", section, re.MULTILINE))
        for title, service in services_in(sentence):
            gap = next((gap for words, gap in GAPS.items() if words.format(title) in section), None)
            yield (table, service), ReceivedAlert(label, "resolved" if label == RESOLVED else change, gap, subnets)


def in_card(message: Message) -> Iterator[tuple[Key, ReceivedAlert]]:
    """Reads a chat card."""
    description = message.body["content"]["description"]
    # If there is only one table, the summary is its heading.
    yield from in_text(f"{message.body['metadata']['summary']}\n{description}")
    for label, table, titles in SHORT_LINE.findall(description):
        for _, service in services_in(titles):
            yield (table, service), ReceivedAlert(label, None, None, None)


def services_in(sentence: str) -> list[tuple[str, str]]:
    """Returns the services that a sentence names."""
    return [(title, service) for title, service in SERVICES.items() if re.search(rf"\b{title}\b", sentence)]


READERS: dict[str, Callable[[Message], Iterator[tuple[Key, ReceivedAlert]]]] = {
    "json": in_json,
    "text": lambda message: in_text(message.body),
    "chat": in_card,
}
"""The channels, and how to read their messages."""
