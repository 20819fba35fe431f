"""The deployed rule lets in what the contract lists, when it succeeded, and nothing else."""

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
    "DeleteVpcEndpoints",
    "DisassociateRouteTable",
    "ModifyVpcEndpoint",
    "ReplaceRoute",
    "ReplaceRouteTableAssociation",
}
"""The contract's table of API calls."""


def examples() -> list[Any]:
    """The files of events/ that EventBridge could deliver."""
    payloads = [(path.stem, json.loads(path.read_text())) for path in sorted(Path(ROOT / "events").glob("*.json"))]
    return [pytest.param(payload, id=name) for name, payload in payloads if "detail-type" in payload]


def is_let_in(cloud: Cloud, stack: Deployment, event: dict[str, Any]) -> bool:
    """Asks EventBridge, with TestEventPattern."""
    events = cloud.client("events")
    pattern = events.describe_rule(Name=stack.outputs["ChangesRuleName"])["EventPattern"]
    return events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]


@pytest.mark.parametrize("event", examples())
def test_an_example_is_let_in_if_it_is_a_listed_call_that_succeeded(
    event: dict[str, Any], cloud: Cloud, stack: Deployment
) -> None:
    detail = event["detail"]
    listed = event["source"] == "aws.ec2" and detail.get("eventName") in CALLS

    assert is_let_in(cloud, stack, event) == (listed and "errorCode" not in detail)


def test_every_listed_call_has_an_example() -> None:
    assert {event.values[0]["detail"].get("eventName") for event in examples()} >= CALLS
