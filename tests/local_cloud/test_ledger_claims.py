"""Told means published, and told once: many functions at once, and one that is killed in the middle of its work."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from bench import ALL_DONE, Bench, another_is_telling, answer_or_error, changes, errors_in, record
from local import networks
from local.cloud import Cloud
from local.deployment import Deployment
from local.gate import gate_before

AT_ONCE = 20
GAPS = 3
"""The findings of the demo's network."""


@pytest.fixture(scope="module")
def shop(cloud: Cloud, stack: Deployment) -> Iterator[str]:
    """A VPC with gaps. The deployed function is told of nothing."""
    with stack.untold():
        cloud.empty_the_region()
        yield networks.build_shop(cloud.client("ec2"))


# --- Many at once -----------------------------------------------------------------------------------------------------


def test_of_twenty_functions_at_once_one_tells(cloud: Cloud, shop: str, notes: list[str]) -> None:
    bench = Bench(cloud, "at-once")
    batches = [{"Records": [record(str(number), shop)]} for number in range(AT_ONCE)]
    with ExitStack() as running, ThreadPoolExecutor(AT_ONCE) as pool:
        functions = [running.enter_context(bench.function(str(number))) for number in range(AT_ONCE)]
        answers = list(pool.map(answer_or_error, functions, batches))
        # One who has waited in vain for the one who tells fails, and SQS hands its record over again.
        late = [each for each, answer in zip(range(AT_ONCE), answers) if answer != ALL_DONE]
        why = [error for each in late for error in errors_in(functions[each])]
        again = [answer_or_error(functions[each], batches[each]) for each in late]

    assert set(why) <= {f"PublishFailed: {another_is_telling(shop)}"}
    assert again == [ALL_DONE] * len(late)
    received = bench.received(at_least=1)
    assert {channel: len(messages) for channel, messages in received.items()} == {"json": 1, "text": 1, "chat": 1}
    assert [change for change, _ in changes(received["json"])] == ["opened"] * GAPS
    entries = [(entry["state"], entry["change"], entry["pending"]) for entry in bench.items]
    assert entries == [("open", "opened", [])] * GAPS
    assert ([claim["claims"] for claim in bench.claims], bench.held) == ([1], [])
    notes.append(f"{AT_ONCE} functions at once on one VPC: 1 notice on each of 3 topics, {len(late)} had to be retried")


def test_of_gaps_that_come_and_go_each_change_is_told_once(cloud: Cloud, shop: str, notes: list[str]) -> None:
    """A VPC more, and always five functions that look at it at once."""
    build, rounds, at_once = networks.Builder(cloud.client("ec2")), 4, 5
    vpc = build.vpc("to-and-fro", "10.21.0.0/16")
    main = build.main_table(vpc)
    endpoints = [build.gateway_endpoint(service, vpc, [main]) for service in (networks.S3, networks.DYNAMODB)]
    bench = Bench(cloud, "to-and-fro")
    told: Counter[str] = Counter()
    with ExitStack() as running, ThreadPoolExecutor(at_once) as pool:
        functions = [running.enter_context(bench.function(str(number))) for number in range(at_once)]
        for number in range(rounds):
            change = {"RemoveRouteTableIds" if number % 2 == 0 else "AddRouteTableIds": [main]}
            for endpoint in endpoints:
                build.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, **change)
            batch = {"Records": [record("again", vpc)]}
            # Once more, as SQS would, for who has waited in vain.
            outcomes = [list(pool.map(answer_or_error, functions, [batch] * at_once)) for _ in range(2)]
            assert outcomes[1] == [ALL_DONE] * at_once
            told.update(change for change, _ in changes(bench.received(at_least=1)["json"]))

    assert told == {"opened": rounds, "resolved": rounds}, "two services, each other round"
    assert ([claim["claims"] for claim in bench.claims], bench.held) == ([rounds], [])
    notes.append(f"{at_once} functions at once, {rounds} changes of 2 findings: {sum(told.values())} told, none twice")


# --- Killed -----------------------------------------------------------------------------------------------------------

SECONDS = 18
"""What the invocations have that are killed: the claim lasts a little longer."""
LEASE = SECONDS + 5


@dataclass(frozen=True)
class Death:
    """Where the function is killed, and what that means."""

    name: str
    operation: str
    having: str
    arrived: bool
    calls: int
    """How often it is made before the function waits: SNS hears of three topics at once."""
    told_before: int
    """The notices on each topic when it is dead."""
    told_after: int
    """Those that its successor sends. Together never none: told twice is allowed, lost is not."""


# What is going to be told is written down before, and what was told after. Only then is nothing pending.
SOME_PENDING, NONE_PENDING = '"pending":{"L":[{', '"pending":{"L":[]}'

DEATHS = [
    Death("claimed", "UpdateItem", "SET claims", True, 1, 0, 1),
    Death("begun", "BatchWriteItem", SOME_PENDING, True, 1, 0, 1),
    Death("before-publishing", "Publish", "", False, 3, 0, 1),
    Death("published-unheard", "Publish", "", True, 3, 1, 1),
    Death("published", "BatchWriteItem", NONE_PENDING, False, 1, 1, 1),
    Death("remembered", "BatchWriteItem", NONE_PENDING, True, 1, 1, 0),
    Death("before-letting-go", "UpdateItem", "REMOVE claimedUntil", False, 1, 1, 0),
]


@dataclass(frozen=True)
class Aftermath:
    """What became of a death."""

    before: list[str]
    """The changes that each topic had been told of then."""
    early: tuple[Any, list[str]]
    """The answer to who comes before the claim ends, and what it says in its log."""
    told_early: int
    after: Any
    told: list[str]
    last: Any
    """The answer to who comes then."""
    told_last: int
    entries: list[tuple[str, str, list[str]]]
    held: int
    lease: float
    """How long the VPC was claimed from the beginning of the invocation."""


@pytest.fixture(scope="module")
def aftermaths(cloud: Cloud, shop: str) -> dict[str, Aftermath]:
    """All deaths at once, because their time is that of waiting for the claim to end."""
    with ThreadPoolExecutor(len(DEATHS)) as pool:
        return dict(zip([death.name for death in DEATHS], pool.map(lambda death: die(cloud, shop, death), DEATHS)))


def die(cloud: Cloud, shop: str, death: Death) -> Aftermath:
    """Kills a function at that point, and sends others after it."""
    with gate_before(cloud) as gate:
        bench = Bench(cloud, f"killed-{death.name}")
        stop = gate.stop(death.operation, death.having, death.arrived)
        batch = {"Records": [record("shop", shop)]}
        url = {f"AWS_ENDPOINT_URL_{service}": gate.url for service in ("DYNAMODB", "SNS")}
        with bench.function("killed", **url) as victim:
            began = time.time()
            victim.begin(batch, SECONDS)
            assert stop.wait_for(death.calls, SECONDS), "the call was made"
            victim.kill()
        before = bench.received()
        [claim] = bench.held
        with bench.function("early") as early:
            # So short that it does not wait for the end of the claim, and long enough for a busy machine.
            answer = answer_or_error(early, batch, seconds=14)
            assert time.time() < claim["claimedUntil"], "it came in time"
            early_answer = (answer, errors_in(early))
        told_early = sum(map(len, bench.received().values()))
        time.sleep(max(0.0, claim["claimedUntil"] + 1 - time.time()))
        with bench.function("after") as after:
            after_answer, told = answer_or_error(after, batch), bench.received()
            last_answer, told_last = answer_or_error(after, batch), bench.received()
    return Aftermath(
        before=same_on_all(before),
        early=early_answer, told_early=told_early,
        after=after_answer, told=same_on_all(told),
        last=last_answer, told_last=sum(map(len, told_last.values())),
        entries=[(entry["state"], entry["change"], entry["pending"]) for entry in bench.items],
        held=len(bench.held),
        lease=claim["claimedUntil"] - began,
    )


def same_on_all(received: dict[str, list[Any]]) -> list[str]:
    """The changes that were told, message by message. Each topic has as many messages as the others."""
    assert len({len(messages) for messages in received.values()}) == 1
    return [",".join(change for change, _ in changes([message])) for message in received["json"]]


NOTICE = ",".join(["opened"] * GAPS)


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: death.name)
def test_who_is_killed_leaves_nothing_untold(death: Death, shop: str, aftermaths: dict[str, Aftermath]) -> None:
    came = aftermaths[death.name]

    assert came.before == [NOTICE] * death.told_before
    # What is remembered is told: there is nothing to claim the VPC for.
    in_the_way = death.told_after > 0
    refused = ({"batchItemFailures": [{"itemIdentifier": "shop"}]}, [f"PublishFailed: {another_is_telling(shop)}"])
    assert came.early == (refused if in_the_way else (ALL_DONE, []))
    assert came.told_early == 0
    assert (came.after, came.told) == (ALL_DONE, [NOTICE] * death.told_after)
    assert (came.last, came.told_last) == (ALL_DONE, 0)
    assert came.entries == [("open", "opened", [])] * GAPS
    # Where there was nothing left to tell nobody has claimed the VPC since; what is over is no claim.
    assert came.held == (0 if in_the_way else 1)
    assert SECONDS < came.lease <= LEASE + 1


def test_nothing_was_lost(aftermaths: dict[str, Aftermath], notes: list[str]) -> None:
    told = {name: len(came.before) + len(came.told) for name, came in aftermaths.items()}
    assert min(told.values()) == 1, "lost"
    assert max(told.values()) == 2, "told again, where nobody could know that it had been told"
    twice = sorted(name for name, times in told.items() if times == 2)
    again = " and where ".join(twice)
    notes.append(f"{len(told)} functions killed with SIGKILL: 0 notices lost, told twice where {again}")
