"""The deployed rules let in what the contract lists, when it succeeded, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.cloud import Cloud
from local.deployment import Deployment
from local.environment import ROOT

CALLS = {
    "AssociateRouteTable",
    "CreateDefaultSubnet",
    "CreateDefaultVpc",
    "CreateRoute",
    "CreateRouteTable",
    "CreateSubnet",
    "CreateVpc",
    "CreateVpcEndpoint",
    "DeleteRoute",
    "DeleteRouteTable",
    "DeleteSubnet",
    "DeleteVpc",
    "DeleteVpcEndpoints",
    "DisassociateRouteTable",
    "ModifyVpcEndpoint",
    "ReplaceRoute",
    "ReplaceRouteTableAssociation",
}
"""The contract's table of API calls, with those that end a finding."""

RULES = ("ChangesRuleName", "ExemptionsRuleName", "ConfigItemsRuleName")
"""The outputs that name the rules in front of the queue."""


def examples() -> list[Any]:
    """The files of events/ that EventBridge could deliver."""
    payloads = [(path.stem, json.loads(path.read_text())) for path in sorted(Path(ROOT / "events").glob("*.json"))]
    return [pytest.param(payload, id=name) for name, payload in payloads if "detail-type" in payload]


def let_in_by(cloud: Cloud, stack: Deployment, event: dict[str, Any]) -> list[str]:
    """The rules that let the event in; EventBridge is asked, with TestEventPattern."""
    events = cloud.client("events")
    patterns = {rule: events.describe_rule(Name=stack.outputs[rule])["EventPattern"] for rule in RULES}
    return [
        rule
        for rule, pattern in patterns.items()
        if events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]
    ]


def expected_for(event: dict[str, Any]) -> list[str]:
    """Which rule has to let the event in, by the contract's words."""
    detail = event["detail"]
    if event["source"] == "aws.config":
        item = detail.get("configurationItem") or detail["configurationItemSummary"]
        kinds = {f"AWS::EC2::{kind}" for kind in ("RouteTable", "Subnet", "VPC", "VPCEndpoint")}
        return ["ConfigItemsRuleName"] if item["resourceType"] in kinds else []
    if event["source"] != "aws.ec2" or "errorCode" in detail:
        return []
    if detail["eventName"] in ("CreateTags", "DeleteTags"):
        keys = [tag["key"] for tag in detail["requestParameters"]["tagSet"]["items"]]
        return ["ExemptionsRuleName"] if "gatewatch:exempt" in keys else []
    return ["ChangesRuleName"] if detail["eventName"] in CALLS else []


@pytest.mark.parametrize("event", examples())
def test_an_example_is_let_in_by_its_rule_and_no_other(
    event: dict[str, Any], cloud: Cloud, stack: Deployment
) -> None:
    assert let_in_by(cloud, stack, event) == expected_for(event)


def test_every_listed_call_has_an_example() -> None:
    assert {event.values[0]["detail"].get("eventName") for event in examples()} >= CALLS
