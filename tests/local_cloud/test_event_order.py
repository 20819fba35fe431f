"""Events arrive late, in any order, and more than once. The last verdict on each subject always equals the sweep's.

An event says only where to look; the verdict comes from what EC2 shows at that moment. The events are those that the
local cloud sends while a network is built as Terraform builds one: VPC, subnets, tables, associations, internet
gateway, the NAT gateway's route after 100 s, and the endpoints at the end, with two tables forgotten. Two
interface endpoints exist before the route tables do. The security group of one admits a single subnet later, and the
DNS host names of the VPC are turned off in the end. Of three private REST APIs with an open policy, one is deleted and
one is bounded later. The VPC never gets an endpoint that is required.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from local.cloud import Cloud
from local.deployment import Deployment
from local.inbox import Inbox
from local.networks import DYNAMODB, EXECUTE_API, S3, SSM, Builder, https_from
from tests.local_cloud.support.bare_function import BareFunction
from tests.local_cloud.support.endpoint_problems import ALL_CHECKS, api_policy, create_private_api
from tests.local_cloud.support.event_recorder import EventRecorder, record_events
from tests.local_cloud.support.figures import AddFigure
from tests.local_cloud.support.messages import NO_FAILURES, as_reported, record, rest_api_event
from tests.local_cloud.support.sandbox import Sandbox
from tests.local_cloud.support.seeds import seeds

[SEED] = seeds(fixed=[20261123])[:1]
"""GATEWATCH_SEED sets it."""

Event = dict[str, Any]
Step = Callable[[], Any]


class Terraform:
    """Builds the network, a few calls at a time."""

    def __init__(self, build: Builder, cloud: Cloud) -> None:
        self.build, self.cloud = build, cloud
        self.vpc = self.group = ""
        self.subnets: list[str] = []
        self.tables: list[str] = []
        self.endpoint = ""
        self.apis: list[str] = []
        self.api_events: list[Event] = []
        """The events of the last step that moto does not send: those of API Gateway."""

    def steps(self) -> list[Step]:
        """Returns the steps in the order of Terraform's graph."""
        return [
            self.create_vpc,
            self.create_subnets,
            self.create_interface_endpoints,
            self.create_apis,
            self.create_tables,
            self.delete_api,
            self.associate,
            self.bound_api,
            self.admit_one_subnet,
            self.create_internet_route,
            self.create_nat_route,
            self.create_dynamodb_endpoint,
            self.create_s3_endpoint,
            self.turn_dns_host_names_off,
        ]

    def create_vpc(self) -> None:
        self.vpc = self.build.vpc("ordered", "10.80.0.0/16")

    def create_subnets(self) -> None:
        for number, zone in enumerate("abc"):
            self.subnets.append(self.build.subnet(f"s{number}", self.vpc, f"10.80.{number}.0/24", zone))

    def create_interface_endpoints(self) -> None:
        group = self.build.ec2.create_security_group(VpcId=self.vpc, GroupName="ssm", Description="admits nobody yet")
        self.group = group["GroupId"]
        self.build.interface_endpoint(S3, self.vpc, self.subnets[0])
        self.build.interface_endpoint(SSM, self.vpc, self.subnets[0], SecurityGroupIds=[self.group])
        self.endpoint = self.build.interface_endpoint(
            EXECUTE_API, self.vpc, self.subnets[0], SecurityGroupIds=[self.group], PrivateDnsEnabled=False
        )

    def create_apis(self) -> None:
        for name in ("open", "deleted", "bounded"):
            self.apis.append(create_private_api(self.cloud, name, self.endpoint, api_policy()))
            self._note("create-rest-api")

    def delete_api(self) -> None:
        self.cloud.client("apigateway").delete_rest_api(restApiId=self.apis[1])
        self._note("delete-rest-api")

    def bound_api(self) -> None:
        patch = {"op": "replace", "path": "/policy", "value": api_policy(**{"aws:SourceVpc": self.vpc})}
        self.cloud.client("apigateway").update_rest_api(restApiId=self.apis[2], patchOperations=[patch])
        self._note("update-rest-api")

    def _note(self, event: str) -> None:
        self.api_events.append(rest_api_event(event))

    def create_tables(self) -> None:
        self.tables = [self.build.table(name, self.vpc) for name in ("public", "private", "isolated")]

    def associate(self) -> None:
        for table, subnet in zip(self.tables, self.subnets, strict=True):
            self.build.associate(table, subnet)

    def create_internet_route(self) -> None:
        self.build.default_route(self.tables[0], GatewayId=self.build.internet_gateway(self.vpc))

    def create_nat_route(self) -> None:
        self.build.default_route(self.tables[1], NatGatewayId=self.build.nat_gateway(self.subnets[0]))

    def admit_one_subnet(self) -> None:
        rule = https_from("10.80.0.0/24")
        self.build.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[rule])

    def turn_dns_host_names_off(self) -> None:
        self.build.ec2.modify_vpc_attribute(VpcId=self.vpc, EnableDnsHostnames={"Value": False})

    def create_dynamodb_endpoint(self) -> None:
        everywhere = [self.build.main_table(self.vpc), *self.tables]
        self.build.gateway_endpoint(DYNAMODB, self.vpc, everywhere)

    def create_s3_endpoint(self) -> None:
        self.build.gateway_endpoint(S3, self.vpc, self.tables[:1])


@dataclass(frozen=True)
class Site:
    """Where a test works: a network, the recorded events, the function and its subscriber."""

    terraform: Terraform
    recorder: EventRecorder
    function: BareFunction
    inbox: Inbox

    def events_of(self, step: Step) -> list[Event]:
        """Runs a step; returns its events: one for each call that changes something."""
        calls: list[str] = []
        hooks, name = self.terraform.build.ec2.meta.events, "after-call.ec2"

        def note(model: Any, **_: Any) -> None:
            calls.append(model.name)

        hooks.register(name, note)
        try:
            step()
        finally:
            hooks.unregister(name, note)
        changes = [call for call in calls if not call.startswith("Describe")]
        events = self.recorder.take(at_least=len(changes), seconds=10)
        assert sorted(event["detail"]["eventName"] for event in events) == sorted(changes)
        of_apis, self.terraform.api_events = self.terraform.api_events, []
        return events + of_apis

    def verdicts(self, payload: Event) -> dict[str, list[Any]]:
        """Returns the findings of each resource that the payload is about. One in order or deleted has none."""
        report = self.function.invoke(payload)
        assert (report["notFound"], report["unassessed"]) == ([], [])
        verdicts: dict[str, list[Any]] = {subject: [] for subject in self._subjects_in(report["scope"])}
        for finding in report["findings"]:
            verdicts[finding["subject"]["id"]].append(finding)
        return verdicts

    def sweep(self) -> dict[str, list[Any]]:
        """Returns the findings of every table, endpoint and REST API, and of the VPC."""
        return self.verdicts({"check": "region", "publish": False})

    def _subjects_in(self, scope: Any) -> set[str]:
        """Returns what a scope of the report stands for, found independently of the function. There is one VPC."""
        ec2 = self.terraform.build.ec2
        tables = list(ec2.get_paginator("describe_route_tables").paginate().search("RouteTables[]"))
        endpoints = list(ec2.get_paginator("describe_vpc_endpoints").paginate().search("VpcEndpoints[]"))
        all_tables = {table["RouteTableId"] for table in tables}
        all_endpoints = {endpoint["VpcEndpointId"] for endpoint in endpoints}
        vpc, apis = {self.terraform.vpc}, set(self.terraform.apis)
        if scope == "region":
            return all_tables | all_endpoints | vpc | apis
        if scope.get("restApis"):
            return apis
        if scope["vpcIds"]:
            return all_tables | all_endpoints | vpc
        named = [each for each in endpoints if each["VpcEndpointId"] in scope["vpcEndpointIds"]]
        if any(each["VpcEndpointType"] == "Gateway" for each in named):
            return all_tables | all_endpoints | vpc
        explicit = {a.get("SubnetId"): table["RouteTableId"] for table in tables for a in table["Associations"]}
        main = self.terraform.build.main_table(self.terraform.vpc)
        subjects = {*scope["routeTableIds"], *(explicit.get(subnet, main) for subnet in scope["subnetIds"])}
        groups = {group["GroupId"] for endpoint in endpoints for group in endpoint["Groups"]}
        if named or scope["subnetIds"] or groups & {*scope.get("securityGroupIds", [])}:
            subjects |= all_endpoints | vpc
        return subjects


@pytest.fixture(scope="module")
def site(cloud: Cloud, stack: Deployment) -> Iterator[Site]:
    """An empty Region, in which only the test invokes the function."""
    settings = {"CHECKS": ",".join(ALL_CHECKS), "REQUIRED_INTERFACES": "ssm,sqs"}
    sandbox = Sandbox(cloud, "order", settings, channels=("json",), with_history=False)
    with stack.without_events(), sandbox.function() as function, record_events(cloud, "order-events") as recorder:
        yield Site(Terraform(Builder(cloud.client("ec2")), cloud), recorder, function, sandbox.inboxes["json"])


@pytest.fixture
def empty(cloud: Cloud, site: Site) -> Site:
    """The site before the first step."""
    cloud.empty_the_region()
    site.recorder.drain()
    return Site(Terraform(Builder(cloud.client("ec2")), cloud), site.recorder, site.function, site.inbox)


@pytest.fixture(scope="module")
def built(cloud: Cloud, site: Site) -> tuple[Site, list[Event]]:
    """The site with the complete network, and its events as if Terraform had taken its usual time."""
    cloud.empty_the_region()
    site.recorder.drain()
    moment, events = datetime.now(timezone.utc) - timedelta(minutes=10), []
    for step in site.terraform.steps():
        moment += timedelta(seconds=100 if step == site.terraform.create_nat_route else 2)
        events += [at(moment, event) for event in site.events_of(step)]
    assert len(events) > 15
    return site, events


def at(moment: datetime, event: Event) -> Event:
    """Returns the event with another time."""
    time = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return event | {"time": time, "detail": event["detail"] | {"eventTime": time}}


def in_order(events: list[Event]) -> list[Event]:
    return events


def backwards(events: list[Event]) -> list[Event]:
    return events[::-1]


def shuffled(events: list[Event]) -> list[Event]:
    return random.Random(SEED).sample(events, len(events))


def twice_and_shuffled(events: list[Event]) -> list[Event]:
    return shuffled(events + events)


ORDERS = [in_order, backwards, shuffled, twice_and_shuffled]


@pytest.mark.parametrize("order", ORDERS)
def test_late_events_in_any_order_give_the_verdicts_of_the_sweep(
    order: Callable[[list[Event]], list[Event]], built: tuple[Site, list[Event]]
) -> None:
    site, events = built

    last_verdicts: dict[str, list[Any]] = {}
    for event in order(events):
        last_verdicts |= site.verdicts(event)

    site.inbox.drain()
    assert last_verdicts == site.sweep(), f"seed {SEED}"
    found = Counter(finding["check"] for findings in last_verdicts.values() for finding in findings)
    assert found == {
        "gateway-route": 3,
        "dns-bypass": 1,
        "endpoint-dns": 2,
        "endpoint-access": 2,
        "endpoint-zones": 3,
        "endpoint-policy": 5,
        "endpoint-private-dns": 1,
        "required-endpoints": 1,
        "private-api": 1,
    }


@pytest.mark.parametrize("order", ORDERS)
def test_late_batches_in_any_order_send_the_findings_of_the_sweep(
    order: Callable[[list[Event]], list[Event]], built: tuple[Site, list[Event]]
) -> None:
    site, events = built
    ordered = order(events)

    sent: dict[str, Any] = {}
    for start in range(0, len(ordered), 10):
        assert site.function.invoke(batch(ordered[start : start + 10])) == NO_FAILURES
        for message in site.inbox.drain():
            sent |= {finding["id"]: finding for finding in as_reported(message.body["findings"])}

    findings = [finding for findings in site.sweep().values() for finding in findings]
    assert sent == {finding["id"]: finding for finding in findings}, f"seed {SEED}"


@pytest.mark.parametrize("lag", [0, 3, 12], ids=lambda lag: f"up-to-{lag}-events-late")
def test_events_during_the_build_end_with_the_verdicts_of_the_sweep(lag: int, empty: Site, figure: AddFigure) -> None:
    figure(f"GATEWATCH_SEED={SEED}: events up to {lag} late")
    site, chance = empty, random.Random(SEED)
    last_verdicts: dict[str, list[Any]] = {}
    # Each event arrives some events after it happened; those that are due at the same time arrive in any order.
    on_the_way: list[tuple[float, Event]] = []
    happened = 0
    for step in site.terraform.steps():
        for event in site.events_of(step):
            happened += 1
            on_the_way.append((happened + chance.uniform(0, lag), event))
        on_the_way.sort(key=lambda due: due[0])
        while on_the_way and on_the_way[0][0] <= happened:
            last_verdicts |= site.verdicts(on_the_way.pop(0)[1])
    for _, event in on_the_way:
        last_verdicts |= site.verdicts(event)

    site.inbox.drain()
    assert last_verdicts == site.sweep(), f"seed {SEED}"


def batch(events: list[Event]) -> dict[str, Any]:
    """Returns a batch of events, as SQS delivers them."""
    return {"Records": [record(str(number), event) for number, event in enumerate(events)]}
