"""Events come late, in any order and more than once. The last word on every table is the sweep's all the same.

That holds because an event says only where to look; what is said is what EC2 shows at that moment. The events are those
that the local cloud tells EventBridge while a network is built as Terraform builds one: VPC, subnets, tables,
associations, internet gateway, the NAT gateway's route after 100 s, endpoints last, with two tables forgotten.
"""

import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from local.bare_function import BareFunction
from local.cloud import Cloud
from local.deployment import Deployment
from local.inbox import Inbox, as_reported
from local.networks import DYNAMODB, S3, Builder
from local.recorder import Recorder, recorder

SEED = int(os.environ.get("GATEWATCH_SEED", "20261123"))
"""Each failure shows it; GATEWATCH_SEED sets another."""

Event = dict[str, Any]
Step = Callable[[], Any]


class Terraform:
    """Builds the network, a few calls at a time."""

    def __init__(self, build: Builder) -> None:
        self.build = build
        self.vpc = ""
        self.subnets: list[str] = []
        self.tables: list[str] = []

    def steps(self) -> list[Step]:
        """In the order of Terraform's graph."""
        return [self.make_vpc, self.make_subnets, self.make_tables, self.associate, self.route_out, self.route_nat,
                self.make_dynamodb_endpoint, self.make_s3_endpoint]

    def make_vpc(self) -> None:
        self.vpc = self.build.vpc("ordered", "10.80.0.0/16")

    def make_subnets(self) -> None:
        for number, zone in enumerate("abc"):
            self.subnets.append(self.build.subnet(f"s{number}", self.vpc, f"10.80.{number}.0/24", zone))

    def make_tables(self) -> None:
        self.tables = [self.build.table(name, self.vpc) for name in ("public", "private", "isolated")]

    def associate(self) -> None:
        for table, subnet in zip(self.tables, self.subnets):
            self.build.associate(table, subnet)

    def route_out(self) -> None:
        self.build.default_route(self.tables[0], GatewayId=self.build.internet_gateway(self.vpc))

    def route_nat(self) -> None:
        self.build.default_route(self.tables[1], NatGatewayId=self.build.nat_gateway(self.subnets[0]))

    def make_dynamodb_endpoint(self) -> None:
        everywhere = [self.build.main_table(self.vpc), *self.tables]
        self.build.gateway_endpoint(DYNAMODB, self.vpc, everywhere)

    def make_s3_endpoint(self) -> None:
        self.build.gateway_endpoint(S3, self.vpc, self.tables[:1])


@dataclass(frozen=True)
class Site:
    """Where a test works: a network, the function, and who hears what."""

    terraform: Terraform
    ears: Recorder
    function: BareFunction
    inbox: Inbox

    def events_of(self, step: Step) -> list[Event]:
        """What EventBridge is told of a step: one event for each call that changes something."""
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
        events = self.ears.take(at_least=len(changes), seconds=10)
        assert sorted(event["detail"]["eventName"] for event in events) == sorted(changes)
        return events

    def verdicts(self, payload: Event) -> dict[str, list[Any]]:
        """What the function says of each table that the payload touches; nothing for a table that is covered."""
        report = self.function.invoke(payload)
        assert report["notFound"] == []
        said: dict[str, list[Any]] = {table: [] for table in self._tables_in(report["scope"])}
        for finding in report["findings"]:
            said[finding["routeTable"]["id"]].append(finding)
        return said

    def sweep(self) -> dict[str, list[Any]]:
        """What the sweep says of every table."""
        return self.verdicts({"check": "region", "publish": False})

    def _tables_in(self, scope: Any) -> list[str]:
        """The tables that a scope of the report comes down to, found here in a way of its own."""
        ec2 = self.terraform.build.ec2
        pages = ec2.get_paginator("describe_route_tables").paginate()
        tables = [table for page in pages for table in page["RouteTables"]]
        if scope == "region" or scope["vpcIds"] or scope["vpcEndpointIds"]:
            return [table["RouteTableId"] for table in tables]  # there is one VPC
        explicit = {a.get("SubnetId"): table["RouteTableId"] for table in tables for a in table["Associations"]}
        main = self.terraform.build.main_table(self.terraform.vpc)
        return scope["routeTableIds"] + [explicit.get(subnet, main) for subnet in scope["subnetIds"]]


@pytest.fixture(scope="module")
def site(cloud: Cloud, stack: Deployment) -> Iterator[Site]:
    """An empty Region, in which nobody but the test tells the function anything."""
    topic = cloud.client("sns").create_topic(Name="order")["TopicArn"]
    inbox = Inbox(Deployment(cloud, {"TopicArn": topic}), "order-inbox")
    env = cloud.env | {"TOPIC_ARN": topic}
    with stack.untold(), BareFunction(env, cloud.logs / "order.log") as function:
        with recorder(cloud, "order-events") as ears:
            yield Site(Terraform(Builder(cloud.client("ec2"))), ears, function, inbox)


@pytest.fixture
def empty(cloud: Cloud, site: Site) -> Site:
    """The site before the first step."""
    cloud.empty_the_region()
    site.ears.take(at_least=0, seconds=1)
    return Site(Terraform(Builder(cloud.client("ec2"))), site.ears, site.function, site.inbox)


@pytest.fixture(scope="module")
def built(cloud: Cloud, site: Site) -> tuple[Site, list[Event]]:
    """The site with its network complete, and what EventBridge was told of it, at Terraform's pace."""
    cloud.empty_the_region()
    site.ears.take(at_least=0, seconds=1)
    began, events = datetime.now(timezone.utc) - timedelta(minutes=10), []
    for step in site.terraform.steps():
        after = 100 if step == site.terraform.route_nat else 2
        began += timedelta(seconds=after)
        for event in site.events_of(step):
            events.append(at(began, event))
    assert len(events) > 15
    return site, events


def at(moment: datetime, event: Event) -> Event:
    """The event as if it had happened then."""
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
def test_late_events_in_any_order_say_what_the_sweep_says(
    order: Callable[[list[Event]], list[Event]], built: tuple[Site, list[Event]]
) -> None:
    site, events = built

    last_word: dict[str, list[Any]] = {}
    for event in order(events):
        last_word |= site.verdicts(event)

    site.inbox.all_within(seconds=1, at_least=0)
    assert last_word == site.sweep(), f"seed {SEED}"
    assert sorted(len(findings) for findings in last_word.values()) == [0, 1, 1, 1]


@pytest.mark.parametrize("order", ORDERS)
def test_late_batches_in_any_order_tell_what_the_sweep_tells(
    order: Callable[[list[Event]], list[Event]], built: tuple[Site, list[Event]]
) -> None:
    site, events = built
    ordered = order(events)

    told: dict[str, Any] = {}
    for start in range(0, len(ordered), 10):
        assert site.function.invoke(batch(ordered[start : start + 10])) == {"batchItemFailures": []}
        for message in site.inbox.all_within(seconds=1, at_least=1):
            told |= {finding["id"]: finding for finding in as_reported(message.body["findings"])}

    findings = [finding for findings in site.sweep().values() for finding in findings]
    assert told == {finding["id"]: finding for finding in findings}, f"seed {SEED}"


@pytest.mark.parametrize("lag", [0, 3, 12], ids=lambda lag: f"up-to-{lag}-events-late")
def test_events_that_come_while_the_network_is_built_end_with_the_word_of_the_sweep(lag: int, empty: Site) -> None:
    site, chance = empty, random.Random(SEED)
    last_word: dict[str, list[Any]] = {}
    # Each event is due some events after it happened; those that are due at once come in any order.
    on_the_way: list[tuple[float, Event]] = []
    happened = 0
    for step in site.terraform.steps():
        for event in site.events_of(step):
            happened += 1
            on_the_way.append((happened + chance.uniform(0, lag), event))
        on_the_way.sort(key=lambda due: due[0])
        while on_the_way and on_the_way[0][0] <= happened:
            last_word |= site.verdicts(on_the_way.pop(0)[1])
    for _, event in on_the_way:
        last_word |= site.verdicts(event)

    site.inbox.all_within(seconds=1, at_least=0)
    assert last_word == site.sweep(), f"seed {SEED}"


def batch(events: list[Event]) -> dict[str, Any]:
    """Events as SQS hands them over."""
    return {
        "Records": [
            {"messageId": str(number), "eventSource": "aws:sqs", "body": json.dumps(event)}
            for number, event in enumerate(events)
        ]
    }
