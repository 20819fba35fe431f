"""A day of a busy account: 10,000 calls that change a security group. Few of the groups belong to an endpoint.

First they come one per invocation. That is the worst case: 10,000 a day are one every 8.6 s, and a batch collects calls
for 10 s. Then they come at once, in batches of 100.

The part fails unless each batch that changes the group of an endpoint reads the endpoint's VPC and the group, once, and
nothing else reads a VPC or a group.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.events import GROUP_CALLS, batch, group_changed, resource
from bench.figures import RUNS, Row, exactly, figure
from bench.function import Function
from bench.session import Session
from bench.stand_in import MeasurementFailed

CALLS = int(os.environ.get("GROUP_CALLS", "10000"))
CALLS_OF_ENDPOINTS = CALLS // 100
VPCS, ENDPOINTS = 1000, 50
"""The first VPCs have an endpoint each, whose group has the number of the VPC. Other groups have no endpoint."""
OTHER_GROUPS = 5000
BATCH = 100
LATENCY_MS = 20
MAX_RUNS_AT_ONCE = 3
REFILL_S = 0.4
"""The wait before each call that reads a VPC, so that gatewatch's bucket of calls to EC2 has tokens for it.

In a real day the bucket is full. Here the day takes minutes.
"""
GB = 0.25
"""The memory of the function in the template."""


@dataclass(frozen=True)
class Invocation:
    """One invocation of the function."""

    vpcs_read: int
    """How many VPCs were read: those of the endpoints whose groups were changed."""
    ms: float
    cpu_ms: float
    calls: Counter[str]

    @property
    def ec2_calls(self) -> int:
        """The calls to EC2."""
        return sum(count for call, count in self.calls.items() if call.startswith("Describe"))


def changed_groups() -> list[int]:
    """The number of the group that each call changes, in the same order in each run."""
    groups = [number % ENDPOINTS for number in range(CALLS_OF_ENDPOINTS)]
    groups += [ENDPOINTS + number % OTHER_GROUPS for number in range(CALLS - len(groups))]
    random.Random(9).shuffle(groups)
    return groups


def play(session: Session, size: int) -> tuple[list[Invocation], dict[str, Any]]:
    """Plays all calls in batches of this size. Returns the invocations, and the counters at the end."""
    stand_in, groups, is_day = session.stand_in, changed_groups(), size == 1
    stand_in.reset(VPCS, latency_ms=LATENCY_MS, buckets=not is_day, interface_endpoints=ENDPOINTS)
    events = [group_changed(number % len(GROUP_CALLS), group) for number, group in enumerate(groups)]
    invocations = []
    with Function(session.programs["gatewatch"], stand_in, history=True) as function:
        before = stand_in.counters()
        for start in range(0, len(groups), size):
            of_endpoints = {group for group in groups[start : start + size] if group < ENDPOINTS}
            if of_endpoints and is_day:
                time.sleep(REFILL_S)
            cpu = function.cpu_ms()
            answer = function.invoke(batch(events[start : start + size]))
            cpu = function.cpu_ms() - cpu
            after = stand_in.counters()
            calls, named = (Counter(after[key]) - Counter(before[key]) for key in ("calls", "named"))
            before = after
            expected = {resource(kind, group): 1 for group in of_endpoints for kind in ("vpc", "sg")}
            if named != expected:
                raise MeasurementFailed(f"after calls {start} to {start + size}: read {named}, expected {expected}")
            invocations.append(Invocation(len(named) // 2, answer.ms, cpu, calls))
    return invocations, before


def gb_seconds(invocations: Sequence[Invocation]) -> float:
    """What Lambda charges for, beside the requests."""
    return sum(invocation.ms for invocation in invocations) / 1000 * GB


def measure(session: Session) -> list[Row]:
    """Returns the rows of this part."""
    day, _ = play(session, 1)
    at_once = [play(session, BATCH) for _ in range(min(RUNS, MAX_RUNS_AT_ONCE))]
    session.results["groups"] = {
        "day": [vars(invocation) for invocation in day],
        "at_once": [[vars(invocation) for invocation in invocations] for invocations, _ in at_once],
    }
    return [*rows_of_day(day), *rows_at_once(at_once)]


def rows_of_day(day: Sequence[Invocation]) -> list[Row]:
    """The rows of the calls that come one by one."""
    kind = f"{CALLS:,} group changes, one by one, {LATENCY_MS} ms per call (1 run)"
    rows = []
    for what, reads_vpcs in (("concerns no endpoint", False), ("concerns an endpoint", True)):
        invocations = [invocation for invocation in day if bool(invocation.vpcs_read) == reads_vpcs]
        count, checks = len(invocations), sum(invocation.vpcs_read for invocation in invocations)
        queries = sum(invocation.calls["Query"] for invocation in invocations)
        rows += [
            Row(f"{kind}: {what}: time", figure([invocation.ms for invocation in invocations]), "ms"),
            Row(f"{kind}: {what}: CPU", figure([invocation.cpu_ms for invocation in invocations]), "ms"),
            Row(f"{kind}: {what}: EC2 calls", figure([invocation.ec2_calls for invocation in invocations]), ""),
            Row(f"{kind}: {what}: alert history calls", exactly(queries), "", f"changes: {count:,}"),
            Row(f"{kind}: {what}: VPCs checked", exactly(checks), "", f"necessary: {count if reads_vpcs else 0}"),
        ]
    rows += [
        Row(f"{kind}: EC2 calls of all", exactly(sum(invocation.ec2_calls for invocation in day)), ""),
        Row(f"{kind}: Lambda requests of all", exactly(len(day)), ""),
        Row(f"{kind}: Lambda time of all", exactly(gb_seconds(day)), "GB-s", f"with {GB} GB"),
    ]
    return rows


def rows_at_once(runs: Sequence[tuple[Sequence[Invocation], dict[str, Any]]]) -> list[Row]:
    """The rows of the calls that come in batches."""
    kind = f"{CALLS:,} group changes, in batches of {BATCH}, {LATENCY_MS} ms per call ({len(runs)} runs)"
    ms = [sum(invocation.ms for invocation in invocations) for invocations, _ in runs]
    calls = [sum(invocation.ec2_calls for invocation in invocations) for invocations, _ in runs]
    checks = [sum(invocation.vpcs_read for invocation in invocations) for invocations, _ in runs]
    return [
        Row(f"{kind}: time of all", figure(ms), "ms"),
        Row(f"{kind}: EC2 calls of all", figure(calls), ""),
        Row(f"{kind}: throttled calls", figure([counters["throttled"] for _, counters in runs]), ""),
        Row(f"{kind}: VPCs checked", figure(checks), "", f"changes that concern an endpoint: {CALLS_OF_ENDPOINTS}"),
        Row(f"{kind}: Lambda requests of all", exactly(CALLS // BATCH), ""),
        Row(f"{kind}: Lambda time of all", figure([gb_seconds(run) for run, _ in runs]), "GB-s", f"with {GB} GB"),
    ]
