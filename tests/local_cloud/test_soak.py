"""The judge of the soak test, and one short run. `make verify` makes the others: see tests/soak.py."""

from typing import Any

import pytest

from local.cloud import Cloud
from local.deployment import Deployment
from tests.local_cloud.support import soak
from tests.local_cloud.support.fault_proxy import fault_proxy
from tests.local_cloud.support.heard import RESOLVED, Heard, Key
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
OPENED = Heard("MEDIUM", "opened", "not_associated", BOTH)
RESOLVED_ALERT = Heard(RESOLVED, "resolved", "not_associated", BOTH)


def test_the_last_messages_of_a_short_run_are_right(cloud: Cloud, stack: Deployment) -> None:
    with stack.without_events(), fault_proxy(cloud, "dynamodb") as proxy:
        outcome = soak.run(cloud, proxy, seed=1, steps=4)

    assert outcome.wrong == []
    assert {channel for channel in ("json", "text", "chat") if outcome.messages[f"{channel} opened"]} == {
        "json",
        "text",
        "chat",
    }


def wrong_about(finding: dict[str, Any] | None, last: Heard | None) -> list[str]:
    """Returns what the judge finds wrong if this is the last message on the channel for JSON."""
    outcome = Outcome(0)
    judge({"findings": [finding] if finding else []}, {"json": {KEY: last} if last else {}}, outcome)
    return outcome.wrong


@pytest.mark.parametrize(
    "last",
    [
        OPENED,
        Heard("MEDIUM", "reminder", "not_associated", BOTH),
        # It got better since then, and nothing is sent about that.
        Heard("HIGH", "worsened", "not_associated", BOTH | {"subnet-3"}),
        # A card, about the fourth table.
        Heard("MEDIUM", None, None, None),
    ],
)
def test_a_last_message_about_an_open_finding_may_be_right(last: Heard) -> None:
    assert wrong_about(FINDING, last) == []


@pytest.mark.parametrize(
    "last",
    [
        None,
        RESOLVED_ALERT,
        Heard("LOW", "opened", "not_associated", BOTH),
        Heard("MEDIUM", "opened", "no_endpoint", BOTH),
        Heard("MEDIUM", "opened", "not_associated", frozenset({"subnet-1"})),
    ],
)
def test_a_last_message_about_an_open_finding_that_is_lost_or_too_old_is_wrong(last: Heard | None) -> None:
    assert len(wrong_about(FINDING, last)) == 1


def test_the_last_message_about_a_finding_that_is_gone_must_resolve_it() -> None:
    assert wrong_about(None, None) == []
    assert wrong_about(None, RESOLVED_ALERT) == []
    assert len(wrong_about(None, OPENED)) == 1
    assert len(wrong_about(None, Heard("MEDIUM", None, None, None))) == 1
