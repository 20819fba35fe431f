"""A sweep of 1,000 accounts and Regions, what the model says of it, and the memory of a hub.

    ORGANIZATION_ACCOUNTS=250 MAX_CONCURRENT_CHECKS=20 make bench PART=organization

The model gets what one process needs when it runs alone, and predicts what many processes need for the sweep. The part
fails if the prediction is wrong by more than a fifth.

The memory is that of one process which checks 10,000 accounts and Regions, each once: first by the requests of the
scheduled check, then by batches of changes.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from statistics import median
from typing import Any

from bench.build import RESULTS
from bench.events import batch
from bench.figures import RUNS, Row, compared, exactly, figure
from bench.function import LOG, Function
from bench.organization.hub import (
    PAGE,
    REGIONS,
    Fleet,
    Table,
    account,
    account_row,
    change_in,
    check_of,
    groups,
    hub,
    marker_row,
    refused_row,
    summary_since,
    sweep,
)
from bench.organization.model import Measured, Organization, benchmark, duration
from bench.session import Session
from bench.stand_in import MeasurementFailed

ACCOUNTS = int(os.environ.get("ORGANIZATION_ACCOUNTS", "250"))
CONCURRENCY = int(os.environ.get("MAX_CONCURRENT_CHECKS", "20"))
VPCS = 3
"""Of each account and Region."""
LATENCY_MS = 100
"""Of each call. With less, this machine could not answer as many calls at once as 20 processes make."""
MAX_RUNS = 3
ALONE = 30
"""The checks that are measured one by one."""
GROUPS = 10_000
BATCH = 100
"""The largest batch in the template."""
MARKERS = (1_000, 17_000, 170_000)
"""The markers that a summary reads: 17 Regions of 1,000 accounts, and of 10,000."""
TOLERANCE = 0.2


def now() -> str:
    """The time, as Step Functions writes it."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Summary:
    """The end of a sweep with many markers, by a new process."""

    markers: int
    ms: float
    cpu_ms: float
    peak_mb: float


def one_by_one(session: Session, summaries: Mapping[int, Summary], refused: Summary) -> Measured:
    """Measures checks that run alone."""
    stand_in, program = session.stand_in, hub(session.programs["gatewatch"], session.stand_in)
    stand_in.reset(VPCS, latency_ms=LATENCY_MS, buckets=True, keeps_writes=True)
    # These accounts are not those of the sweep, so that it finds nothing prepared.
    requests = [check_of(account(900_000 + number), REGIONS[0]) for number in range(ALONE + 1)]
    start_cpu_s = -stand_in.cpu_ms() / 1000 - time.process_time()
    with Function(program, stand_in, history=True) as function, Table(stand_in) as table:
        start_cpu_s += function.cpu_ms() / 1000 + stand_in.cpu_ms() / 1000 + time.process_time()
        function.invoke(requests[0])
        before, log_bytes = stand_in.counters()["calls"], LOG.stat().st_size
        started = function.cpu_ms(), stand_in.cpu_ms(), time.process_time()
        times = [function.invoke(request).ms for request in requests[1:]]
        ended = function.cpu_ms(), stand_in.cpu_ms(), time.process_time()
        after, log_bytes = stand_in.counters()["calls"], LOG.stat().st_size - log_bytes
        pages = []
        for page in range(3):
            rows = [account_row(account(900_000 + page * PAGE + number), now()) for number in range(PAGE)]
            began = time.monotonic()
            table.put(rows)
            pages.append(time.monotonic() - began)
        overview = function.invoke({"coverage": True})
        listed = json.loads(overview.text)["accountRegions"]
        start_s = function.init_ms / 1000
    small, large = summaries[MARKERS[0]], summaries[MARKERS[-1]]
    more = large.markers - small.markers
    s_per_marker = (large.ms - small.ms) / 1000 / more
    return Measured(
        latency_s=LATENCY_MS / 1000,
        check_s=median(times) / 1000,
        check_cpu_s=(ended[0] - started[0]) / 1000 / ALONE,
        others_cpu_s=(ended[1] - started[1]) / 1000 / ALONE + (ended[2] - started[2]) / ALONE,
        calls={
            call: (count - before.get(call, 0)) / ALONE for call, count in after.items() if count > before.get(call, 0)
        },
        start_s=start_s,
        start_cpu_s=start_cpu_s,
        page_s=median(pages),
        summary_s=max(0.0, small.ms / 1000 - s_per_marker * small.markers),
        summary_s_per_marker=s_per_marker,
        summary_cpu_s_per_marker=(large.cpu_ms - small.cpu_ms) / 1000 / more,
        refused_cpu_s_per_marker=(refused.cpu_ms - small.cpu_ms) / 1000 / refused.markers,
        idle_mb=0.0,
        summary_mb_per_marker=(large.peak_mb - small.peak_mb) / more,
        log_bytes=log_bytes / ALONE,
        overview_bytes=len(overview.text) / len(listed),
    )


def summary_of(session: Session, markers: int, are_refused: bool = False) -> Summary:
    """Ends a sweep that has left as many markers; `are_refused`: all are of accounts that could not be entered."""
    stand_in, program = session.stand_in, hub(session.programs["gatewatch"], session.stand_in)
    stand_in.reset(VPCS, keeps_writes=True)
    since = now()
    with Table(stand_in) as table:
        table.put([account_row(account(number), since) for number in range(markers // len(REGIONS))])
        row = refused_row if are_refused else marker_row
        table.put([row(*place, since) for place in groups(markers)])
    stand_in.set_latency(LATENCY_MS)
    with Function(program, stand_in, history=True) as function:
        cpu = function.cpu_ms()
        answer = function.invoke(summary_since(since))
        cpu, peak_mb = function.cpu_ms() - cpu, function.peak_mb()
    counted = json.loads(answer.text)["sweep"]["notEnrolled" if are_refused else "checked"]
    if counted != markers:
        raise MeasurementFailed(f"the summary counts {counted} of {markers} markers")
    return Summary(markers, answer.ms, cpu, peak_mb)


def sweeps(session: Session) -> tuple[list[float], list[dict[str, Any]]]:
    """Runs sweeps. Returns their durations in seconds, and what they called."""
    stand_in, program = session.stand_in, hub(session.programs["gatewatch"], session.stand_in)
    accounts = [account(number) for number in range(ACCOUNTS)]
    seconds, counters = [], []
    for _ in range(min(RUNS, MAX_RUNS)):
        stand_in.reset(VPCS, latency_ms=LATENCY_MS, buckets=True, keeps_writes=True)
        with Fleet(program, stand_in) as fleet, Table(stand_in) as table:
            began = time.monotonic()
            found = sweep(fleet, table, accounts, CONCURRENCY, now())
            seconds.append(time.monotonic() - began)
            processes = len(fleet.functions)
            peak_mb = max(function.peak_mb() for function in fleet.functions)
        called = stand_in.counters()
        if called["places"] != ACCOUNTS * len(REGIONS):
            raise MeasurementFailed(f"{called['places']} accounts and Regions were read")
        check_ms = [answer.ms for answer in found.checks]
        counters.append(called | {"processes": processes, "peak_mb": peak_mb, "check_ms": median(check_ms)})
    return seconds, counters


def memory(session: Session, requests: Sequence[Mapping[str, Any]]) -> dict[int, float]:
    """The peak memory in MB of one process after each tenth of the requests, which are about different groups."""
    stand_in, program = session.stand_in, hub(session.programs["gatewatch"], session.stand_in)
    stand_in.reset(VPCS, keeps_writes=True)
    peaks, tenth = {}, len(requests) // 10
    with Function(program, stand_in, history=True) as function:
        for number, request in enumerate(requests, 1):
            function.invoke(request)
            if number % tenth == 0:
                peaks[number // tenth * GROUPS // 10] = function.peak_mb()
    if (places := stand_in.counters()["places"]) != GROUPS:
        raise MeasurementFailed(f"{places} accounts and Regions were read")
    return peaks


def measure(session: Session) -> list[Row]:
    """Returns the rows of this part."""
    summaries = {markers: summary_of(session, markers) for markers in MARKERS}
    places = list(groups(GROUPS))
    peaks = memory(session, [check_of(*place) for place in places])
    changes = [change_in(*place) for place in places]
    peaks_of_batches = memory(session, [batch(changes[start : start + BATCH]) for start in range(0, GROUPS, BATCH)])
    refused = summary_of(session, MARKERS[0], are_refused=True)
    measured = one_by_one(session, summaries, refused)
    measured = Measured(**(asdict(measured) | {"idle_mb": peaks[GROUPS]}))
    predicted = duration(Organization(ACCOUNTS, len(REGIONS), CONCURRENCY), measured, benchmark(os.cpu_count() or 1))
    seconds, counters = sweeps(session)
    ratio = median(seconds) / predicted.total
    session.results["organization"] = {
        "measured": asdict(measured),
        "predicted": asdict(predicted),
        "seconds": seconds,
        "counters": counters,
        "peaks": peaks,
        "peaks_of_batches": peaks_of_batches,
        "summaries": [asdict(summary) for summary in summaries.values()],
        "refused": asdict(refused),
    }
    (RESULTS / "organization_measured.json").write_text(json.dumps(rounded(asdict(measured)), indent=2) + "\n")
    if abs(ratio - 1) > TOLERANCE:
        raise MeasurementFailed(f"the sweep took {seconds} s, and the model says {predicted}")
    return rows(measured, predicted.total, seconds, counters, (peaks, peaks_of_batches), summaries, refused)


def rows(
    measured: Measured,
    predicted_s: float,
    seconds: list[float],
    counters: list[dict[str, Any]],
    peaks: tuple[Mapping[int, float], Mapping[int, float]],
    summaries: Mapping[int, Summary],
    refused: Summary,
) -> list[Row]:
    """The rows of what was measured."""
    checks = ACCOUNTS * len(REGIONS)
    kind = f"organization, {ACCOUNTS:,} accounts in {len(REGIONS)} Regions, {CONCURRENCY} checks at once"
    kind_with_runs = f"{kind}, {LATENCY_MS} ms per call ({len(seconds)} runs)"
    calls = [sum(found["calls"].values()) / checks for found in counters]
    found = [
        compared(f"{kind_with_runs}: sweep", seconds, "s", "model", predicted_s, "0.8 to 1.2"),
        Row(f"{kind}: checks per second", figure([checks / run for run in seconds]), ""),
        Row(f"{kind}: one of the checks", figure([run["check_ms"] for run in counters]), "ms"),
        Row(f"{kind}: calls per check", figure(calls), "", f"unknown account: {sum(measured.calls.values()):.0f}"),
        Row(f"{kind}: sessions per check", figure([run["calls"]["AssumeRole"] / checks for run in counters]), ""),
        Row(f"{kind}: throttled calls", figure([run["throttled"] for run in counters]), ""),
        Row(f"{kind}: processes", figure([run["processes"] for run in counters]), ""),
        Row(f"{kind}: peak memory of a process", figure([run["peak_mb"] for run in counters]), "MB"),
        Row("organization, a check alone", exactly(measured.check_s * 1000), "ms"),
        Row("organization, a check alone: CPU", exactly(measured.check_cpu_s * 1000), "ms"),
    ]
    for what, found_peaks in zip(("by requests", f"by batches of {BATCH} changes"), peaks, strict=True):
        first, last = min(found_peaks), max(found_peaks)
        name = f"organization, one process, {last:,} accounts and Regions {what}: peak memory"
        found.append(compared(name, [found_peaks[last]], "MB", f"after {first:,}", found_peaks[first], "1.1"))
    kinds = [*((summary, "") for summary in summaries.values()), (refused, ", all refused for the first time")]
    for summary, of_which in kinds:
        what = f"organization, summary of {summary.markers:,} accounts and Regions{of_which}"
        found += [
            Row(f"{what}: time", exactly(summary.ms), "ms"),
            Row(f"{what}: CPU", exactly(summary.cpu_ms), "ms"),
            Row(f"{what}: peak memory", exactly(summary.peak_mb), "MB"),
        ]
    return found


def rounded(value: Any) -> Any:
    """Numbers with six digits. No measurement is more exact, and a number of twelve digits looks like an account."""
    if isinstance(value, dict):
        return {name: rounded(member) for name, member in value.items()}
    return float(f"{value:.6g}")
