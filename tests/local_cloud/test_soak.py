"""The soak test's reader of messages and its judge. A run takes too long for `make test`: see tests/soak.py."""

from typing import Any

import pytest

from local.environment import ROOT
from local.inbox import Message
from tests.local_cloud.support.received_alerts import RESOLVED, Key, ReceivedAlert, in_card, in_text
from tests.local_cloud.support.soak import Outcome, judge

KEY: Key = ("rtb-0a1b2c3d4e5f60004", "s3")
FINDING: dict[str, Any] = {
    "routeTable": {"id": KEY[0]},
    "service": KEY[1],
    "severity": "MEDIUM",
    "gap": "not_associated",
    "subnets": [{"id": "subnet-1"}, {"id": "subnet-2"}],
}
BOTH = frozenset({"subnet-1", "subnet-2"})
OPENED = ReceivedAlert("MEDIUM", "opened", "not_associated", BOTH)
RESOLVED_ALERT = ReceivedAlert(RESOLVED, "resolved", "not_associated", BOTH)


SNAPSHOTS = ROOT / "src" / "messages" / "tests" / "snapshots"


def scenario(name: str) -> str:
    """Returns the first message of a snapshot."""
    return (SNAPSHOTS / f"{name}.snap").read_text().split("======== ")[1]


@pytest.mark.parametrize("snapshot", ["text_mixed", "chat_mixed"])
def test_emails_and_cards_are_read(snapshot: str) -> None:
    """If the wording changes, support/received_alerts.py has to change too."""
    two = frozenset({"subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"})

    assert dict(in_text(scenario(snapshot))) == {
        ("rtb-0a1b2c3d4e5f60004", "s3"): ReceivedAlert("HIGH", "reminder", "no_endpoint", two),
        ("rtb-0a1b2c3d4e5f70001", "s3"): ReceivedAlert("LOW", "opened", "no_endpoint", frozenset()),
        ("rtb-0a1b2c3d4e5f70000", "s3"): ReceivedAlert(
            RESOLVED, "resolved", None, frozenset({"subnet-0a1b2c3d4e5f70000"})
        ),
    }


def test_the_short_lines_of_a_card_are_read() -> None:
    body = {"content": {"description": scenario("chat_many")}, "metadata": {"summary": ""}}

    received = dict(in_card(Message("", {}, body)))

    assert sum(said.change == "opened" for said in received.values()) == 3 * 2, "three tables in full"
    assert received["rtb-0a1b2c3d4e5f70002", "dynamodb"] == ReceivedAlert("LOW", None, None, None)


def wrong_about(finding: dict[str, Any] | None, last: ReceivedAlert | None) -> list[str]:
    """Returns what the judge finds wrong if this is the last message on the channel for JSON."""
    outcome = Outcome(0)
    judge({"findings": [finding] if finding else []}, {"json": {KEY: last} if last else {}}, outcome)
    return outcome.wrong


@pytest.mark.parametrize(
    "last",
    [
        OPENED,
        ReceivedAlert("MEDIUM", "reminder", "not_associated", BOTH),
        # It got better since then, and nothing is sent about that.
        ReceivedAlert("HIGH", "worsened", "not_associated", BOTH | {"subnet-3"}),
        # A card, about the fourth table.
        ReceivedAlert("MEDIUM", None, None, None),
    ],
)
def test_a_last_message_about_an_open_finding_may_be_right(last: ReceivedAlert) -> None:
    assert wrong_about(FINDING, last) == []


@pytest.mark.parametrize(
    "last",
    [
        None,
        RESOLVED_ALERT,
        ReceivedAlert("LOW", "opened", "not_associated", BOTH),
        ReceivedAlert("MEDIUM", "opened", "no_endpoint", BOTH),
        ReceivedAlert("MEDIUM", "opened", "not_associated", frozenset({"subnet-1"})),
    ],
)
def test_a_last_message_about_an_open_finding_that_is_lost_or_too_old_is_wrong(last: ReceivedAlert | None) -> None:
    assert len(wrong_about(FINDING, last)) == 1


def test_the_last_message_about_a_finding_that_is_gone_must_resolve_it() -> None:
    assert wrong_about(None, None) == []
    assert wrong_about(None, RESOLVED_ALERT) == []
    assert len(wrong_about(None, OPENED)) == 1
    assert len(wrong_about(None, ReceivedAlert("MEDIUM", None, None, None))) == 1
