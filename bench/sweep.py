"""Sweeps of whole Regions, each by a new process, because a sweep runs once a day.

The limit is the larger one of two times: the longest list of pages, one page after the other; and what EC2's bucket of
100 calls, refilled by 20 per second, needs for all calls.
"""

import os
from collections import defaultdict
from statistics import median

from bench.events import REGION
from bench.figures import RUNS, Row, compared, exactly
from bench.function import Function
from bench.session import Session

SIZES = [int(size) for size in os.environ.get("SWEEP_VPCS", "10,100,1000,5000").split(",")]
LATENCY_MS = 20
BUCKET, REFILL_PER_SECOND = 100, 20
MAX_RUNS = {5000: 5}
"""A sweep of 5,000 VPCs waits for the buckets, so it takes long and differs little."""


def limit_ms(pages: dict[str, int]) -> float:
    """The limit of a sweep with as many pages of each call."""
    reads = {name: count for name, count in pages.items() if name.startswith("Describe")}
    waiting_s = max(0, sum(reads.values()) - BUCKET) / REFILL_PER_SECOND
    return float(max(max(pages.values()) * LATENCY_MS, waiting_s * 1000))


def pages_of(vpcs: int) -> dict[str, int]:
    """The necessary calls: one for each page of each list."""
    large = vpcs // 10
    tables, subnets = 4 * (vpcs - large) + 20 * large, 8 * (vpcs - large) + 40 * large
    counts = {
        "DescribeVpcs": (vpcs, 1000),
        "DescribeSubnets": (subnets, 1000),
        "DescribeRouteTables": (tables, 100),
        "DescribeVpcEndpoints": (2 * vpcs, 1000),
        "Query": (1, 1),
    }
    return {name: -(-count // size) for name, (count, size) in counts.items()}


def measure(session: Session) -> list[Row]:
    """Returns the rows of this part."""
    rows, results = [], []
    for vpcs in SIZES:
        samples: dict[str, dict[str, list[float]]] = {"gatewatch": defaultdict(list), "twin": defaultdict(list)}
        runs = min(RUNS, MAX_RUNS.get(vpcs, RUNS))
        for _ in range(runs):
            for name, found in samples.items():
                session.stand_in.reset(vpcs, latency_ms=LATENCY_MS, buckets=True)
                with Function(session.programs[name], session.stand_in, history=True) as function:
                    cpu = function.cpu_ms()
                    found["ms"].append(function.invoke(REGION).ms)
                    found["cpu_ms"].append(function.cpu_ms() - cpu)
                    found["peak_mb"].append(function.peak_mb())
                counters = session.stand_in.counters()
                found["calls"].append(sum(counters["calls"].values()))
                found["throttled"].append(counters["throttled"])
        pages = pages_of(vpcs)
        limit = limit_ms(pages)
        results.append({"vpcs": vpcs, "limit_ms": limit, "samples": samples})
        ours, twin = samples["gatewatch"], samples["twin"]
        kind = f"sweep of {vpcs:,} VPCs, {LATENCY_MS} ms per call" + ("" if runs == RUNS else f" ({runs} runs)")
        rows += [
            compared(kind, ours["ms"], "ms", "limit", limit, "1.3"),
            compared(kind, ours["ms"], "ms", "twin", median(twin["ms"])),
            compared(f"{kind}: CPU", ours["cpu_ms"], "ms", "twin", median(twin["cpu_ms"])),
            compared(f"{kind}: peak memory", ours["peak_mb"], "MB", "twin", median(twin["peak_mb"])),
            compared(f"{kind}: calls", ours["calls"], "calls", "necessary", sum(pages.values())),
            Row(
                f"{kind}: throttled calls",
                exactly(median(ours["throttled"])),
                "calls",
                f"twin: {median(twin['throttled']):.0f}",
            ),
        ]
    session.results["sweep"] = results
    return rows
