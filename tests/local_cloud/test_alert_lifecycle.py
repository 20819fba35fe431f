"""The life of alerts, through the deployed stack: which changes of a network people hear about, and which not.

Each call goes to EC2, its event through EventBridge and the queue to the function, and the alerts to the three topics.
"""

import datetime
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local.cloud import Cloud
from local.deployment import Deployment
from local.environment import ROOT
from local.inbox import Inbox, Message
from local.networks import DYNAMODB, S3, Builder
from tests.local_cloud.support import history
from tests.local_cloud.support.event_recorder import EventRecorder, record_events
from tests.local_cloud.support.figures import AddFigure
from tests.local_cloud.support.stack import SETTLE_SECONDS, TOPICS

SOON = SETTLE_SECONDS + 40
LONG_SETTLE_SECONDS = 10
"""A settle window that is longer than building a network takes, also on a busy machine."""
EXEMPT = "gatewatch:exempt"
SWEEP = json.loads(Path(ROOT / "events" / "schedule.json").read_text())
DUPLICATES = 50


@dataclass
class Day:
    """The stack, a subscriber of each topic, and the events that EventBridge received."""

    cloud: Cloud
    stack: Deployment
    inboxes: dict[str, Inbox]
    events: EventRecorder
    counts: Counter[str] = field(default_factory=Counter)
    """How many messages each topic has carried."""

    def next(self, vpc: str) -> Message:
        """Returns the next alert about the VPC. It must arrive once on each topic, and say the same on all three."""
        received: dict[str, Message] = {}
        for channel, inbox in self.inboxes.items():
            message = inbox.wait_for(vpc, SOON)
            assert message is not None, f"nothing about {vpc} on the topic for {channel}"
            received[channel] = message
            self.counts[channel] += 1
        alert, email, card = (received[channel] for channel in ("json", "text", "chat"))
        assert alert.attributes == email.attributes == card.attributes
        kinds = {finding["change"] for finding in alert.body["findings"]}
        assert json.loads(alert.attributes["changes"]) == sorted(kinds)
        alert.body["threadId"] = card.body["metadata"]["threadId"]
        return alert

    def expect_silence(self, calls: int = 0) -> None:
        """Waits until the function has handled that many calls and all others; nothing may be sent about them."""
        if calls:
            assert len(self.events.take(at_least=calls, seconds=SOON)) >= calls
        assert self.stack.wait_until_idle(seconds=90)
        assert [message for inbox in self.inboxes.values() for message in inbox.drain()] == []

    def sweep(self) -> dict[str, Any]:
        """Invokes the function as the schedule does; returns the report."""
        report: dict[str, Any] = self.stack.invoke(SWEEP)
        return report

    def alerts(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Returns the alert record of each route table and service."""
        records = history.alerts(self.cloud.client("dynamodb"), self.stack.history_table)
        return {(alert["routeTable"]["id"], alert["service"]): alert for alert in records}

    def age(self, table: str, days: int) -> None:
        """Makes the alert records of a route table so many days older."""
        for (table_of_alert, _), alert in self.alerts().items():
            if table_of_alert == table:
                sent = moment(alert["told"]) - datetime.timedelta(days=days)
                self.cloud.client("dynamodb").update_item(
                    TableName=self.stack.history_table,
                    Key={key: {"S": alert[key]} for key in ("pk", "sk")},
                    UpdateExpression="SET told = :told",
                    ExpressionAttributeValues={":told": {"S": sent.strftime("%Y-%m-%dT%H:%M:%SZ")}},
                )

    @contextmanager
    def settle_window(self, seconds: int) -> Iterator[None]:
        """Changes the settle window in this context."""
        sqs, queue = self.cloud.client("sqs"), self.stack.changes_queue
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": str(seconds)})
        try:
            yield
        finally:
            sqs.set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": str(SETTLE_SECONDS)})


@pytest.fixture(scope="module")
def inboxes(stack: Deployment) -> dict[str, Inbox]:
    """Inboxes without earlier messages."""
    return {channel: Inbox(stack, f"inbox-of-lifecycle-{channel}", channel) for channel in ("json", "text", "chat")}


@pytest.fixture
def day(cloud: Cloud, stack: Deployment, ec2: Any, inboxes: dict[str, Inbox]) -> Iterator[Day]:
    """A day on which nothing has happened yet."""
    assert ec2, "the Region is empty"
    with stack.without_events():
        for inbox in inboxes.values():
            inbox.drain()
    with record_events(cloud, "recorder-of-lifecycle") as events:
        yield Day(cloud, stack, inboxes, events)
    # The next test must not receive what is still being handled.
    stack.wait_until_idle(seconds=30)


def summary(message: Message) -> list[tuple[str, str, str, str]]:
    """Returns change, route table, service and severity of each finding of an alert."""
    return sorted(
        (finding["change"], finding["routeTable"]["id"], finding["service"], finding["severity"])
        for finding in message.body["findings"]
    )


def only(message: Message) -> dict[str, Any]:
    """Returns the only finding of an alert."""
    [finding] = message.body["findings"]
    only_finding: dict[str, Any] = finding
    return only_finding


def moment(text: str) -> datetime.datetime:
    """Parses a moment as messages write it."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def exempt(build: Builder, resource: str, value: str) -> None:
    """Tags a resource."""
    build.ec2.create_tags(Resources=[resource], Tags=[{"Key": EXEMPT, "Value": value}])


def build_in_the_wrong_order(build: Builder) -> dict[str, str]:
    """Builds routes before their associations, and subnets before their tables. The endpoints are still missing."""
    vpc = build.vpc("day", "10.80.0.0/16")
    private_a = build.subnet("private-a", vpc, "10.80.10.0/24", "a")
    table = build.table("private", vpc)
    public_a = build.subnet("public-a", vpc, "10.80.0.0/24", "a")
    nat = build.nat_gateway(public_a)
    build.default_route(table, NatGatewayId=nat)
    build.associate(table, private_a)
    public = build.table("public", vpc)
    build.default_route(public, GatewayId=build.internet_gateway(vpc))
    build.associate(public, public_a)
    return {"vpc": vpc, "table": table, "public": public, "nat": nat, "main": build.main_table(vpc)}


def cover(build: Builder, vpc: str, *tables: str) -> tuple[str, str]:
    """Creates both endpoints for these tables; returns their ids."""
    s3, dynamodb = (build.gateway_endpoint(service, vpc, list(tables)) for service in (S3, DYNAMODB))
    return s3, dynamodb


def test_each_alert_of_a_day_is_sent_once(
    build: Builder, cloud: Cloud, stack: Deployment, day: Day, figure: AddFigure
) -> None:
    # The network is built in the wrong order.
    with day.settle_window(LONG_SETTLE_SECONDS):
        began = datetime.datetime.now()
        ids = build_in_the_wrong_order(build)
        vpc, table, public, main = (ids[name] for name in ("vpc", "table", "public", "main"))
        half_built = stack.invoke({"check": {"vpcIds": [vpc]}, "publish": False})
        assert len(half_built["findings"]) == 6, "there would be something to send"
        s3, dynamodb = cover(build, vpc, table, public, main)
        took = (datetime.datetime.now() - began).total_seconds()
        assert took < LONG_SETTLE_SECONDS, "the network was built within the settle window"
        day.expect_silence(calls=15)

    # A table loses its endpoint. 50 duplicate events make one alert.
    build.ec2.modify_vpc_endpoint(VpcEndpointId=s3, RemoveRouteTableIds=[table])
    [event] = [each for each in day.events.take(1, SOON) if each["detail"]["eventName"] == "ModifyVpcEndpoint"]
    deliver_again(cloud, event, DUPLICATES // 2)
    opened = day.next(vpc)
    assert summary(opened) == [("opened", table, "s3", "HIGH")]
    assert opened.body["trigger"]["eventName"] == "ModifyVpcEndpoint"
    assert opened.body["ledger"] == "on"
    assert stack.wait_until_idle(seconds=60)
    deliver_again(cloud, event, DUPLICATES - DUPLICATES // 2)
    day.expect_silence()
    since, thread = only(opened)["since"], opened.body["threadId"]
    assert thread == f"{vpc}-{int(moment(since).timestamp())}"

    # The finding gets worse: another subnet uses the table.
    joining = build.subnet("private-b", vpc, "10.80.11.0/24", "b")
    build.associate(table, joining)
    worse = day.next(vpc)
    assert summary(worse) == [("worsened", table, "s3", "HIGH")]
    assert (only(worse)["since"], worse.body["threadId"]) == (since, thread)
    assert joining in [subnet["id"] for subnet in only(worse)["subnets"]]
    # Another table has a finding of low severity. Then its default route leads to a NAT gateway.
    build.ec2.modify_vpc_endpoint(VpcEndpointId=s3, RemoveRouteTableIds=[public])
    second = day.next(vpc)
    assert (summary(second), second.body["threadId"]) == ([("opened", public, "s3", "LOW")], thread)
    build.ec2.replace_route(RouteTableId=public, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=ids["nat"])
    risen = day.next(vpc)
    assert (summary(risen), risen.body["threadId"]) == ([("worsened", public, "s3", "HIGH")], thread)
    # The finding gets better. That is stored, and not sent.
    day.events.drain()
    gateway = cloud.client("ec2").describe_internet_gateways()["InternetGateways"][0]["InternetGatewayId"]
    build.ec2.replace_route(RouteTableId=public, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    day.expect_silence(calls=1)
    assert day.alerts()[public, "s3"]["severity"] == "LOW"
    # The endpoint is deleted: another gap. The main table loses its route too.
    build.ec2.delete_vpc_endpoints(VpcEndpointIds=[s3])
    changed = day.next(vpc)
    assert summary(changed) == sorted(
        [("changed", table, "s3", "HIGH"), ("changed", public, "s3", "LOW"), ("opened", main, "s3", "LOW")]
    )
    assert {finding["gap"] for finding in changed.body["findings"]} == {"no_endpoint"}

    # The gaps are fixed. One alert resolves them.
    s3 = build.gateway_endpoint(S3, vpc, [table, public, main])
    resolved = day.next(vpc)
    # Each with its worst severity, so that a subscriber of high severities also receives the end.
    assert summary(resolved) == sorted(
        [("resolved", table, "s3", "HIGH"), ("resolved", public, "s3", "HIGH"), ("resolved", main, "s3", "LOW")]
    )
    assert resolved.body["threadId"] == thread
    assert resolved.subject.startswith("[RESOLVED]")
    by_table = {finding["routeTable"]["id"]: finding for finding in resolved.body["findings"]}
    assert (by_table[table]["since"], by_table[table]["resolution"]["cause"]) == (since, "covered")
    stood = by_table[table]["resolution"]["stoodSeconds"]
    longest = (datetime.datetime.now(datetime.timezone.utc) - moment(since)).total_seconds()
    assert 2 * SETTLE_SECONDS <= stood <= longest
    day.expect_silence()

    # The tables lose their endpoints again, within a day of the last alert: the incident is the same.
    build.ec2.modify_vpc_endpoint(VpcEndpointId=dynamodb, RemoveRouteTableIds=[table])
    again = day.next(vpc)
    assert summary(again) == [("opened", table, "dynamodb", "HIGH")]
    build.ec2.modify_vpc_endpoint(VpcEndpointId=s3, RemoveRouteTableIds=[table])
    back = day.next(vpc)
    assert summary(back) == [("opened", table, "s3", "HIGH")]
    assert moment(only(back)["since"]) > moment(since)
    assert back.body["threadId"] == again.body["threadId"] == thread

    # The table is exempted.
    tomorrow, yesterday = (
        (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y-%m-%d")
        for days in (2, -1)
    )
    exempt(build, table, f"s3 dynamodb until={tomorrow}")
    exempted = day.next(vpc)
    assert summary(exempted) == [("resolved", table, "dynamodb", "HIGH"), ("resolved", table, "s3", "HIGH")]
    assert {finding["resolution"]["cause"] for finding in exempted.body["findings"]} == {"exempt"}
    assert exempted.body["threadId"] == again.body["threadId"]
    quiet = day.sweep()
    assert (quiet["published"], len(quiet["exempt"])) == (0, 2)

    # The exemption expires. There is no event for that; the sweep notices it.
    events, rule = cloud.client("events"), stack.outputs["ExemptionsRuleName"]
    events.disable_rule(Name=rule)
    try:
        day.events.drain()
        exempt(build, table, f"s3 dynamodb until={yesterday}")
        day.expect_silence(calls=1)
    finally:
        events.enable_rule(Name=rule)
    report = day.sweep()
    assert (report["published"], report["exempt"]) == (TOPICS, [])
    expired = day.next(vpc)
    assert summary(expired) == [("opened", table, "dynamodb", "HIGH"), ("opened", table, "s3", "HIGH")]
    assert expired.body["trigger"]["kind"] == "schedule"
    assert expired.body["threadId"] == thread

    # Nothing changes: sweeps send nothing.
    for _ in range(3):
        report = day.sweep()
        assert (report["published"], report["ledger"], len(report["findings"])) == (0, "on", 2)
    day.expect_silence()
    assert set(day.counts.values()) == {10}
    figure(
        f"a day: 15 calls in the wrong order within {took:.1f} s of a window of {LONG_SETTLE_SECONDS} s sent 0; "
        f"{DUPLICATES} duplicates sent 0; in all {day.counts['json']} alerts on each of {len(day.counts)} topics; "
        "4 sweeps sent 0"
    )


def deliver_again(cloud: Cloud, event: dict[str, Any], times: int) -> None:
    """Sends the event of the same call again. EventBridge accepts ten at once."""
    entry = {"Source": "aws.ec2", "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"])}
    for start in range(0, times, 10):
        answer = cloud.client("events").put_events(Entries=[entry] * min(10, times - start))
        assert answer["FailedEntryCount"] == 0


def test_a_reminder_is_sent_when_nobody_acted_unless_reminders_are_off(
    build: Builder, stack: Deployment, day: Day, figure: AddFigure
) -> None:
    with stack.without_events():
        vpc = build.vpc("forgotten", "10.81.0.0/16")
        table = build.main_table(vpc)
        assert day.sweep()["published"] == TOPICS
        opened = day.next(vpc)
        assert summary(opened) == [("opened", table, "dynamodb", "LOW"), ("opened", table, "s3", "LOW")]

        day.age(table, days=6)
        assert day.sweep()["published"] == 0
        day.age(table, days=2)
        with stack.variables(REMIND_DAYS="0"):
            assert day.sweep()["published"] == 0
        assert day.sweep()["published"] == TOPICS
        reminder = day.next(vpc)
        assert summary(reminder) == [("reminder", table, "dynamodb", "LOW"), ("reminder", table, "s3", "LOW")]
        assert {finding["since"] for finding in reminder.body["findings"]} == {only_since(opened)}
        assert reminder.body["threadId"] == opened.body["threadId"]
        assert day.sweep()["published"] == 0
        day.expect_silence()
    figure("6 days: no reminder; 8 days: one on each topic; with REMIND_DAYS=0 none")


def only_since(message: Message) -> str:
    """Returns the time since which all findings of an alert are open."""
    [since] = {str(finding["since"]) for finding in message.body["findings"]}
    return since


def test_a_sweep_of_a_covered_network_sends_nothing(build: Builder, stack: Deployment, day: Day) -> None:
    with stack.without_events():
        vpc = build.vpc("quiet", "10.82.0.0/16")
        cover(build, vpc, build.main_table(vpc))
        report = day.sweep()
        assert (report["published"], report["ledger"], report["findings"]) == (0, "on", [])
        assert report["checked"] == {"vpcs": 1, "subnets": 0, "routeTables": 1, "endpoints": 2}
        day.expect_silence()
        items = history.items(day.cloud.client("dynamodb"), stack.history_table)
        assert items == [], "no lease was acquired and nothing was written"


def test_findings_of_deleted_resources_are_resolved(
    build: Builder, stack: Deployment, day: Day, figure: AddFigure
) -> None:
    with stack.without_events():
        vpc = build.vpc("short-lived", "10.83.0.0/16")
        main, table = build.main_table(vpc), build.table("gone-first", vpc)
        spared = build.subnet("spared", vpc, "10.83.0.0/24", "a")
        subnets = [build.subnet("in-use", vpc, "10.83.1.0/24", "a"), spared]
        shared = build.table("shared", vpc)
        build.associate(shared, *subnets)
        exempt(build, spared, "*")
        cover(build, vpc, main)
        assert day.sweep()["published"] == TOPICS
        first = day.next(vpc)
        assert {each for _, each, _, _ in summary(first)} == {table, shared}
        day.expect_silence()

    # The subnet that needed the route is deleted; the other one is exempt.
    build.ec2.delete_subnet(SubnetId=subnets[0])
    without_subnet = day.next(vpc)
    assert {(change, of) for change, of, _, _ in summary(without_subnet)} == {("resolved", shared)}
    assert causes(without_subnet) == {"exempt"}

    build.ec2.delete_route_table(RouteTableId=table)
    without_table = day.next(vpc)
    assert {(change, of) for change, of, _, _ in summary(without_table)} == {("resolved", table)}
    assert causes(without_table) == {"table_deleted"}
    assert without_table.body["threadId"] == without_subnet.body["threadId"] == first.body["threadId"]
    assert without_table.body["trigger"]["eventName"] == "DeleteRouteTable"

    # The VPC is deleted while its main table has a finding.
    for endpoint in build.ec2.describe_vpc_endpoints()["VpcEndpoints"]:
        build.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])
    last = [day.next(vpc)]
    while len({each for message in last for each in summary(message)}) < 2:  # two calls, sometimes two alerts
        last.append(day.next(vpc))
    assert {(change, of) for message in last for change, of, _, _ in summary(message)} == {("opened", main)}
    with stack.without_events():
        build.ec2.delete_subnet(SubnetId=spared)
        # moto keeps the associations of deleted subnets, and does not delete a table that has any.
        [left] = build.ec2.describe_route_tables(RouteTableIds=[shared])["RouteTables"]
        for association in left["Associations"]:
            build.ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
        build.ec2.delete_route_table(RouteTableId=shared)
    build.ec2.delete_vpc(VpcId=vpc)
    without_vpc = day.next(vpc)
    assert {(change, of) for change, of, _, _ in summary(without_vpc)} == {("resolved", main)}
    assert causes(without_vpc) == {"vpc_deleted"}
    assert without_vpc.body["trigger"]["eventName"] == "DeleteVpc"

    assert day.sweep()["published"] == 0
    day.expect_silence()
    assert {entry["state"] for entry in day.alerts().values()} == {"resolved"}
    figure("DeleteSubnet, DeleteRouteTable and DeleteVpc: each resolved its findings, once on each topic")


def causes(message: Message) -> set[str]:
    """Returns the causes of the resolutions in an alert."""
    return {finding["resolution"]["cause"] for finding in message.body["findings"]}
