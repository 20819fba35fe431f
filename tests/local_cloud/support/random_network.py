"""Random networks with gaps of every kind, for tests that compare verdicts."""

import random
from dataclasses import dataclass, field

from local import environment
from local.networks import DYNAMODB, S3, SSM, Builder
from tests.local_cloud.support.seeds import seeds

SERVICES = {"s3": S3, "dynamodb": DYNAMODB}

COMPLETE = 1599
"""The seed of a network that has everything: see `test_a_random_network_has_everything`."""
SEEDS = seeds(fixed=[4711, 86042, 314159, 902110], always=(COMPLETE,))

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


def draw(chance: random.Random, build: Builder, behind_nat: float = 0) -> dict[str, str]:
    """Builds a random network; returns the names of its route tables by id. (The ids differ in each run.)

    `behind_nat` is the share of route tables that have a default route to a NAT gateway in any case.
    """
    names: dict[str, str] = {}
    for number in range(chance.randint(3, 5)):
        vpc = draw_tables(chance, build, number)
        # EC2 refuses to associate a gateway with a table that has other routes already.
        free = draw_routes(chance, build, vpc, behind_nat)
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


def draw_routes(chance: random.Random, build: Builder, vpc: Vpc, behind_nat: float) -> list[str]:
    """Builds default routes and maybe an edge table; returns the tables that may have endpoints."""
    free = list(vpc.tables)
    targets: list[dict[str, str]] = [{}]
    nat_gateway: dict[str, str] = {}
    if chance.random() < 0.8:
        gateway = build.internet_gateway(vpc.id)
        targets.append({"GatewayId": gateway})
        if chance.random() < 0.7:
            # An edge table, unless it has subnets too or is the main table.
            entrance = chance.choice(free)
            free.remove(entrance)
            build.ec2.associate_route_table(RouteTableId=entrance, GatewayId=gateway)
    if vpc.subnets:
        nat_gateway = {"NatGatewayId": build.nat_gateway(chance.choice(vpc.subnets))}
        targets.append(nat_gateway)
    if chance.random() < 0.5:
        firewall = build.ec2.create_vpc_endpoint(
            VpcEndpointType="GatewayLoadBalancer",
            VpcId=vpc.id,
            SubnetIds=vpc.subnets[:1],
            ServiceName=f"com.amazonaws.vpce.{environment.REGION}.vpce-svc-0a1b2c3d4e5f60001",
        )
        targets.append({"GatewayId": firewall["VpcEndpoint"]["VpcEndpointId"]})
    for table in free:
        in_any_case = bool(behind_nat and vpc.subnets) and chance.random() < behind_nat
        if target := nat_gateway if in_any_case else chance.choice(targets):
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
