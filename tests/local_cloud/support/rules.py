"""Which events the deployed rules let in."""

import json
from typing import Any

from local.cloud import Cloud

RELEVANT_CALLS = {
    "AssociateRouteTable",
    "AssociateSubnetCidrBlock",
    "AssociateVpcCidrBlock",
    "AttachInternetGateway",
    "AuthorizeSecurityGroupIngress",
    "CreateDefaultSubnet",
    "CreateDefaultVpc",
    "CreateRoute",
    "CreateRouteTable",
    "CreateSubnet",
    "CreateVpc",
    "CreateVpcEndpoint",
    "DeleteNatGateway",
    "DeleteRoute",
    "DeleteRouteTable",
    "DeleteSubnet",
    "DeleteVpc",
    "DeleteVpcEndpoints",
    "DetachInternetGateway",
    "DisassociateRouteTable",
    "DisassociateSubnetCidrBlock",
    "DisassociateVpcCidrBlock",
    "ModifySecurityGroupRules",
    "ModifyVpcAttribute",
    "ModifyVpcEndpoint",
    "ReplaceRoute",
    "ReplaceRouteTableAssociation",
    "RevokeSecurityGroupIngress",
}
"""The EC2 calls that the changes rule lets in. The only such list in Python; the function has its own in Rust."""


def lets_in(cloud: Cloud, pattern: str, event: dict[str, Any]) -> bool:
    """Asks EventBridge whether an event matches a pattern (TestEventPattern)."""
    answer = cloud.client("events").test_event_pattern(EventPattern=pattern, Event=json.dumps(event))
    return bool(answer["Result"])
