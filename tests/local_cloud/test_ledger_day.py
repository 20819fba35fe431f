"""A day in the life of a network, through the deployed stack: what people are told of it, and what they are not.

Each call goes to EC2, its event through EventBridge and the queue to the function, and the notices to the three topics.
"""

import datetime
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench import plain
from conftest import SETTLE_SECONDS, TOPICS
from local import ledger
from local.cloud import Cloud
from local.deployment import Deployment
from local.environment import ROOT
from local.inbox import Inbox, Message
from local.networks import DYNAMODB, S3, Builder
from local.recorder import Recorder, recorder

SOON = SETTLE_SECONDS + 40
UNHURRIED = 10
"""A settle window that outlasts building a network also on a busy machine."""
EXEMPT = "gatewatch:exempt"
SWEEP = json.loads(Path(ROOT / "events" / "schedule.json").read_text())
DUPLICATES = 50


@dataclass
class Day:
    """The stack, a subscriber of each topic, and what EventBridge was told."""

    cloud: Cloud
    stack: Deployment
    json: Inbox
    emails: Inbox
    cards: Inbox
    events: Recorder
    counts: Counter[str] = field(default_factory=Counter)
    """How many messages each topic has carried."""

    def next(self, vpc: str) -> Message:
        """The next notice about the VPC. It comes once on each topic and tells the same on all three."""
        forms = []
        for name, inbox in (("json", self.json), ("text", self.emails), ("chat", self.cards)):
            forms.append(inbox.wait_for(vpc, SOON))
            assert forms[-1] is not None, f"nothing about {vpc} on the topic for {name}"
            self.counts[name] += 1
        notice, email, card = forms
        assert notice.attributes == email.attributes == card.attributes
        spell = {finding["change"] for finding in notice.body["findings"]}
        assert json.loads(notice.attributes["changes"]) == sorted(spell)
        notice.body["threadId"] = card.body["metadata"]["threadId"]
        return notice

    def expect_silence(self, calls: int = 0) -> None:
        """Waits until the function has worked off that many changes and all others; nobody is told anything of them."""
        if calls:
            assert len(self.events.take(at_least=calls, seconds=SOON)) >= calls
        assert self.stack.works_off(seconds=90)
        said = [message for inbox in (self.json, self.emails, self.cards) for message in inbox.all_within(1, 0)]
        assert said == []

    def sweep(self) -> dict[str, Any]:
        """What the schedule starts; gives the report."""
        return self.stack.invoke(SWEEP)

    def remembered(self) -> dict[tuple[str, str], dict[str, Any]]:
        """What the ledger says of each table and service."""
        items = ledger.items(self.cloud.client("dynamodb"), self.stack.ledger)
        entries = [plain(item) for item in items if "findingId" in item]
        return {(entry["routeTable"]["id"], entry["service"]): entry for entry in entries}

    def age(self, table: str, days: int) -> None:
        """Makes what the ledger says of a table so many days older."""
        dynamodb, name = self.cloud.client("dynamodb"), self.stack.ledger
        for (of, _), entry in self.remembered().items():
            if of == table:
                told = datetime.datetime.fromisoformat(entry["told"].replace("Z", "+00:00"))
                before = (told - datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
                dynamodb.update_item(
                    TableName=name, Key={key: {"S": entry[key]} for key in ("pk", "sk")},
                    UpdateExpression="SET told = :told", ExpressionAttributeValues={":told": {"S": before}},
                )


@pytest.fixture(scope="module")
def inboxes(stack: Deployment) -> tuple[Inbox, Inbox, Inbox]:
    """Inboxes in which nothing is from before."""
    return (
        Inbox(stack, "inbox-of-the-day"),
        Inbox(stack, "inbox-of-the-day-emails", stack.text_topic, read=str),
        Inbox(stack, "inbox-of-the-day-cards", stack.chat_topic),
    )


@pytest.fixture
def day(
    cloud: Cloud, stack: Deployment, ec2: Any, inboxes: tuple[Inbox, Inbox, Inbox], request: pytest.FixtureRequest
) -> Iterator[Day]:
    """A day on which nothing has happened yet."""
    with stack.untold():
        for inbox in inboxes:
            inbox.all_within(0, 0)
    with recorder(cloud, "recorder-of-the-day") as events:
        yield Day(cloud, stack, *inboxes, events)
    # What is still under way when a test ends, the next one must not hear of.
    stack.works_off(seconds=30)


def told(message: Message) -> list[tuple[str, str, str, str]]:
    """Change, table, service and severity of each finding of a notice."""
    return sorted(
        (finding["change"], finding["routeTable"]["id"], finding["service"], finding["severity"])
        for finding in message.body["findings"]
    )


def only(message: Message) -> dict[str, Any]:
    """The one finding of a notice."""
    [finding] = message.body["findings"]
    return finding


def moment(text: str) -> datetime.datetime:
    """A moment as messages write it."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def exempt(build: Builder, resource: str, value: str) -> None:
    """Tags a resource."""
    build.ec2.create_tags(Resources=[resource], Tags=[{"Key": EXEMPT, "Value": value}])


def build_in_the_wrong_order(build: Builder) -> dict[str, str]:
    """Routes before what they are for, subnets before their tables, and the endpoints at the very end."""
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
    """Both endpoints on these tables."""
    s3, dynamodb = (build.gateway_endpoint(service, vpc, list(tables)) for service in (S3, DYNAMODB))
    return s3, dynamodb


def test_a_day_in_the_life(build: Builder, cloud: Cloud, stack: Deployment, day: Day, notes: list[str]) -> None:
    sqs, queue = cloud.client("sqs"), stack.outputs["ChangesQueueUrl"]

    def settle(seconds: int) -> None:
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": str(seconds)})

    # The stack comes up in the wrong order.
    settle(UNHURRIED)
    try:
        began = datetime.datetime.now()
        there = build_in_the_wrong_order(build)
        vpc, table, public, main = (there[name] for name in ("vpc", "table", "public", "main"))
        half_built = stack.invoke({"check": {"vpcIds": [vpc]}, "publish": False})
        assert len(half_built["findings"]) == 6, "there would be something to tell"
        s3, dynamodb = cover(build, vpc, table, public, main)
        took = (datetime.datetime.now() - began).total_seconds()
        assert took < UNHURRIED, "the network was built within the settle window"
        day.expect_silence(calls=15)
    finally:
        settle(SETTLE_SECONDS)

    # A table is broken, and told once through 50 duplicate events.
    build.ec2.modify_vpc_endpoint(VpcEndpointId=s3, RemoveRouteTableIds=[table])
    [event] = [each for each in day.events.take(1, SOON) if each["detail"]["eventName"] == "ModifyVpcEndpoint"]
    deliver_again(cloud, event, DUPLICATES // 2)
    opened = day.next(vpc)
    assert told(opened) == [("opened", table, "s3", "HIGH")]
    assert opened.body["trigger"]["eventName"] == "ModifyVpcEndpoint"
    assert opened.body["ledger"] == "on"
    assert stack.works_off(seconds=60)
    deliver_again(cloud, event, DUPLICATES - DUPLICATES // 2)
    day.expect_silence()
    since, thread = only(opened)["since"], opened.body["threadId"]
    assert thread == f"{vpc}-{int(moment(since).timestamp())}"

    # It worsens: a subnet joins.
    joining = build.subnet("private-b", vpc, "10.80.11.0/24", "b")
    build.associate(table, joining)
    worse = day.next(vpc)
    assert told(worse) == [("worsened", table, "s3", "HIGH")]
    assert (only(worse)["since"], worse.body["threadId"]) == (since, thread)
    assert joining in [subnet["id"] for subnet in only(worse)["subnets"]]
    # Another table of the VPC, of little weight at first: then its way out becomes a NAT gateway.
    build.ec2.modify_vpc_endpoint(VpcEndpointId=s3, RemoveRouteTableIds=[public])
    second = day.next(vpc)
    assert (told(second), second.body["threadId"]) == ([("opened", public, "s3", "LOW")], thread)
    build.ec2.replace_route(RouteTableId=public, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=there["nat"])
    risen = day.next(vpc)
    assert (told(risen), risen.body["threadId"]) == ([("worsened", public, "s3", "HIGH")], thread)
    # Better again: that is noted, and nobody is told.
    day.events.take(0, 0)
    gateway = cloud.client("ec2").describe_internet_gateways()["InternetGateways"][0]["InternetGatewayId"]
    build.ec2.replace_route(RouteTableId=public, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    day.expect_silence(calls=1)
    assert day.remembered()[public, "s3"]["severity"] == "LOW"
    # Another gap: the endpoint is gone altogether. The main table loses its route too.
    build.ec2.delete_vpc_endpoints(VpcEndpointIds=[s3])
    changed = day.next(vpc)
    assert told(changed) == sorted(
        [("changed", table, "s3", "HIGH"), ("changed", public, "s3", "LOW"), ("opened", main, "s3", "LOW")]
    )
    assert {finding["gap"] for finding in changed.body["findings"]} == {"no_endpoint"}

    # It is fixed, and told once.
    s3 = build.gateway_endpoint(S3, vpc, [table, public, main])
    resolved = day.next(vpc)
    # With the worst that each has been, so that who hears of the bad ones alone hears of their end.
    assert told(resolved) == sorted(
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

    # It breaks again: another spell, with its own beginning.
    build.ec2.modify_vpc_endpoint(VpcEndpointId=dynamodb, RemoveRouteTableIds=[table])
    again = day.next(vpc)
    assert told(again) == [("opened", table, "dynamodb", "HIGH")]
    build.ec2.modify_vpc_endpoint(VpcEndpointId=s3, RemoveRouteTableIds=[table])
    back = day.next(vpc)
    assert told(back) == [("opened", table, "s3", "HIGH")]
    assert moment(only(back)["since"]) > moment(since)
    assert back.body["threadId"] == again.body["threadId"] != thread

    # It is exempted.
    tomorrow, yesterday = (
        (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y-%m-%d")
        for days in (2, -1)
    )
    exempt(build, table, f"s3 dynamodb until={tomorrow}")
    excused = day.next(vpc)
    assert told(excused) == [("resolved", table, "dynamodb", "HIGH"), ("resolved", table, "s3", "HIGH")]
    assert {finding["resolution"]["cause"] for finding in excused.body["findings"]} == {"exempt"}
    assert excused.body["threadId"] == again.body["threadId"]
    quiet = day.sweep()
    assert (quiet["published"], len(quiet["exempt"])) == (0, 2)

    # The exemption runs out: no event tells, the sweep does.
    events, rule = cloud.client("events"), stack.outputs["ExemptionsRuleName"]
    events.disable_rule(Name=rule)
    try:
        day.events.take(0, 0)
        exempt(build, table, f"s3 dynamodb until={yesterday}")
        day.expect_silence(calls=1)
    finally:
        events.enable_rule(Name=rule)
    report = day.sweep()
    assert (report["published"], report["exempt"]) == (TOPICS, [])
    expired = day.next(vpc)
    assert told(expired) == [("opened", table, "dynamodb", "HIGH"), ("opened", table, "s3", "HIGH")]
    assert expired.body["trigger"]["kind"] == "schedule"
    assert expired.body["threadId"] not in (thread, again.body["threadId"])

    # And then nothing: sweeps over what is known say nothing.
    for _ in range(3):
        report = day.sweep()
        assert (report["published"], report["ledger"], len(report["findings"])) == (0, "on", 2)
    day.expect_silence()
    assert set(day.counts.values()) == {10}
    notes.append(
        f"a day: 15 calls in the wrong order within {took:.1f} s of a window of {UNHURRIED} s told 0; {DUPLICATES} "
        f"duplicates told 0; in all {day.counts['json']} notices on each of {len(day.counts)} topics; 4 sweeps told 0"
    )


def deliver_again(cloud: Cloud, event: dict[str, Any], times: int) -> None:
    """Tells EventBridge of the same call again. It takes ten at once."""
    entry = {"Source": "aws.ec2", "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"])}
    for start in range(0, times, 10):
        answer = cloud.client("events").put_events(Entries=[entry] * min(10, times - start))
        assert answer["FailedEntryCount"] == 0


def test_a_reminder_comes_when_nobody_acted_and_not_where_nobody_wants_one(
    build: Builder, stack: Deployment, day: Day, notes: list[str]
) -> None:
    with stack.untold():
        vpc = build.vpc("forgotten", "10.81.0.0/16")
        table = build.main_table(vpc)
        assert day.sweep()["published"] == TOPICS
        opened = day.next(vpc)
        assert told(opened) == [("opened", table, "dynamodb", "LOW"), ("opened", table, "s3", "LOW")]

        day.age(table, days=6)
        assert day.sweep()["published"] == 0
        day.age(table, days=2)
        with stack.variables(REMIND_DAYS="0"):
            assert day.sweep()["published"] == 0
        assert day.sweep()["published"] == TOPICS
        reminder = day.next(vpc)
        assert told(reminder) == [("reminder", table, "dynamodb", "LOW"), ("reminder", table, "s3", "LOW")]
        assert {finding["since"] for finding in reminder.body["findings"]} == {only_since(opened)}
        assert reminder.body["threadId"] == opened.body["threadId"]
        assert day.sweep()["published"] == 0
        day.expect_silence()
    notes.append("6 days: no reminder; 8 days: one on each topic; with REMIND_DAYS=0 none")


def only_since(message: Message) -> str:
    """Since when all that is in a notice stands."""
    [since] = {finding["since"] for finding in message.body["findings"]}
    return since


def test_a_sweep_of_a_quiet_network_says_nothing(build: Builder, stack: Deployment, day: Day) -> None:
    with stack.untold():
        vpc = build.vpc("quiet", "10.82.0.0/16")
        cover(build, vpc, build.main_table(vpc))
        report = day.sweep()
        assert (report["published"], report["ledger"], report["findings"]) == (0, "on", [])
        assert report["checked"] == {"vpcs": 1, "subnets": 0, "routeTables": 1}
        day.expect_silence()
        assert ledger.items(day.cloud.client("dynamodb"), stack.ledger) == [], "nothing was claimed or written"


def test_what_is_deleted_is_over(build: Builder, stack: Deployment, day: Day, notes: list[str]) -> None:
    with stack.untold():
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
        assert {each for _, each, _, _ in told(first)} == {table, shared}
        day.expect_silence()

    # The subnet that needed the route is gone; the one that is left is exempt.
    build.ec2.delete_subnet(SubnetId=subnets[0])
    without_subnet = day.next(vpc)
    assert {(change, of) for change, of, _, _ in told(without_subnet)} == {("resolved", shared)}
    assert causes(without_subnet) == {"exempt"}

    build.ec2.delete_route_table(RouteTableId=table)
    without_table = day.next(vpc)
    assert {(change, of) for change, of, _, _ in told(without_table)} == {("resolved", table)}
    assert causes(without_table) == {"table_deleted"}
    assert without_table.body["threadId"] == without_subnet.body["threadId"] == first.body["threadId"]
    assert without_table.body["trigger"]["eventName"] == "DeleteRouteTable"

    # The VPC goes with a finding on its main table.
    for endpoint in build.ec2.describe_vpc_endpoints()["VpcEndpoints"]:
        build.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])
    last = [day.next(vpc)]
    while len({each for message in last for each in told(message)}) < 2:  # two calls, at times two notices
        last.append(day.next(vpc))
    assert {(change, of) for message in last for change, of, _, _ in told(message)} == {("opened", main)}
    with stack.untold():
        build.ec2.delete_subnet(SubnetId=spared)
        # moto keeps the associations of subnets that are gone, and a table as long as it has any.
        [left] = build.ec2.describe_route_tables(RouteTableIds=[shared])["RouteTables"]
        for association in left["Associations"]:
            build.ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
        build.ec2.delete_route_table(RouteTableId=shared)
    build.ec2.delete_vpc(VpcId=vpc)
    without_vpc = day.next(vpc)
    assert {(change, of) for change, of, _, _ in told(without_vpc)} == {("resolved", main)}
    assert causes(without_vpc) == {"vpc_deleted"}
    assert without_vpc.body["trigger"]["eventName"] == "DeleteVpc"

    assert day.sweep()["published"] == 0
    day.expect_silence()
    assert {entry["state"] for entry in day.remembered().values()} == {"resolved"}
    notes.append("DeleteSubnet, DeleteRouteTable and DeleteVpc: each resolved what it ended, once on each topic")


def causes(message: Message) -> set[str]:
    """What ended the findings of a notice."""
    return {finding["resolution"]["cause"] for finding in message.body["findings"]}
