"""Networks to try gatewatch on, built with EC2's own calls."""

import contextlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

from local.environment import REGION


def _service(name: str) -> str:
    return f"com.amazonaws.{REGION}.{name}"


S3, DYNAMODB, SSM, EXECUTE_API = map(_service, ("s3", "dynamodb", "ssm", "execute-api"))
ANYWHERE = "0.0.0.0/0"

FOR_ALL_REQUESTS = {"PrivateDnsOnlyForInboundResolverEndpoint": False}
ONLY_INBOUND = {"PrivateDnsOnlyForInboundResolverEndpoint": True}
"""Whether the private DNS names of an interface endpoint answer the whole VPC, or only inbound Resolver endpoints."""

BOUNDED_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "*",
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-gatewatch01"}},
            }
        ],
    }
)
"""A policy that bounds an endpoint to one organization."""


class Builder:
    """EC2's calls as the steps in which people think. Each step returns the new resource's id; `ids` chooses it.

    (Only the local EC2 knows `ids` and an endpoint's `state`: see `local.ec2_server.test_overrides`.)
    """

    def __init__(self, ec2: Any) -> None:
        self.ec2 = ec2
        self.region: str = ec2.meta.region_name

    def vpc(self, name: str, cidr: str, *ids: str) -> str:
        """Creates a VPC; it comes with a main route table."""
        with self._overriding(ids):
            answer = self.ec2.create_vpc(CidrBlock=cidr, TagSpecifications=_named("vpc", name))
        return str(answer["Vpc"]["VpcId"])

    def main_table(self, vpc: str) -> str:
        """Returns the main route table that the VPC came with."""
        filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "association.main", "Values": ["true"]}]
        pages = self.ec2.get_paginator("describe_route_tables").paginate(Filters=filters)
        [table] = [table["RouteTableId"] for page in pages for table in page["RouteTables"]]
        return str(table)

    def subnet(self, name: str, vpc: str, cidr: str, zone: str, *ids: str) -> str:
        """Creates a subnet in the zone `a`, `b` or `c`."""
        with self._overriding(ids):
            answer = self.ec2.create_subnet(
                VpcId=vpc, CidrBlock=cidr, AvailabilityZone=self.region + zone, TagSpecifications=_named("subnet", name)
            )
        return str(answer["Subnet"]["SubnetId"])

    def table(self, name: str, vpc: str, *ids: str) -> str:
        """Creates a route table."""
        with self._overriding(ids):
            answer = self.ec2.create_route_table(VpcId=vpc, TagSpecifications=_named("route-table", name))
        return str(answer["RouteTable"]["RouteTableId"])

    def associate(self, table: str, *subnets: str) -> None:
        """Associates subnets with a route table."""
        for subnet in subnets:
            self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)

    def internet_gateway(self, vpc: str, *ids: str) -> str:
        """Creates and attaches an internet gateway."""
        with self._overriding(ids):
            gateway: str = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        return gateway

    def nat_gateway(self, subnet: str, *ids: str) -> str:
        """Creates a NAT gateway with its own address."""
        address = self.ec2.allocate_address(Domain="vpc")["AllocationId"]
        with self._overriding(ids):
            answer = self.ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)
        return str(answer["NatGateway"]["NatGatewayId"])

    def default_route(self, table: str, **target: str) -> None:
        """Creates a default route, to `GatewayId=…` or `NatGatewayId=…`."""
        self.ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANYWHERE, **target)

    def gateway_endpoint(
        self, service: str, vpc: str, tables: list[str], *ids: str, state: str | None = None, **more: Any
    ) -> str:
        """Creates a Gateway endpoint for these route tables. `more` has further arguments of CreateVpcEndpoint."""
        with self._overriding(ids, state):
            answer = self.ec2.create_vpc_endpoint(
                VpcEndpointType="Gateway",
                VpcId=vpc,
                ServiceName=self._here(service),
                RouteTableIds=tables,
                **more,
            )
        return str(answer["VpcEndpoint"]["VpcEndpointId"])

    def interface_endpoint(
        self,
        service: str,
        vpc: str,
        subnet: str,
        *ids: str,
        state: str | None = None,
        error: dict[str, str] | None = None,
        **changes: Any,
    ) -> str:
        """Creates an Interface endpoint in one subnet. It admits the VPC, and its private DNS names work.

        For S3 and DynamoDB, these names answer the whole VPC. `changes` replaces arguments of CreateVpcEndpoint.
        """
        self.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        arguments: dict[str, Any] = {"SubnetIds": [subnet]} | changes
        if service in (S3, DYNAMODB):
            arguments.setdefault("DnsOptions", FOR_ALL_REQUESTS)
        if "SecurityGroupIds" not in arguments:
            arguments["SecurityGroupIds"] = [self.group_admitting_vpc(vpc)]
        with self._overriding(ids, state, error):
            answer = self.ec2.create_vpc_endpoint(
                VpcEndpointType="Interface", VpcId=vpc, ServiceName=self._here(service), **arguments
            )
        return str(answer["VpcEndpoint"]["VpcEndpointId"])

    def group_admitting_vpc(self, vpc: str, name: str = "") -> str:
        """Creates a security group that admits the VPC's own block on port 443."""
        [found] = self.ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"]
        name = name or f"endpoint-{uuid.uuid4()}"
        answer = self.ec2.create_security_group(VpcId=vpc, GroupName=name, Description="endpoint")
        group = str(answer["GroupId"])
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[https_from(found["CidrBlock"])])
        return group

    def _here(self, service: str) -> str:
        """Returns the name of a service in the Region of this builder. The constants are those of `REGION`."""
        return service.replace(REGION, self.region)

    def _overriding(
        self, ids: tuple[str, ...], state: str | None = None, error: dict[str, str] | None = None
    ) -> contextlib.AbstractContextManager[None]:
        overrides = {
            "X-Resource-Ids": " ".join(ids),
            "X-Endpoint-State": state or "",
            "X-Endpoint-Error": json.dumps(error) if error else "",
        }
        return _with_headers(self.ec2, {name: value for name, value in overrides.items() if value})


def https_from(block: str) -> dict[str, Any]:
    """Returns the rule of a security group that admits a block on port 443."""
    return {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": block}]}


@contextlib.contextmanager
def _with_headers(ec2: Any, headers: dict[str, str]) -> Iterator[None]:
    """Adds these headers to each call in the context."""

    def add(request: Any, **_: Any) -> None:
        for name, value in headers.items():
            request.headers[name] = value

    ec2.meta.events.register("before-sign.ec2", add)
    try:
        yield
    finally:
        ec2.meta.events.unregister("before-sign.ec2", add)


def without_events(ec2: Any) -> contextlib.AbstractContextManager[None]:
    """Sends no event for each call in the context: as if CloudTrail had lost them."""
    return _with_headers(ec2, {"X-No-Event": "true"})


def _named(kind: str, name: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}] if name else []


def remove_default_vpc(ec2: Any) -> None:
    """Removes the default VPC and its subnets. Every account has them, and no test is about them.

    Without events: the function would check these deletions too, in the middle of the next test.
    """
    with without_events(ec2):
        for vpc in _all(ec2, "describe_vpcs", "Vpcs"):
            in_vpc = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
            for subnet in _all(ec2, "describe_subnets", "Subnets", Filters=in_vpc):
                ec2.delete_subnet(SubnetId=subnet["SubnetId"])
            ec2.delete_vpc(VpcId=vpc["VpcId"])


def _all(ec2: Any, call: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
    return [item for page in ec2.get_paginator(call).paginate(**arguments) for item in page[key]]


def build_shop(ec2: Any) -> str:
    """Builds the demo's network, as people build one; returns the VPC's id.

    Public and private subnets in two zones, a NAT gateway, a route table for each private subnet. The DynamoDB endpoint
    has every table. The S3 endpoint has only the first private table; the others were forgotten.
    """
    build = Builder(ec2)
    vpc = build.vpc("shop", "10.20.0.0/16")

    public = build.table("public", vpc)
    public_a = build.subnet("public-a", vpc, "10.20.0.0/24", "a")
    public_b = build.subnet("public-b", vpc, "10.20.1.0/24", "b")
    build.associate(public, public_a, public_b)
    build.default_route(public, GatewayId=build.internet_gateway(vpc))

    nat = build.nat_gateway(public_a)
    private = []
    for zone, cidr in (("a", "10.20.10.0/24"), ("b", "10.20.11.0/24")):
        table = build.table(f"private-{zone}", vpc)
        build.associate(table, build.subnet(f"private-{zone}", vpc, cidr, zone))
        build.default_route(table, NatGatewayId=nat)
        private.append(table)

    build.gateway_endpoint(DYNAMODB, vpc, [build.main_table(vpc), public, *private])
    build.gateway_endpoint(S3, vpc, [private[0]])
    return vpc


def build_archive(ec2: Any) -> tuple[str, str]:
    """Builds the demo's second network; returns the ids of the VPC and of its interface endpoint.

    Every route table has its gateway endpoints. The interface endpoint for S3 takes the traffic all the same, because
    its private DNS names answer the whole VPC.
    """
    build = Builder(ec2)
    vpc = build.vpc("archive", "10.21.0.0/16")
    subnet = build.subnet("archive-a", vpc, "10.21.0.0/24", "a")
    for service in (S3, DYNAMODB):
        build.gateway_endpoint(service, vpc, [build.main_table(vpc)])
    return vpc, build.interface_endpoint(S3, vpc, subnet)


def build_endpoints(ec2: Any) -> dict[str, str]:
    """Builds two networks with one endpoint for each check that finds something wrong with it.

    Returns the ids of these endpoints by the names of the checks. Nothing else is wrong there.
    """
    build = Builder(ec2)
    vpc = build.vpc("endpoints", "10.22.0.0/16")
    zones = [build.subnet(f"endpoints-{zone}", vpc, f"10.22.{n}.0/24", zone) for n, zone in enumerate("ab")]
    for service in (S3, DYNAMODB):
        build.gateway_endpoint(service, vpc, [build.main_table(vpc)], PolicyDocument=BOUNDED_POLICY)
    group = build.group_admitting_vpc(vpc)
    in_order: dict[str, Any] = {"SubnetIds": zones, "SecurityGroupIds": [group], "PolicyDocument": BOUNDED_POLICY}
    wrong: dict[str, tuple[str, dict[str, Any]]] = {
        "dns-bypass": (S3, {"DnsOptions": FOR_ALL_REQUESTS}),
        "endpoint-access": (_service("kms"), {"SecurityGroupIds": []}),
        "endpoint-state": (_service("logs"), {"state": "failed"}),
        "endpoint-zones": (_service("sts"), {"SubnetIds": zones[:1]}),
        "endpoint-policy": (_service("sqs"), {"PolicyDocument": ""}),
        "endpoint-private-dns": (_service("sns"), {"PrivateDnsEnabled": False}),
    }
    endpoints = {
        check: build.interface_endpoint(service, vpc, zones[0], **(in_order | changes))
        for check, (service, changes) in wrong.items()
    }
    build.interface_endpoint(SSM, vpc, zones[0], **in_order)

    offline = build.vpc("offline", "10.23.0.0/16")
    subnet = build.subnet("offline-a", offline, "10.23.0.0/24", "a")
    for service in (S3, DYNAMODB):
        build.gateway_endpoint(service, offline, [build.main_table(offline)], PolicyDocument=BOUNDED_POLICY)
    endpoints["endpoint-dns"] = build.interface_endpoint(SSM, offline, subnet, PolicyDocument=BOUNDED_POLICY)
    ec2.modify_vpc_attribute(VpcId=offline, EnableDnsHostnames={"Value": False})
    return endpoints


def build_network_of_events(ec2: Any) -> None:
    """Builds the network that the files in `events/` name, ids included. `events/README.md` shows it as a table."""
    _build_payments(Builder(ec2))
    _build_analytics(Builder(ec2))


def _id(kind: str, number: int) -> str:
    return f"{kind}-0a1b2c3d4e5f6{number:04}"


def _build_payments(build: Builder) -> None:
    """Has gaps of every kind."""
    main, public, private_a, private_b = (_id("rtb", number) for number in (1, 2, 3, 4))
    vpc = build.vpc("payments", "10.0.0.0/16", _id("vpc", 1), main)
    gateway = build.internet_gateway(vpc, _id("igw", 1))

    build.table("public", vpc, public)
    build.associate(public, build.subnet("public-a", vpc, "10.0.0.0/24", "a", _id("subnet", 1)))
    build.default_route(public, GatewayId=gateway)

    nat = build.nat_gateway(_id("subnet", 1), _id("nat", 1))
    build.table("private-a", vpc, private_a)
    build.associate(private_a, build.subnet("private-a", vpc, "10.0.1.0/24", "a", _id("subnet", 2)))
    build.default_route(private_a, NatGatewayId=nat)

    build.table("private-b", vpc, private_b)
    build.associate(private_b, build.subnet("private-b", vpc, "10.0.2.0/24", "b", _id("subnet", 3)))
    build.default_route(private_b, NatGatewayId=nat)

    build.subnet("isolated-a", vpc, "10.0.3.0/24", "a", _id("subnet", 4))  # uses the main table implicitly
    edge = build.table("edge", vpc, _id("rtb", 6))
    build.ec2.associate_route_table(RouteTableId=edge, GatewayId=gateway)

    build.gateway_endpoint(S3, vpc, [private_a], _id("vpce", 1))
    build.interface_endpoint(SSM, vpc, _id("subnet", 2), _id("vpce", 2))


def _build_analytics(build: Builder) -> None:
    """Is fully covered: gatewatch finds nothing."""
    main = _id("rtb", 5)
    vpc = build.vpc("analytics", "10.1.0.0/16", _id("vpc", 2), main)
    build.ec2.create_tags(Resources=[main], Tags=[{"Key": "Name", "Value": "analytics-main"}])
    build.subnet("analytics-a", vpc, "10.1.0.0/24", "a", _id("subnet", 5))
    build.gateway_endpoint(S3, vpc, [main], _id("vpce", 3))
    build.gateway_endpoint(DYNAMODB, vpc, [main], _id("vpce", 4))
