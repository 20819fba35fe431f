"""An alert is sent once: when many functions run at once, and when a function is killed in the middle of its work."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from local import networks
from local.cloud import Cloud
from local.deployment import Deployment
from local.environment import ACCOUNT, BESIDE_EC2, REGION
from local.inbox import Message
from local.waiting import wait_until
from tests.local_cloud.support.bare_function import BareFunction
from tests.local_cloud.support.endpoint_problems import (
    DEFAULT_CHECKS,
    SHOP_FINDINGS,
    api_policy,
    build_shop_with_endpoint,
    create_private_api,
    forward,
)
from tests.local_cloud.support.fault_proxy import FaultProxy, calls_of, fault_proxy, hang, user_agent
from tests.local_cloud.support.figures import AddFigure
from tests.local_cloud.support.messages import NO_FAILURES, batch, changes, failed, record, rest_api_event
from tests.local_cloud.support.pausing_proxy import pausing_proxy
from tests.local_cloud.support.sandbox import Sandbox, lease_is_held

AT_ONCE = 20


@pytest.fixture(scope="module")
def shop(cloud: Cloud, stack: Deployment) -> Iterator[str]:
    """A VPC with gaps, and with an endpoint that admits nobody. The deployed function receives no events."""
    with stack.without_events():
        cloud.empty_the_region()
        shop = build_shop_with_endpoint(cloud.client("ec2"))
        build_for_checks_of_other_services(cloud, shop)
        yield shop


OTHER_SERVICES = {
    "CHECKS": ",".join([*DEFAULT_CHECKS, "endpoint-private-dns", "required-endpoints", "private-api"]),
    "REQUIRED_INTERFACES": "sqs",
}
"""The settings with the checks that read Route 53, its Profiles and Resolver, and API Gateway."""


def build_for_checks_of_other_services(cloud: Cloud, shop: str) -> None:
    """Builds a finding for each of these checks, and what makes them read all that they can."""
    build = networks.Builder(cloud.client("ec2"))
    subnet = build.subnet("names", shop, "10.20.31.0/24", "a")
    endpoint = build.interface_endpoint(networks.EXECUTE_API, shop, subnet, PrivateDnsEnabled=False)
    create_private_api(cloud, "open", endpoint, api_policy())
    forward(cloud, "corp.example", shop)
    profiles, profile = cloud.client("route53profiles"), {"Name": "names", "ProfileId": "rp-0a1b2c3d4e5f60001"}
    profiles.associate_profile(ResourceId=shop, **profile)
    arn = f"arn:aws:route53resolver:{REGION}:{ACCOUNT}:firewall-rule-group/rslvr-frg-0a1b2c3d4e5f60001"
    profiles.associate_resource_to_profile(ResourceArn=arn, **profile)


def batch_of_all(shop: str) -> dict[str, Any]:
    """Returns a batch with a change in the VPC, and with a new REST API."""
    return {"Records": [*batch(shop=shop)["Records"], record("apis", rest_api_event("create-rest-api"))]}


# --- Many functions at once -------------------------------------------------------------------------------------------


def test_one_of_twenty_functions_sends_the_alert(cloud: Cloud, shop: str, figure: AddFigure) -> None:
    sandbox = Sandbox(cloud, "at-once")
    batches = [batch(**{str(number): shop}) for number in range(AT_ONCE)]
    with ExitStack() as running, ThreadPoolExecutor(AT_ONCE) as pool:
        functions = [running.enter_context(sandbox.function(str(number))) for number in range(AT_ONCE)]
        answers = list(pool.map(BareFunction.answer_or_error, functions, batches))
        # A function that waited in vain for the lease fails, and SQS delivers its record again.
        late = [number for number, answer in enumerate(answers) if answer != NO_FAILURES]
        errors = [error for number in late for error in functions[number].logged_errors()]
        retried = [functions[number].answer_or_error(batches[number]) for number in late]

    assert set(errors) <= {lease_is_held(shop)}
    assert retried == [NO_FAILURES] * len(late)
    received = sandbox.received()
    assert {channel: len(messages) for channel, messages in received.items()} == {"json": 1, "text": 1, "chat": 1}
    assert [change for change, _ in changes(received["json"])] == ["opened"] * SHOP_FINDINGS
    alerts = [(alert["state"], alert["change"], alert["pending"]) for alert in sandbox.alerts]
    assert alerts == [("open", "opened", [])] * SHOP_FINDINGS
    assert [lease["claims"] for lease in sandbox.leases] == [1]
    assert sandbox.held_leases == []
    figure(f"{AT_ONCE} functions at once on one VPC: 1 alert on each of 3 topics, {len(late)} retried")


def test_each_change_of_gaps_that_come_and_go_is_sent_once(cloud: Cloud, shop: str, figure: AddFigure) -> None:
    """Uses another VPC. Five functions check it at the same time, after each change."""
    assert shop, "the Region has been emptied"
    build, rounds, at_once = networks.Builder(cloud.client("ec2")), 4, 5
    vpc = build.vpc("to-and-fro", "10.21.0.0/16")
    main = build.main_table(vpc)
    endpoints = [build.gateway_endpoint(service, vpc, [main]) for service in (networks.S3, networks.DYNAMODB)]
    subnet = build.subnet("to-and-fro", vpc, "10.21.0.0/24", "a")
    interface = build.interface_endpoint(networks.S3, vpc, subnet, DnsOptions=networks.ONLY_INBOUND)
    sandbox = Sandbox(cloud, "to-and-fro")
    sent: Counter[str] = Counter()
    with ExitStack() as running, ThreadPoolExecutor(at_once) as pool:
        functions = [running.enter_context(sandbox.function(str(number))) for number in range(at_once)]
        for number in range(rounds):
            change = {"RemoveRouteTableIds" if number % 2 == 0 else "AddRouteTableIds": [main]}
            for endpoint in endpoints:
                build.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, **change)
            options = networks.FOR_ALL_REQUESTS if number % 2 == 0 else networks.ONLY_INBOUND
            build.ec2.modify_vpc_endpoint(VpcEndpointId=interface, DnsOptions=options)
            # Once more, as SQS does, for those that waited in vain.
            for _ in range(2):
                answers = list(pool.map(BareFunction.answer_or_error, functions, [batch(again=vpc)] * at_once))
            assert answers == [NO_FAILURES] * at_once
            sent.update(change for change, _ in changes(sandbox.received()["json"]))

    sent_each = 3 * rounds // 2
    assert sent == {"opened": sent_each, "resolved": sent_each}, "two tables and an endpoint, every other round"
    assert [lease["claims"] for lease in sandbox.leases] == [rounds]
    assert sandbox.held_leases == []
    figure(f"{at_once} functions at once, {rounds} changes of 3 findings: {sum(sent.values())} sent, none twice")


# --- Killed functions -------------------------------------------------------------------------------------------------

SECONDS = 18
"""The timeout of the invocations that are killed. Their lease lasts a little longer."""
LEASE = SECONDS + 5


@dataclass(frozen=True)
class Kill:
    """Where a function is killed, and what follows from that."""

    name: str
    operation: str
    having: str
    forwarded: bool
    calls: int
    """How many such calls the function makes before it waits: it publishes two messages to three topics at once."""
    sent_before: int
    """The alerts on each topic when the function is dead."""
    sent_after: int
    """The alerts that its successors send. Never none in total: twice is allowed, lost is not."""


# One transaction acquires the lease and marks the records as pending, one marks them as delivered and releases it.
ACQUIRES, RELEASES = "SET claims", "REMOVE claimedUntil"

KILLS = [
    Kill("before-lease-acquired", "TransactWriteItems", ACQUIRES, False, 2, 0, 1),
    Kill("lease-acquired", "TransactWriteItems", ACQUIRES, True, 2, 0, 1),
    Kill("before-publishing", "Publish", "", False, 6, 0, 1),
    Kill("published-without-answer", "Publish", "", True, 6, 1, 1),
    Kill("before-lease-released", "TransactWriteItems", RELEASES, False, 2, 1, 1),
    Kill("lease-released", "TransactWriteItems", RELEASES, True, 2, 1, 0),
]

WITHOUT_LEASE = ("before-lease-acquired", "lease-released")
"""The kills that leave no lease. The next function does its work at once."""


@dataclass(frozen=True)
class Aftermath:
    """What happened after a function was killed."""

    before: list[str]
    """The changes that each topic had received by then."""
    early: tuple[Any, list[str]]
    """The answer and the logged errors of a function that runs before the lease ends."""
    sent_early: list[str]
    after: Any
    sent_after: list[str]
    last: Any
    """The answer of the function that runs at the end."""
    sent_last: int
    alerts: list[tuple[str, str, list[str]]]
    held_leases: int
    lease: float | None
    """How long the lease lasted from the beginning of the invocation, if the killed function left one."""


@pytest.fixture(scope="module")
def aftermaths(cloud: Cloud, shop: str) -> dict[str, Aftermath]:
    """All kills at once, because most of the time is waiting for the lease to end."""
    with ThreadPoolExecutor(len(KILLS)) as pool:
        outcomes = pool.map(lambda kill: kill_a_function(cloud, shop, kill), KILLS)
        return dict(zip([kill.name for kill in KILLS], outcomes, strict=True))


def kill_a_function(cloud: Cloud, shop: str, kill: Kill) -> Aftermath:
    """Kills a function at that point, and runs others after it."""
    payload = batch_of_all(shop)
    with pausing_proxy(cloud) as proxy:
        sandbox = Sandbox(cloud, f"killed-{kill.name}", OTHER_SERVICES)
        pause = proxy.pause(kill.operation, kill.having, kill.forwarded)
        urls = {f"AWS_ENDPOINT_URL_{service}": proxy.url for service in ("DYNAMODB", "SNS")}
        with sandbox.function("killed", **urls) as victim:
            began = time.time()
            victim.begin(payload, SECONDS)
            assert pause.wait_for(kill.calls, SECONDS), "the call was made"
            victim.kill()
        before = sandbox.received()
        ends = [lease["claimedUntil"] for lease in sandbox.held_leases]
        with sandbox.function("early") as early:
            # Too short to wait for the end of the lease, and long enough for a busy machine.
            answer = early.answer_or_error(payload, seconds=14)
            assert all(time.time() < end for end in ends), "it ran before the lease ended"
            early_outcome = (answer, sorted(early.logged_errors()))
        sent_early = sandbox.received()
        time.sleep(max(0.0, *(end + 1 - time.time() for end in ends), 0.0))
        with sandbox.function("after") as after:
            after_answer, sent_after = after.answer_or_error(payload), sandbox.received()
            last_answer, sent_last = after.answer_or_error(payload), sandbox.received()
    return Aftermath(
        before=same_on_all_topics(before),
        early=early_outcome,
        sent_early=same_on_all_topics(sent_early),
        after=after_answer,
        sent_after=same_on_all_topics(sent_after),
        last=last_answer,
        sent_last=sum(map(len, sent_last.values())),
        alerts=[(alert["state"], alert["change"], alert["pending"]) for alert in sandbox.alerts],
        held_leases=len(sandbox.held_leases),
        lease=next((end - began for end in ends), None),
    )


def same_on_all_topics(received: dict[str, list[Message]]) -> list[str]:
    """Returns the changes of each message. All topics must have received the same number of messages."""
    assert len({len(messages) for messages in received.values()}) == 1
    return sorted(",".join(change for change, _ in changes([message])) for message in received["json"])


ABOUT_APIS, ABOUT_SHOP = 1, SHOP_FINDINGS + 2
"""The number of findings in the two messages of each topic."""
ALERTS = [",".join(["opened"] * findings) for findings in (ABOUT_APIS, ABOUT_SHOP)]


@pytest.mark.parametrize("kill", KILLS, ids=lambda kill: kill.name)
def test_a_killed_function_loses_no_alert(kill: Kill, shop: str, aftermaths: dict[str, Aftermath]) -> None:
    aftermath = aftermaths[kill.name]

    assert aftermath.before == ALERTS * kill.sent_before
    if kill.name in WITHOUT_LEASE:
        assert aftermath.early == (NO_FAILURES, [])
        assert (aftermath.sent_early, aftermath.sent_after) == (ALERTS * kill.sent_after, [])
        assert aftermath.lease is None
    else:
        assert aftermath.early == (failed("shop", "apis"), sorted([lease_is_held(shop), lease_is_held("rest-apis")]))
        assert (aftermath.sent_early, aftermath.sent_after) == ([], ALERTS * kill.sent_after)
        assert aftermath.lease is not None
        assert SECONDS < aftermath.lease <= LEASE + 1
    assert (aftermath.after, aftermath.last, aftermath.sent_last) == (NO_FAILURES, NO_FAILURES, 0)
    assert aftermath.alerts == [("open", "opened", [])] * (ABOUT_APIS + ABOUT_SHOP)
    assert aftermath.held_leases == 0


def test_no_alert_is_lost_and_few_are_sent_twice(aftermaths: dict[str, Aftermath], figure: AddFigure) -> None:
    sent = {
        name: len(aftermath.before) + len(aftermath.sent_early) + len(aftermath.sent_after)
        for name, aftermath in aftermaths.items()
    }
    twice = " and ".join(sorted(name for name, times in sent.items() if times == 2 * len(ALERTS)))
    figure(f"{len(sent)} functions killed with SIGKILL: 0 alerts lost, sent twice after {twice}")
    assert min(sent.values()) == len(ALERTS), "lost"
    assert max(sent.values()) == 2 * len(ALERTS), "sent again, where nobody could know that it had been sent"


READS = {
    "GetRestApis": "apigateway",
    "ListHostedZonesByVPC": "route53",
    "ListProfileAssociations": "route53profiles",
    "ListProfileResourceAssociations": "route53profiles",
    "ListResolverRuleAssociations": "route53resolver",
    "ListResolverRules": "route53resolver",
}
"""The calls to other services than EC2, and their services."""


@pytest.fixture(scope="module")
def killed_reads(cloud: Cloud, shop: str) -> dict[str, tuple[Any, ...]]:
    """For each of these calls, what happens before and after a function is killed while it waits for the answer."""
    with fault_proxy(cloud, *sorted(BESIDE_EC2)) as proxy, ThreadPoolExecutor(len(READS)) as pool:
        return dict(zip(READS, pool.map(lambda call: kill_a_read(cloud, proxy, shop, call), READS), strict=True))


def kill_a_read(cloud: Cloud, proxy: FaultProxy, shop: str, operation: str) -> tuple[Any, ...]:
    """Kills a function during the call. Returns what it sent and stored, and what the next one answers and sends."""
    name = f"killed-{operation}"
    urls = dict.fromkeys(BESIDE_EC2.values(), proxy.url)
    sandbox = Sandbox(cloud, name, OTHER_SERVICES | urls | user_agent(name))
    call = {"service": READS[operation], "operation": operation, "headers": calls_of(name)}
    rule = proxy.inject(hang() | call)
    with sandbox.function("killed") as victim:
        victim.begin(batch_of_all(shop))
        assert wait_until(lambda: proxy.injected(rule) > 0, seconds=30), "the call was made"
        victim.kill()
    proxy.heal(calls_of(name))
    before = same_on_all_topics(sandbox.received()), sandbox.alerts, sandbox.leases
    with sandbox.function("after") as after:
        answer = after.answer_or_error(batch_of_all(shop))
    return before, answer, same_on_all_topics(sandbox.received()), [lease["claims"] for lease in sandbox.leases]


@pytest.mark.parametrize("operation", READS)
def test_a_function_that_is_killed_while_it_reads_has_sent_nothing_and_the_next_sends_all(
    operation: str, killed_reads: dict[str, tuple[Any, ...]]
) -> None:
    assert killed_reads[operation] == (([], [], []), NO_FAILURES, ALERTS, [1, 1])
