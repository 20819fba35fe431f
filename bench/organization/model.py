"""How long a sweep takes: from what was measured, and from the limits of a place.

    python -m bench.organization.model                  the durations, costs and limits, as tables in Markdown
    python -m bench.organization.model measured.json    the same, from another measurement

The sweep is that of `organization/sweep.asl.json`: pages of accounts, then Regions one after the other, each with a
number of checks at once, then the summary. A place is where it runs: AWS, or this machine during the benchmark, whose
cores all processes share.

Every number in here is measured, or published and followed by its page, or an assumption that says so.
"""

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

MEASURED = Path(__file__).parent / "measured.json"

MB_PER_CORE = 1769
"""The memory with which a function has one core (https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html)."""
CONCURRENCY_PER_SECOND = 100
"""1,000 environments every 10 s (https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html)."""
WRITES_PER_PARTITION = 1000
"""Write units a second of one partition key; a marker is one unit, and all markers have the same partition key
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html)."""
ASSUMED_ROLES_PER_SECOND = 600
"""Calls of an account to STS in a Region (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""
ACCOUNTS_PER_PAGE = 20
"""The most that ListAccounts returns
(https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html)."""


@dataclass(frozen=True)
class Measured:
    """What the benchmark measures: each check of an account that the process does not know."""

    latency_s: float
    """The latency of every call during the measurement."""
    check_s: float
    """A check that runs alone."""
    check_cpu_s: float
    """Its CPU time."""
    others_cpu_s: float
    """The CPU time of the benchmark itself for a check: the stand-in, and the harness."""
    calls: dict[str, float]
    """Its calls."""
    start_s: float
    """From the start of a process until it waits for an event."""
    start_cpu_s: float
    """The CPU time of that, with what the benchmark itself takes for it."""
    page_s: float
    """The rows of a page of accounts."""
    summary_s: float
    summary_s_per_marker: float
    summary_cpu_s_per_marker: float
    refused_cpu_s_per_marker: float
    """What it takes to write down that people were told of one account and Region that cannot be entered."""
    idle_mb: float
    """The peak memory of a process after many checks."""
    summary_mb_per_marker: float
    log_bytes: float
    """What the function logs for a check."""
    overview_bytes: float
    """An account and Region in the answer to {"coverage": true}."""

    @property
    def waiting_s(self) -> float:
        """The part of a check in which it waits for answers."""
        return max(0.0, self.check_s - self.check_cpu_s)


def read(path: Path = MEASURED) -> Measured:
    """What was measured last."""
    return Measured(**json.loads(path.read_text()))


@dataclass(frozen=True)
class Organization:
    """What is swept, and how."""

    accounts: int
    regions: int
    concurrency: int
    """The parameter MaxConcurrentChecks."""

    @property
    def places(self) -> int:
        """Accounts and Regions."""
        return self.accounts * self.regions


@dataclass(frozen=True)
class Place:
    """Where the sweep runs."""

    core_share: float
    """The part of a core that a process has."""
    checks_per_second: float
    """The most that the services let through."""
    starts_per_second: float
    shared_cores: int | None = None
    """The number of cores, if all processes share them, and share them with the benchmark."""
    list_page_s: float = 0.0
    """A call of ListAccounts."""
    transition_s: float = 0.0
    """What the state machine adds to each page and to each check."""
    map_s: float = 0.0
    """What it adds to each Region: the start and the end of a Distributed Map."""


def aws(memory_mb: int = 256) -> Place:
    """AWS. What is not published is assumed: 0.2 s for ListAccounts, 0.05 s for a step, 5 s for a Distributed Map."""
    return Place(
        core_share=min(1.0, memory_mb / MB_PER_CORE),
        checks_per_second=min(WRITES_PER_PARTITION, ASSUMED_ROLES_PER_SECOND),
        starts_per_second=CONCURRENCY_PER_SECOND,
        list_page_s=0.2,
        transition_s=0.05,
        map_s=5.0,
    )


def benchmark(cores: int) -> Place:
    """This machine: all processes share its cores, and nobody limits calls or starts."""
    return Place(core_share=1.0, checks_per_second=math.inf, starts_per_second=math.inf, shared_cores=cores)


@dataclass(frozen=True)
class Duration:
    """The parts of the duration of a sweep, in seconds."""

    listing: float
    start: float
    checks: float
    summary: float
    check: float
    """One check. Not a part."""

    @property
    def total(self) -> float:
        """The sum."""
        return self.listing + self.start + self.checks + self.summary


def check_seconds(measured: Measured, place: Place, latency_s: float | None = None) -> float:
    """One check. With another latency than the measured one, its waiting time is longer or shorter in proportion."""
    factor = 1.0 if latency_s is None else latency_s / measured.latency_s
    return measured.waiting_s * factor + measured.check_cpu_s / place.core_share + place.transition_s


def on_shared_cores(check_s: float, core_s: float, at_once: int) -> float:
    """A check while others run, which all need the same cores: those of a machine with `core_s` for each check.

    This is mean value analysis of a closed queue (Reiser and Lavenberg, https://doi.org/10.1145/322186.322195): a check
    that comes finds as many others waiting as there would be without it.
    """
    elsewhere_s, waiting, on_cores_s = check_s - core_s, 0.0, core_s
    for count in range(1, at_once + 1):
        on_cores_s = core_s * (1 + waiting)
        waiting = count * on_cores_s / (elsewhere_s + on_cores_s)
    return elsewhere_s + on_cores_s


def region_seconds(organization: Organization, check_s: float, measured: Measured, place: Place) -> float:
    """The checks of one Region: rounds of as many as run at once, unless the services let fewer through."""
    if place.shared_cores is not None:
        core_s = (measured.check_cpu_s + measured.others_cpu_s) / place.shared_cores
        check_s = on_shared_cores(check_s, core_s, min(organization.concurrency, organization.accounts))
    rounds = math.ceil(organization.accounts / organization.concurrency)
    return max(rounds * check_s, organization.accounts / place.checks_per_second)


def duration(organization: Organization, measured: Measured, place: Place, latency_s: float | None = None) -> Duration:
    """How long a sweep takes."""
    check_s = check_seconds(measured, place, latency_s)
    pages = math.ceil(organization.accounts / ACCOUNTS_PER_PAGE)
    # The first checks of the first Region wait for their processes.
    processes = min(organization.concurrency, organization.accounts)
    start = max(measured.start_s, processes / place.starts_per_second)
    if place.shared_cores is not None:
        start = max(start, processes * measured.start_cpu_s / place.shared_cores)
    checks = organization.regions * (region_seconds(organization, check_s, measured, place) + place.map_s)
    summary_cpu_s = measured.summary_cpu_s_per_marker * organization.places * (1 / place.core_share - 1)
    return Duration(
        listing=pages * (measured.page_s + place.list_page_s + 2 * place.transition_s),
        start=start,
        checks=checks,
        summary=measured.summary_s + measured.summary_s_per_marker * organization.places + summary_cpu_s,
        check=check_s,
    )


def longest_check(organization: Organization, measured: Measured, place: Place, target_s: float) -> float:
    """How long a check may take so that the sweep still ends in time."""
    found = duration(organization, measured, place)
    rounds = organization.regions * math.ceil(organization.accounts / organization.concurrency)
    rest = found.total - found.checks + organization.regions * place.map_s
    return max(0.0, (target_s - rest) / rounds)


def concurrency_for(organization: Organization, measured: Measured, place: Place, target_s: float) -> int | None:
    """The fewest checks at once with which the sweep ends in time; `None` if no number is enough."""
    for concurrency in range(1, 1001):
        tried = Organization(organization.accounts, organization.regions, concurrency)
        if duration(tried, measured, place).total <= target_s:
            return concurrency
    return None


if __name__ == "__main__":
    from bench.organization.tables import tables

    print(tables(read(Path(sys.argv[1])) if len(sys.argv) > 1 else read()))
