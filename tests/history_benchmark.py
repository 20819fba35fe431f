"""What 100,000 resolved findings cost: `python -m tests.history_benchmark`, a part of `make verify`.

A Region has 500 open findings, whose rows the function itself has written. The benchmark measures a sweep that has
nothing to send, and the event of a deleted subnet, each in a new process of the function's binary:

1. without resolved findings;
2. with 100,000, where the function keeps them: in a partition that it never reads;
3. with 100,000 more, where gatewatch 0.1.0 kept them: with the open findings, until they expire.

It fails if a bound below is exceeded.

    BENCHMARK_RESOLVED  how many resolved findings (100000)
    GATEWATCH_BINARY    the function's binary; by default `sam build` builds it first, as a debug build
"""

import os
import sys
import time
from contextlib import ExitStack

from local.cloud import interruptible, local_cloud
from tests.local_cloud.support import stack
from tests.local_cloud.support.pausing_proxy import pausing_proxy
from tests.local_cloud.support.resolved_history import PAGE, Cost, Region, empty_ec2, item_size, pages_of
from tests.local_cloud.support.sandbox import Sandbox

RESOLVED = int(os.environ.get("BENCHMARK_RESOLVED", "100000"))
FINDINGS = 500
MEMORY = 64 * 1024 * 1024
"""A process stays below this, whatever is resolved."""
PAGES = 2
"""A sweep reads at most so many times the pages that the open findings need."""

HEADER = """
| alert history | invocation | pages read | peak memory | time |
|---|---|---:|---:|---:|"""


class Table:
    """The figures as Markdown, and the bounds that were exceeded."""

    def __init__(self) -> None:
        self.lines = [HEADER]
        self.exceeded: list[str] = []

    def add(self, rows: str, invocation: str, cost: Cost, at_most: int, at_least: int = 1) -> None:
        """Adds an invocation, and checks its memory and its pages."""
        memory = f"{cost.memory / 1024 / 1024:.1f} MB"
        self.lines.append(f"| {rows} | {invocation} | {cost.pages} | {memory} | {cost.seconds:.1f} s |")
        print(self.lines[-1], flush=True)
        if cost.memory >= MEMORY:
            self.exceeded.append(f"{rows}, {invocation}: {memory}, not below {MEMORY // 1024 // 1024} MB")
        if not at_least <= cost.pages <= at_most:
            self.exceeded.append(f"{rows}, {invocation}: {cost.pages} pages, not {at_least} to {at_most}")


def main() -> int:
    """Measures and prints; returns 1 if a bound is exceeded."""
    table = Table()
    with ExitStack() as running:
        running.enter_context(interruptible())
        cloud = running.enter_context(local_cloud("history-benchmark"))
        if "GATEWATCH_BINARY" not in os.environ:
            stack.build_once(cloud)
        proxy = running.enter_context(pausing_proxy(cloud))
        urls = {"AWS_ENDPOINT_URL_EC2": running.enter_context(empty_ec2(cloud)), "AWS_ENDPOINT_URL_DYNAMODB": proxy.url}
        sandbox = Sandbox(cloud, "history", urls)
        began = time.monotonic()
        region = Region(cloud, sandbox, proxy, FINDINGS)
        print(f"{FINDINGS} findings opened in {time.monotonic() - began:.0f} s", flush=True)
        size = sum(item_size(row) for row in region.open_rows)
        needed = pages_of(size)

        rows = f"{FINDINGS} open"
        table.add(rows, "sweep", region.sweep(), at_most=PAGES * needed)
        table.add(rows, "`DeleteSubnet`", region.delete_subnet(), at_most=1)

        began = time.monotonic()
        resolved_size = region.add_resolved(RESOLVED)
        print(f"{RESOLVED} rows written in {time.monotonic() - began:.0f} s", flush=True)
        rows = f"{FINDINGS} open, {RESOLVED:,} resolved"
        table.add(rows, "sweep", region.sweep(), at_most=PAGES * needed)
        table.add(rows, "`DeleteSubnet`", region.delete_subnet(), at_most=1)
        if any(b"#resolved" in query for query in proxy.queries):
            table.exceeded.append("a query reads the partition of the resolved findings")

        began = time.monotonic()
        old_size = region.add_resolved(RESOLVED, version=0)
        print(f"{RESOLVED} rows written in {time.monotonic() - began:.0f} s", flush=True)
        rows = f"{FINDINGS} open, {RESOLVED:,} resolved as in 0.1.0"
        # Fewer pages would mean that the emulator has larger pages than DynamoDB. Sizes may differ by a percent.
        least = pages_of((size + old_size) * 99 // 100)
        most = pages_of((size + old_size) * 101 // 100) + 1
        table.add(rows, "sweep", region.sweep(), most, least)
        table.add(rows, "`DeleteSubnet`", region.delete_subnet(), most, least)

    print(f"\nThe row of a finding has {size // FINDINGS:,} bytes; if it is resolved, {resolved_size // RESOLVED:,}.")
    print(f"The open findings need {needed} page{'s' * (needed > 1)} of {PAGE:,} bytes.")
    print("\n".join(table.lines))
    print("\n".join(["", *table.exceeded, f"{len(table.exceeded)} bounds exceeded"]))
    return 1 if table.exceeded else 0


if __name__ == "__main__":
    sys.exit(main())
