"""The deployed rules let in the successful calls that the contract lists, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.cloud import Cloud
from local.deployment import Deployment
from local.environment import ROOT
from tests.local_cloud.support.rules import RELEVANT_CALLS, lets_in

RULES = ("ChangesRuleName", "ExemptionsRuleName", "ConfigItemsRuleName")
"""The outputs that name the rules before the queue."""


def examples() -> list[Any]:
    """Returns the files of events/ that EventBridge could deliver."""
    payloads = [(path.stem, json.loads(path.read_text())) for path in sorted(Path(ROOT / "events").glob("*.json"))]
    return [pytest.param(payload, id=name) for name, payload in payloads if "detail-type" in payload]


def rules_that_let_in(cloud: Cloud, stack: Deployment, event: dict[str, Any]) -> list[str]:
    """Returns the rules that let the event in."""
    events = cloud.client("events")
    patterns = {rule: events.describe_rule(Name=stack.outputs[rule])["EventPattern"] for rule in RULES}
    return [rule for rule, pattern in patterns.items() if lets_in(cloud, pattern, event)]


def expected_for(event: dict[str, Any]) -> list[str]:
    """Returns the rules that must let the event in, according to the contract."""
    detail = event["detail"]
    if event["source"] == "aws.config":
        item = detail.get("configurationItem") or detail["configurationItemSummary"]
        kinds = {f"AWS::EC2::{kind}" for kind in ("RouteTable", "SecurityGroup", "Subnet", "VPC", "VPCEndpoint")}
        return ["ConfigItemsRuleName"] if item["resourceType"] in kinds else []
    if event["source"] != "aws.ec2" or "errorCode" in detail:
        return []
    if detail["eventName"] in ("CreateTags", "DeleteTags"):
        keys = [tag["key"] for tag in detail["requestParameters"]["tagSet"]["items"]]
        return ["ExemptionsRuleName"] if "gatewatch:exempt" in keys else []
    return ["ChangesRuleName"] if detail["eventName"] in RELEVANT_CALLS else []


@pytest.mark.parametrize("event", examples())
def test_only_the_right_rule_lets_an_example_in(event: dict[str, Any], cloud: Cloud, stack: Deployment) -> None:
    assert rules_that_let_in(cloud, stack, event) == expected_for(event)


def test_every_listed_call_has_an_example() -> None:
    assert {event.values[0]["detail"].get("eventName") for event in examples()} >= RELEVANT_CALLS
