"""Measures the release binary and prints one table. `make bench` runs it.

    make bench                  every part
    make bench PART=cold,sweep  some of the parts
    RUNS=50 make bench          more repetitions than 20

The raw results, the table and the plots go to target/bench.
"""

import json
import os
import platform
import sys
from collections.abc import Callable

from bench import agreement, burst, cold, groups, plots, rule, size, sweep, throttled, warm
from bench.build import RESULTS, build
from bench.figures import RUNS, Row, table
from bench.function import programs
from bench.organization import part as organization
from bench.session import Session
from bench.stand_in import StandIn

PARTS: dict[str, Callable[[Session], list[Row]]] = {
    "cold": cold.measure,
    "warm": warm.measure,
    "throttled": throttled.measure,
    "sweep": sweep.measure,
    "rule": rule.measure,
    "burst": burst.measure,
    "groups": groups.measure,
    "organization": organization.measure,
    "size": size.measure,
}


def load() -> str:
    """How busy the machine is."""
    return ", ".join(f"{average:.1f}" for average in os.getloadavg())


def main(wanted: str) -> int:
    """Runs the parts that are wanted."""
    names = list(PARTS) if wanted == "all" else wanted.split(",")
    if unknown := [name for name in names if name not in PARTS]:
        print(f"PART is {unknown}; allowed are all, or some of {', '.join(PARTS)}, with commas between them")
        return 2
    RESULTS.mkdir(parents=True, exist_ok=True)
    binaries = build()
    load_before = load()
    rows: list[Row] = []
    with StandIn(binaries.stand_in) as stand_in:
        session = Session(binaries, programs(binaries), stand_in)
        agreement.check(session)
        for name in names:
            print(f"measuring {name}", file=sys.stderr, flush=True)
            rows += PARTS[name](session)
            if name in session.results:
                (RESULTS / f"{name}.json").write_text(json.dumps(session.results[name]))
    plots.draw(session.results)
    head = (
        f"Medians of {RUNS} runs on {os.cpu_count()} {platform.machine()} cores. Load of the machine over 1, 5 and 15 "
        f"minutes before: {load_before}; after: {load()}."
    )
    text = f"{head}\n\n{table(rows)}\n"
    (RESULTS / "table.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "all"))
