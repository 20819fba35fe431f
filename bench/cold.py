"""Cold starts: from the start of the process to its first answer, over TLS.

The functions take turns, so that other work on the machine affects all of them alike.
"""

from collections import defaultdict
from statistics import median

from bench.events import route_created
from bench.figures import RUNS, Row, compared, exactly, figure
from bench.function import Function, Program
from bench.session import Session

WARM_EVENTS = 5
"""The events after the first one. The last ones count as warm."""
VPCS = 10
TABLE = 1
"""A covered table. The event does not name its VPC, and there is nothing to send."""

Samples = dict[str, list[float]]

QUANTITIES = {
    "total_ms": ("start to first answer", "ms"),
    "init_ms": ("start to ready", "ms"),
    "first_ms": ("first event", "ms"),
    "cpu_init_ms": ("CPU until ready", "ms"),
    "cpu_first_ms": ("CPU of the first event", "ms"),
    "peak_mb": ("peak memory", "MB"),
}


def measure(session: Session) -> list[Row]:
    """Returns the rows of this part."""
    variants = [
        (name, history) for name in ("gatewatch", "twin", "floor") for history in (True, False) if name != "floor"
    ]
    variants.append(("floor", False))
    samples: dict[tuple[str, bool], Samples] = {variant: defaultdict(list) for variant in variants}
    for _ in range(RUNS):
        for name, history in variants:
            cold_start(session, session.programs[name], history, samples[name, history])
    session.results["cold"] = {
        name if name == "floor" else f"{name}, {'with' if history else 'without'} history": found
        for (name, history), found in samples.items()
    }

    rows = []
    floor = samples["floor", False]
    for history in (True, False):
        kind = f"cold, {'with' if history else 'without'} history"
        ours, twin = samples["gatewatch", history], samples["twin", history]
        for quantity, (what, unit) in QUANTITIES.items():
            target = "1/25" if quantity == "total_ms" else ""
            rows.append(compared(f"{kind}: {what}", ours[quantity], unit, "twin", median(twin[quantity]), target))
        above = [ours_run - floor_run for ours_run, floor_run in zip(ours["total_ms"], floor["total_ms"], strict=True)]
        reference = f"floor: {median(floor['total_ms']):.1f} ms; target: 10 ms above it"
        rows.append(Row(f"{kind}: above the floor", figure(above), "ms", reference, median(above) / 10))
        warm = median(ours["warm_ms"])
        rows.append(compared(f"{kind}: first event against a warm one", ours["first_ms"], "ms", "warm", warm, "1.5"))
        twin_calls = f"twin: {median(twin['connections']):.0f}"
        rows.append(Row(f"{kind}: connections", exactly(median(ours["connections"])), "", twin_calls))
        new = exactly(median(ours["warm_connections"]))
        rows.append(Row(f"{kind}: new connections of {WARM_EVENTS} warm events", new, ""))
    for quantity, (what, unit) in QUANTITIES.items():
        rows.append(Row(f"cold, floor: {what}", figure(floor[quantity]), unit))
    return rows


def cold_start(session: Session, program: Program, history: bool, samples: Samples) -> None:
    """Starts a function, sends events, and adds what was measured to the samples."""
    session.stand_in.reset(VPCS)
    with Function(program, session.stand_in, history) as function:
        cpu_init = function.cpu_ms()
        first = function.invoke(route_created(TABLE))
        cpu_first = function.cpu_ms() - cpu_init
        connections = sum(session.stand_in.counters()["connections"].values())
        warm = [function.invoke(route_created(TABLE)).ms for _ in range(WARM_EVENTS)]
        all_connections = sum(session.stand_in.counters()["connections"].values())
        samples["init_ms"].append(function.init_ms)
        samples["first_ms"].append(first.ms)
        samples["total_ms"].append(function.init_ms + first.ms)
        samples["warm_ms"].append(median(warm[1:]))
        samples["cpu_init_ms"].append(cpu_init)
        samples["cpu_first_ms"].append(cpu_first)
        samples["peak_mb"].append(function.peak_mb())
        samples["connections"].append(connections)
        samples["warm_connections"].append(all_connections - connections)
