"""The soak test: `python -m tests.soak`. `make verify PART=soak` runs it; tests/local_cloud/support/soak.py is one run.

    SOAK_RUNS          how many runs (100)
    SOAK_SEED          the seed of the first run (1); the others follow it. SOAK_RUNS=1 SOAK_SEED=… repeats one run
    SOAK_CLOUDS        how many runs at once, each in a local cloud of its own (2)
    GATEWATCH_BINARY   the function's binary; by default `sam build` builds it first

At the end come the figures of all runs, and the seed of each run that found something wrong.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from queue import Queue

from local.cloud import Cloud, interruptible, local_cloud
from tests.local_cloud.support import soak, stack
from tests.local_cloud.support.fault_proxy import FaultProxy, fault_proxy
from tests.local_cloud.support.soak import Outcome

Place = tuple[Cloud, FaultProxy]


def main() -> int:
    """Makes all runs; returns 1 if one found something wrong."""
    runs, first = int(os.environ.get("SOAK_RUNS", "100")), int(os.environ.get("SOAK_SEED", "1"))
    clouds = min(runs, int(os.environ.get("SOAK_CLOUDS", "2")))
    with ExitStack() as running:
        running.enter_context(interruptible())
        places: Queue[Place] = Queue()
        for number in range(clouds):
            cloud = running.enter_context(local_cloud(f"soak-{number}"))
            if number == 0 and "GATEWATCH_BINARY" not in os.environ:
                stack.build_once(cloud)
            # One proxy for both services: a rule names the service that it is about.
            places.put((cloud, running.enter_context(fault_proxy(cloud, "dynamodb"))))

        def run(seed: int) -> Outcome:
            place = places.get()
            try:
                outcome = soak.run(*place, seed)
            finally:
                places.put(place)
            print(f"SOAK_SEED={seed}: {'WRONG' if outcome.wrong else 'right'}", *outcome.wrong, sep="\n  ", flush=True)
            return outcome

        with ThreadPoolExecutor(clouds) as pool:
            outcomes = list(pool.map(run, range(first, first + runs)))
    return report(outcomes)


def report(outcomes: list[Outcome]) -> int:
    """Prints the figures; returns 1 if a run found something wrong."""
    total = Outcome(0)
    for outcome in outcomes:
        total.add(outcome)
    print(f"\n{len(outcomes)} runs")
    for title, counter in (("counts", total.counts), ("faults", total.faults)):
        print(f"{title}: " + ", ".join(f"{count} {what}" for what, count in sorted(counter.items())))
    print("alerts, and how many of them repeat the one before:")
    for kind, count in sorted(total.messages.items()):
        print(f"  {kind}: {count}, {total.repeats[kind]} repeated")
    wrong = [outcome.seed for outcome in outcomes if outcome.wrong]
    lines = sum(len(outcome.wrong) for outcome in outcomes)
    print(
        f"{len(outcomes)} runs, {total.counts['kills']} kills, {total.faults.total()} faults, "
        f"{total.messages.total()} alerts, {total.repeats.total()} repeated, {lines} wrong"
        + (f"; repeat with SOAK_RUNS=1 SOAK_SEED={wrong[0]}; all: {wrong}" if wrong else "")
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
