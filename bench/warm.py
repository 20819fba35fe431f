"""Warm events at several latencies.

The limit is the number of calls that have to follow each other, times the latency.
"""

from collections import defaultdict
from statistics import median
from typing import Any

from bench.events import route_created, subnet_created
from bench.figures import RUNS, Row, compared, exactly
from bench.function import Function
from bench.session import Session

LATENCIES_MS = (0, 5, 20)
VPCS = 10
SUBNET_WITHOUT_ROUTE = 2
"""A subnet of the first VPC, whose table has a gap."""

EVENTS: dict[str, tuple[dict[str, Any], int, int]] = {
    # Event, calls in sequence of the limit, messages.
    "nothing to send, VPC named": (subnet_created(vpc=1, subnet=8), 1, 0),
    "nothing to send, VPC not named, resource seen before": (route_created(5), 1, 0),
    "alert, VPC named": (subnet_created(vpc=0, subnet=SUBNET_WITHOUT_ROUTE), 4, 1),
}


def measure(session: Session) -> list[Row]:
    """Returns the rows of this part."""
    stand_in = session.stand_in
    times: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    calls: dict[tuple[str, str], dict[str, Any]] = {}
    for name in ("gatewatch", "twin"):
        stand_in.reset(VPCS, gaps=1)
        with Function(session.programs[name], stand_in, history=True) as function:
            for _ in range(3):
                for event, _, _ in EVENTS.values():
                    function.invoke(event)
            for _ in range(RUNS):
                for latency in LATENCIES_MS:
                    stand_in.reset(VPCS, gaps=1, latency_ms=latency)
                    for what, (event, _, messages) in EVENTS.items():
                        stand_in.zero()
                        times[name, what, latency].append(function.invoke(event).ms)
                        calls[name, what] = stand_in.counters()
                        assert calls[name, what]["messages"] == messages, (name, what, calls[name, what])

    session.results["warm"] = [
        {"name": name, "event": what, "latency": latency, "limit_ms": EVENTS[what][1] * latency, "ms": found}
        for (name, what, latency), found in times.items()
    ]
    rows = []
    for what, (_, limit, _) in EVENTS.items():
        for latency in LATENCIES_MS:
            ours, twin = (times[name, what, latency] for name in ("gatewatch", "twin"))
            kind = f"warm, {what}, {latency} ms per call"
            if latency:
                with_what = f"limit, {limit} call{'s' if limit > 1 else ''} in sequence"
                target = "1.05" if latency == max(LATENCIES_MS) else ""
                rows.append(compared(kind, ours, "ms", with_what, limit * latency, target))
            rows.append(compared(kind, ours, "ms", "twin", median(twin)))
        ours_calls, twin_calls = (calls[name, what] for name in ("gatewatch", "twin"))
        for counter, label in (("in_sequence", "calls in sequence"), ("calls", "calls")):
            ours_count, twin_count = (
                sum(found[counter].values()) if counter == "calls" else found[counter]
                for found in (ours_calls, twin_calls)
            )
            rows.append(Row(f"warm, {what}: {label}", exactly(ours_count), "", f"twin: {twin_count}"))
    return rows
