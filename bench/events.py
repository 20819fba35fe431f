"""The events of the measurements: the examples in `events/`, with ids of the synthetic network."""

import json
from typing import Any

from local.environment import ROOT


def resource(kind: str, number: int) -> str:
    """The id of a resource of the synthetic network; the first has number 0. See `bench/stand_in/src/network.rs`."""
    return f"{kind}-{number + 1:017x}"


def subnet_created(vpc: int, subnet: int) -> dict[str, Any]:
    """An event that names the VPC of its resource."""
    event = json.loads((ROOT / "events" / "create-subnet.json").read_text())
    detail = event["detail"]
    detail["requestParameters"]["vpcId"] = detail["responseElements"]["subnet"]["vpcId"] = resource("vpc", vpc)
    detail["responseElements"]["subnet"]["subnetId"] = resource("subnet", subnet)
    return batch([event])


def route_created(*tables: int) -> dict[str, Any]:
    """Events that do not name the VPC of their resource."""
    event = json.loads((ROOT / "events" / "create-route.json").read_text())
    events = []
    for table in tables:
        event["detail"]["requestParameters"]["routeTableId"] = resource("rtb", table)
        event["detail"]["requestParameters"]["natGatewayId"] = resource("nat", 0)
        events.append(json.loads(json.dumps(event)))
    return batch(events)


GROUP_CALLS = [
    (ROOT / "events" / f"{name}.json").read_text()
    for name in ("authorize-security-group-ingress", "revoke-security-group-ingress", "modify-security-group-rules")
]
"""The examples of calls that change the rules of a security group."""
EXAMPLE_GROUP = "sg-0a1b2c3d4e5f60001"


def group_changed(call: int, group: int) -> dict[str, Any]:
    """An event about a security group, by one of the calls."""
    event: dict[str, Any] = json.loads(GROUP_CALLS[call].replace(EXAMPLE_GROUP, resource("sg", group)))
    return event


def batch(events: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch of SQS."""
    records = [
        {
            "messageId": f"0a1b2c3d-0000-4000-8000-{number:012x}",
            "eventSource": "aws:sqs",
            "awsRegion": "eu-west-1",
            "attributes": {"ApproximateReceiveCount": "1"},
            "body": json.dumps(event),
        }
        for number, event in enumerate(events)
    ]
    return {"Records": records}


REGION = {"check": "region"}
"""A check of the whole Region."""
