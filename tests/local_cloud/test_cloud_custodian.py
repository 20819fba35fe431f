"""An independent verdict: Cloud Custodian judges random networks, and gatewatch must agree about every route table.

There are five networks. Their seeds are fixed by default; support/seeds.py says how to change them. Each test prints
its seed. Custodian's policies are in custodian/policies.yml.

Both must find the same tables without a route. Their verdict on such a table may differ in two cases only:

- An edge table. gatewatch reports nothing, because the table is for traffic that enters through a gateway, and no
  subnet uses it. Custodian only knows that there is no route.
- An exempt table. gatewatch lists it in `exempt` and not in `findings`, because of a tag. Custodian only knows that
  there is no route.

Custodian also decides which tables are edge tables and which are exempt, independently of gatewatch.
"""

import json
import random
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local import environment
from local.cloud import Cloud
from local.deployment import Deployment
from local.networks import DYNAMODB, S3, SSM, Builder
from tests.local_cloud.support.figures import AddFigure
from tests.local_cloud.support.seeds import seeds

POLICIES = Path(__file__).parent / "custodian" / "policies.yml"
SERVICES = {"s3": S3, "dynamodb": DYNAMODB}
REGION_REPORT = {"check": "region", "publish": False}

COMPLETE = 1599
"""The seed of a network that has everything: see `test_a_random_network_has_everything`."""
SEEDS = seeds(fixed=[4711, 86042, 314159, 902110], always=(COMPLETE,))

Verdict = tuple[str, str, str]
"""A table's name, a service, and `finding` or `exempt`. A covered table has no verdict."""


@pytest.mark.parametrize("seed", SEEDS)
def test_custodian_agrees_about_every_table(
    seed: int, build: Builder, stack: Deployment, cloud: Cloud, tmp_path: Path, figure: AddFigure
) -> None:
    names = draw(random.Random(seed), build)

    answers = ask_custodian(cloud, tmp_path)
    report = stack.invoke(REGION_REPORT)

    ours, theirs = verdicts_of_gatewatch(report, names), verdicts_of_custodian(answers, names)
    figure(f"GATEWATCH_SEED={seed}: {len(names)} tables, {len(ours)} routes missing")
    assert ours == theirs, f"GATEWATCH_SEED={seed} builds this network again"
    assert (report["unassessed"], report["notFound"]) == ([], [])
    assert report["checked"]["routeTables"] == len(names) - len(answers["edge-tables"])


def test_a_random_network_has_everything(build: Builder, stack: Deployment) -> None:
    """Without this the agreement could be about less than it seems."""
    names = draw(random.Random(COMPLETE), build)

    report = stack.invoke(REGION_REPORT)

    gaps = {finding["gap"] for finding in report["findings"]}
    assert gaps == {"no_endpoint", "not_associated", "endpoint_not_available", "route_inactive"}
    ways_out = {finding["egress"]["kind"] for finding in report["findings"]}
    assert ways_out == {"nat_gateway", "internet_gateway", "vpc_endpoint", "none"}
    assert {by.split("-")[0] for each in report["exempt"] for by in each["exemptedBy"]} == {"vpc", "rtb", "subnet"}
    assert report["unreadableExemptions"] != []
    assert any(finding["interfaceEndpoint"] for finding in report["findings"])
    for service in SERVICES:
        verdicts = {table for table, of, _ in verdicts_of_gatewatch(report, names) if of == service}
        assert 0 < len(verdicts) < report["checked"]["routeTables"], "some have a route, some have none"
    assert report["checked"]["routeTables"] < len(names), "some are edge tables"


# --- The two verdicts -------------------------------------------------------------------------------------------------


def verdicts_of_gatewatch(report: dict[str, Any], names: dict[str, str]) -> set[Verdict]:
    """Returns the verdicts of the report."""
    findings = {(names[each["routeTable"]["id"]], each["service"], "finding") for each in report["findings"]}
    exempt = {(names[each["routeTableId"]], each["service"], "exempt") for each in report["exempt"]}
    return findings | exempt


def verdicts_of_custodian(answers: dict[str, set[str]], names: dict[str, str]) -> set[Verdict]:
    """Returns the verdicts that the report must have if Custodian is right."""
    verdicts = set()
    for service in SERVICES:
        # Edge tables have no verdict, though they have no route.
        for table in answers[f"without-{service}-route"] - answers["edge-tables"]:
            # Exempt tables have another verdict. (An exempt table with a route is covered.)
            is_exempt = table in answers[f"exempt-from-{service}"]
            verdicts.add((names[table], service, "exempt" if is_exempt else "finding"))
    return verdicts


def ask_custodian(cloud: Cloud, folder: Path) -> dict[str, set[str]]:
    """Runs the policies; returns the ids of the tables that each of them matches."""
    custodian = environment.TOOLS / "custodian" / "bin" / "custodian"
    # By default Custodian would cache an earlier network for 15 minutes, in a file in the home folder.
    options = ["--region", environment.REGION, "--cache", "memory", "--output-dir", "out"]
    done = subprocess.run(
        [str(custodian), "run", *options, str(POLICIES)],
        env=cloud.env,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("out/*/resources.json")}
    for service in SERVICES:
        assert found[f"{service}-prefix-lists"], f"no prefix list is named after {service}, so no route can lead there"
    return {
        policy: {each["RouteTableId"] for each in matched if "RouteTableId" in each}
        for policy, matched in found.items()
    }


# --- The networks -----------------------------------------------------------------------------------------------------

TAG_VALUES = [
    # every service, one, both
    "",
    "*",
    "true",
    "s3",
    "dynamodb",
    "dynamodb,s3",
    # not expired, expired
    "s3 until=2999-12-31",
    "until=2999-12-31",
    "s3 until=2020-01-31",
    "until=2020-01-31",
    # unreadable
    "S3 bucket",
    "s3 until=soon",
]
"""The values of tags. Those that exempt are listed in custodian/policies.yml as well."""


@dataclass
class Vpc:
    """What has been built of one VPC."""

    id: str
    name: str
    main: str
    tables: list[str] = field(default_factory=list)
    subnets: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)


def draw(chance: random.Random, build: Builder) -> dict[str, str]:
    """Builds a random network; returns the names of its route tables by id. (The ids differ in each run.)"""
    names: dict[str, str] = {}
    for number in range(chance.randint(3, 5)):
        vpc = draw_tables(chance, build, number)
        # EC2 refuses to associate a gateway with a table that has other routes already.
        free = draw_routes(chance, build, vpc)
        for service in SERVICES.values():
            draw_endpoints(chance, build, vpc, service, free)
        draw_exemptions(chance, build, vpc)
        names |= vpc.names
    return names


def draw_tables(chance: random.Random, build: Builder, number: int) -> Vpc:
    """Builds a VPC with tables and subnets. Subnets use the main table explicitly or implicitly."""
    name, block = f"vpc-{number}", f"10.{number}"
    vpc_id = build.vpc(name, f"{block}.0.0/16")
    vpc = Vpc(vpc_id, name, build.main_table(vpc_id))
    vpc.tables = [vpc.main] + [build.table(f"{name} table-{n}", vpc.id) for n in range(chance.randint(0, 6))]
    vpc.names = {table: f"{name} table-{n}" for n, table in enumerate(vpc.tables[1:])} | {vpc.main: f"{name} main"}
    for n in range(chance.randint(0, 8)):
        subnet = build.subnet(f"{name} subnet-{n}", vpc.id, f"{block}.{n}.0/24", chance.choice("abc"))
        vpc.subnets.append(subnet)
        if chance.random() < 0.7:
            build.associate(chance.choice(vpc.tables), subnet)
    return vpc


def draw_routes(chance: random.Random, build: Builder, vpc: Vpc) -> list[str]:
    """Builds default routes and maybe an edge table; returns the tables that may have endpoints."""
    free = list(vpc.tables)
    targets: list[dict[str, str]] = [{}]
    if chance.random() < 0.8:
        gateway = build.internet_gateway(vpc.id)
        targets.append({"GatewayId": gateway})
        if chance.random() < 0.7:
            # An edge table, unless it has subnets too or is the main table.
            entrance = chance.choice(free)
            free.remove(entrance)
            build.ec2.associate_route_table(RouteTableId=entrance, GatewayId=gateway)
    if vpc.subnets:
        targets.append({"NatGatewayId": build.nat_gateway(chance.choice(vpc.subnets))})
    if chance.random() < 0.5:
        firewall = build.ec2.create_vpc_endpoint(
            VpcEndpointType="GatewayLoadBalancer",
            VpcId=vpc.id,
            SubnetIds=vpc.subnets[:1],
            ServiceName=f"com.amazonaws.vpce.{environment.REGION}.vpce-svc-0a1b2c3d4e5f60001",
        )
        targets.append({"GatewayId": firewall["VpcEndpoint"]["VpcEndpointId"]})
    for table in free:
        if target := chance.choice(targets):
            build.default_route(table, **target)
    return free


def draw_endpoints(chance: random.Random, build: Builder, vpc: Vpc, service: str, free: list[str]) -> None:
    """Builds endpoints for one service, each with its own tables: EC2 allows one route per service and table."""
    left = chance.sample(free, k=chance.randint(len(free) // 2, len(free)))
    for _ in range(chance.choice([0, 1, 1, 2, 3])):
        on = [left.pop() for _ in range(chance.choice([0, len(left) // 2, len(left)]))]
        at_first = on[: chance.randint(0, len(on))]
        state = chance.choice(["failed", "pending"]) if chance.random() < 0.1 else None
        endpoint = build.gateway_endpoint(service, vpc.id, at_first, state=state)
        if later := on[len(at_first) :]:
            build.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, AddRouteTableIds=later)
        for table in on:
            if chance.random() < 0.15:
                delete_routes_to(build, endpoint, table)
    if vpc.subnets and chance.random() < 0.5:
        build.interface_endpoint(chance.choice([service, SSM]), vpc.id, chance.choice(vpc.subnets))


def delete_routes_to(build: Builder, endpoint: str, table: str) -> None:
    """Deletes the endpoint's routes in the table. The endpoint still lists the table."""
    for route in build.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]:
        if route.get("GatewayId") == endpoint:
            build.ec2.delete_route(RouteTableId=table, DestinationPrefixListId=route["DestinationPrefixListId"])


def draw_exemptions(chance: random.Random, build: Builder, vpc: Vpc) -> None:
    """Creates tags: for a few VPCs and tables, and in some VPCs for most subnets."""
    many = chance.random() < 0.4
    shares = (([vpc.id], 0.15), (vpc.tables, 0.15), (vpc.subnets, 0.9 if many else 0.1))
    for resources, share in shares:
        for resource in resources:
            if chance.random() < share:
                tag = {"Key": "gatewatch:exempt", "Value": chance.choice(TAG_VALUES)}
                build.ec2.create_tags(Resources=[resource], Tags=[tag])
