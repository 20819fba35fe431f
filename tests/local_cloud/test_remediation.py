"""The command of a finding, run word for word in a shell, fixes the gap. One network for each kind of gap."""

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from local.cloud import Cloud
from local.deployment import Deployment
from local.networks import DYNAMODB, S3, Builder


def no_endpoint(_build: Builder, _vpc: str, _table: str) -> None:
    """There is no endpoint."""


def not_associated(build: Builder, vpc: str, _table: str) -> None:
    """There is an endpoint, but for another table."""
    build.gateway_endpoint(S3, vpc, [build.table("other", vpc)])
    dynamodb = build.ec2.describe_vpc_endpoints(Filters=[{"Name": "service-name", "Values": [DYNAMODB]}])
    tables = build.ec2.describe_route_tables(Filters=[{"Name": "association.main", "Values": ["false"]}])
    build.ec2.modify_vpc_endpoint(
        VpcEndpointId=dynamodb["VpcEndpoints"][0]["VpcEndpointId"],
        AddRouteTableIds=[each["RouteTableId"] for each in tables["RouteTables"]],
    )


def route_inactive(build: Builder, vpc: str, table: str) -> None:
    """The endpoint lists the table, but the table has no route."""
    endpoint = build.gateway_endpoint(S3, vpc, [table])
    for route in build.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]:
        if route.get("GatewayId") == endpoint:
            build.ec2.delete_route(RouteTableId=table, DestinationPrefixListId=route["DestinationPrefixListId"])


def endpoint_not_available(build: Builder, vpc: str, table: str) -> None:
    """The endpoint has failed."""
    build.gateway_endpoint(S3, vpc, [table], state="failed")


@pytest.mark.parametrize("gap", [no_endpoint, not_associated, route_inactive, endpoint_not_available])
def test_the_command_of_a_finding_fixes_the_gap(
    gap: Callable[[Builder, str, str], None], build: Builder, stack: Deployment, cloud: Cloud
) -> None:
    vpc = build.vpc("fixed", "10.40.0.0/16")
    table = build.main_table(vpc)
    build.gateway_endpoint(DYNAMODB, vpc, [table])
    gap(build, vpc, table)
    request: dict[str, Any] = {"check": {"vpcIds": [vpc]}, "publish": False}

    # A failed endpoint is also a finding of its own.
    [finding] = [each for each in stack.invoke(request)["findings"] if each["check"] == "gateway-route"]
    assert (finding["gap"], finding["service"], finding["routeTable"]["id"]) == (gap.__name__, "s3", table)

    command = finding["remediation"]["awsCli"]
    done = subprocess.run(command, shell=True, env=cloud.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stderr}"

    report = stack.invoke(request)
    assert report["findings"] == []
    assert report["notFound"] == []
    assert report["checked"]["routeTables"] >= 1
