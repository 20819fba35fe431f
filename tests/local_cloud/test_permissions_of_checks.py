"""The role has the permissions of the checks that run and no others. `tests/template.rs` tests all combinations.

Here CloudFormation itself evaluates the template's conditions.
"""

from typing import Any

import pytest

from local import deployment
from local.cloud import Cloud
from local.deployment import Deployment
from tests.local_cloud.support import role

ALWAYS = {
    "ec2:DescribeNatGateways",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcEndpoints",
    "ec2:DescribeVpcs",
    "ec2:GetManagedPrefixListEntries",
}
CENTRAL_NAMES = {
    "ec2:DescribeVpcEndpointServices",
    "route53:ListHostedZonesByVPC",
    "route53profiles:ListProfileAssociations",
    "route53profiles:ListProfileResourceAssociations",
    "route53resolver:ListResolverRuleAssociations",
    "route53resolver:ListResolverRules",
}


@pytest.mark.parametrize(
    ("checks", "needed", "rules"),
    [
        pytest.param("gateway-route", set(), 2, id="no-endpoints"),
        pytest.param("dns-bypass,required-endpoints", CENTRAL_NAMES, 2, id="central-names"),
        pytest.param("private-api,gateway-route", {"apigateway:GET"}, 3, id="rest-apis"),
    ],
)
def test_a_stack_may_read_what_its_checks_need(
    checks: str, needed: set[str], rules: int, stack: Deployment, cloud: Cloud
) -> None:
    assert stack, "the function is built"
    name = "checks"
    of_checks = deployment.deploy(cloud, name, Ledger="off", SweepSchedule="off", SettleSeconds=0, Checks=checks)
    try:
        allowed: set[str] = set()
        for statement in role.statements(cloud, of_checks):
            allowed.update(action for action in _actions(statement) if _reads_the_network(action))
        assert allowed == ALWAYS | needed

        resources = cloud.client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
        assert [each["ResourceType"] for each in resources].count("AWS::Events::Rule") == rules
    finally:
        cloud.client("cloudformation").delete_stack(StackName=name)


def _actions(statement: dict[str, Any]) -> list[str]:
    actions = statement["Action"]
    return [actions] if isinstance(actions, str) else actions


def _reads_the_network(action: str) -> bool:
    return action.split(":")[0] in {"apigateway", "ec2", "route53", "route53profiles", "route53resolver"}
