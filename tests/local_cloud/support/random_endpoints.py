"""Random endpoints with policies, security groups and zones of every kind, for tests that compare verdicts."""

import json
import random
from typing import Any

from local.environment import REGION
from local.networks import BOUNDED_POLICY, DYNAMODB, S3, Builder, https_from

COMPLETE = (1599, 4711, 86042, 314159, 902110)
"""Seeds that together give everything: see `test_random_endpoints_have_everything`."""

SERVICES = [f"com.amazonaws.{REGION}.{name}" for name in ("ssm", "kms", "sts", "logs", "cloudformation")]
"""CloudFormation's endpoints support no policies."""

EVERYTHING = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
OUTSIDERS = {"StringNotEquals": {"aws:PrincipalOrgID": "o-gatewatch01"}}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    """Returns the argument for a policy with these statements."""
    return {"PolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": statements})}


POLICIES: list[dict[str, Any]] = [
    {},  # the default policy
    policy(EVERYTHING | {"Sid": "Own"}),
    {"PolicyDocument": BOUNDED_POLICY},
    policy(EVERYTHING, EVERYTHING | {"Effect": "Deny", "Condition": OUTSIDERS}),
    policy(EVERYTHING | {"Action": ["ssm:GetParameter"]}),
]


def draw(chance: random.Random, build: Builder) -> dict[str, str]:
    """Builds random endpoints; returns their names by id. (The ids differ in each run.)"""
    names: dict[str, str] = {}
    for number in range(3):
        block = f"10.{number}"
        vpc = build.vpc(f"vpc-{number}", f"{block}.0.0/16")
        zones = chance.choices("abc", k=chance.randint(1, 5))
        subnets = [build.subnet("", vpc, f"{block}.{n}.0/24", zone) for n, zone in enumerate(zones)]
        groups = draw_groups(build, vpc, block)
        for service in (S3, DYNAMODB):
            endpoint = build.gateway_endpoint(service, vpc, [], **chance.choice(POLICIES))
            names[endpoint] = f"vpc-{number} {service}"
        for n in range(6):
            endpoint = build.interface_endpoint(
                chance.choice(SERVICES),
                vpc,
                subnets[0],
                SubnetIds=chance.sample(subnets, k=chance.randint(1, min(2, len(subnets)))),
                # Without a group, EC2 takes the default group.
                SecurityGroupIds=chance.sample(groups, k=chance.choice([0, 1, 1, 2])),
                state=chance.choice(["failed", "pending"]) if chance.random() < 0.2 else None,
                **chance.choice(POLICIES),
            )
            names[endpoint] = f"vpc-{number} interface-{n}"
            if chance.random() < 0.15:
                build.ec2.create_tags(Resources=[endpoint], Tags=[{"Key": "gatewatch:exempt", "Value": "true"}])
    return names


def draw_groups(build: Builder, vpc: str, block: str) -> list[str]:
    """Creates a security group of each kind."""
    to_all = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    rules: dict[str, list[dict[str, Any]]] = {
        "vpc": [https_from(f"{block}.0.0/16")],
        "first-subnet": [https_from(f"{block}.0.0/24")],
        "everywhere": [to_all],
        "elsewhere": [https_from("192.168.0.0/16")],
        "other-port": [https_from(f"{block}.0.0/16") | {"FromPort": 80, "ToPort": 80}],
        "nobody": [],
    }
    groups = []
    for name, permissions in rules.items():
        group = build.ec2.create_security_group(VpcId=vpc, GroupName=name, Description=name)["GroupId"]
        if permissions:
            build.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=permissions)
        groups.append(group)
    members = build.ec2.create_security_group(VpcId=vpc, GroupName="members", Description="members")["GroupId"]
    pair = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{"GroupId": groups[0]}]}
    build.ec2.authorize_security_group_ingress(GroupId=members, IpPermissions=[pair])
    return [*groups, members]
