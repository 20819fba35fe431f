"""A burst: 1,000 changes in 100 VPCs, in batches of 100.

Each changes a table with a gap. The history keeps what was sent.
"""

import random
from collections import defaultdict
from statistics import median

from bench.events import route_created
from bench.figures import RUNS, Row, compared, figure
from bench.function import Function
from bench.session import Session

VPCS, CHANGES, BATCH = 100, 1000, 100
LATENCY_MS = 5


def tables_with_a_gap() -> list[int]:
    """The number of the last table of each VPC."""
    last, next_table = [], 0
    for vpc in range(VPCS):
        next_table += 20 if vpc % 10 == 9 else 4
        last.append(next_table - 1)
    return last


def measure(session: Session) -> list[Row]:
    """Returns the rows of this part."""
    changes = tables_with_a_gap() * (CHANGES // VPCS)
    # The same order in each run.
    random.Random(9).shuffle(changes)
    batches = [route_created(*changes[start : start + BATCH]) for start in range(0, CHANGES, BATCH)]
    samples: dict[str, dict[str, list[float]]] = {"gatewatch": defaultdict(list), "twin": defaultdict(list)}
    for _ in range(RUNS):
        for name, found in samples.items():
            session.stand_in.reset(VPCS, gaps=VPCS, latency_ms=LATENCY_MS, buckets=True, keeps_writes=True)
            with Function(session.programs[name], session.stand_in, history=True) as function:
                found["ms"].append(sum(function.invoke(batch).ms for batch in batches))
            counters = session.stand_in.counters()
            found["calls"].append(sum(counters["calls"].values()) / CHANGES)
            reads = [count for call, count in counters["calls"].items() if call.startswith("Describe")]
            found["reads"].append(sum(reads) / CHANGES)
            found["messages"].append(counters["messages"] / CHANGES)
    session.results["burst"] = samples
    ours, twin = samples["gatewatch"], samples["twin"]
    kind = f"burst of {CHANGES:,} changes in {VPCS} VPCs, {LATENCY_MS} ms per call"
    return [
        compared(kind, ours["ms"], "ms", "twin", median(twin["ms"])),
        compared(f"{kind}: calls per change", ours["calls"], "", "twin", median(twin["calls"])),
        compared(f"{kind}: EC2 calls per change", ours["reads"], "", "twin", median(twin["reads"])),
        Row(f"{kind}: messages per change", figure(ours["messages"]), "", f"necessary: {VPCS / CHANGES}"),
    ]
