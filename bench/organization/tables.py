"""What follows from the model, as tables in Markdown."""

import math
from collections.abc import Sequence

from bench.organization.costs import Cost, Load, beside, monthly
from bench.organization.limits import DEFAULT_CONCURRENCY, LAMBDA_CONCURRENCY, TARGET_S, limits
from bench.organization.model import Measured, Organization, aws, concurrency_for, duration, longest_check

REGIONS = 17
"""The Regions that an account has from the beginning
(https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html)."""
SIZES = (100, 1_000, 10_000)
TARGET_SIZE = 1_000


def minutes(seconds: float) -> str:
    """A duration."""
    return f"{seconds / 60:.1f}"


def durations(measured: Measured) -> list[str]:
    """How long sweeps take."""
    lines = [
        "| accounts | Regions | checks | checks at once | one check (s) | sweep (min) | fewest at once for "
        f"{TARGET_S // 60} min | longest check for it (s) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    place = aws()
    for accounts in SIZES:
        for concurrency in (DEFAULT_CONCURRENCY, 100, LAMBDA_CONCURRENCY):
            organization = Organization(accounts, REGIONS, concurrency)
            found = duration(organization, measured, place)
            fewest = concurrency_for(organization, measured, place, TARGET_S)
            lines.append(
                f"| {accounts:,} | {REGIONS} | {organization.places:,} | {concurrency:,} | {found.check:.2f} "
                f"| {minutes(found.total)} | {fewest or 'none'} "
                f"| {longest_check(organization, measured, place, TARGET_S):.2f} |"
            )
    return lines


def latencies(measured: Measured) -> list[str]:
    """How the duration depends on the latency of AWS, which nobody publishes."""
    lines = [
        "| latency of a call (ms) | one check (s) | sweep (min) | with 40 at once (min) |",
        "|---|---|---|---|",
    ]
    for latency_ms in (50, 100, 200, 400):
        totals = []
        for concurrency in (DEFAULT_CONCURRENCY, 2 * DEFAULT_CONCURRENCY):
            organization = Organization(TARGET_SIZE, REGIONS, concurrency)
            found = duration(organization, measured, aws(), latency_ms / 1000)
            totals.append(minutes(found.total))
        lines.append(f"| {latency_ms} | {found.check:.2f} | {' | '.join(totals)} |")
    return lines


def costs(measured: Measured) -> list[str]:
    """The lines of a month."""
    bills: list[Sequence[Cost]] = [
        monthly(Organization(accounts, REGIONS, DEFAULT_CONCURRENCY), measured) for accounts in SIZES
    ]
    lines = [
        f"| item | {' | '.join(f'{accounts:,} accounts' for accounts in SIZES)} | quantity for {TARGET_SIZE:,} |",
        f"|---|{'---|' * len(SIZES)}---|",
    ]
    middle = SIZES.index(TARGET_SIZE)
    for items in zip(*bills, strict=True):
        name = items[0].item if items[0].paid_by == "hub" else f"{items[0].item} (the {items[0].paid_by} pay)"
        lines.append(f"| {name} | {' | '.join(f'{item.usd:,.2f}' for item in items)} | {items[middle].quantity} |")
    sums = [sum(item.usd for item in bill) for bill in bills]
    lines.append(f"| **sum** | {' | '.join(f'**{total:,.2f}**' for total in sums)} | |")
    others = [beside(Organization(accounts, REGIONS, DEFAULT_CONCURRENCY), measured) for accounts in SIZES]
    for items in zip(*others, strict=True):
        usd = " | ".join(f"{item.usd:,.2f}" for item in items)
        lines.append(f"| not in the sum: {items[0].item} | {usd} | {items[middle].quantity} |")
    return lines


def ranked(measured: Measured) -> list[str]:
    """The limits, the first one at the beginning."""
    lines = ["| accounts | limit | value | effect | what helps |", "|---|---|---|---|---|"]
    for limit in limits(REGIONS, measured):
        accounts = "any number" if math.isinf(limit.accounts) else f"{limit.accounts:,.0f}"
        source = f"[{limit.value}]({limit.source})" if limit.source.startswith("https") else limit.value
        lines.append(f"| {accounts} | {limit.what} | {source} | {limit.effect} | {limit.remedy} |")
    return lines


def reached(accounts: int, measured: Measured) -> list[str]:
    """The limits that an organization of this size has reached."""
    found = [limit for limit in limits(REGIONS, measured) if limit.accounts < accounts]
    return [f"- {limit.what} ({limit.value}): from {limit.accounts:,.0f} accounts; {limit.remedy}" for limit in found]


def inputs(measured: Measured) -> list[str]:
    """What was measured."""
    calls = ", ".join(f"{count:.0f} {call}" for call, count in sorted(measured.calls.items()))
    return [
        "| measured | |",
        "|---|---|",
        f"| latency of each call | {measured.latency_s * 1000:.0f} ms |",
        f"| a check of an account and Region that the process does not know | {measured.check_s * 1000:.0f} ms |",
        f"| its CPU time | {measured.check_cpu_s * 1000:.1f} ms |",
        f"| its calls | {calls} |",
        f"| start of a process | {measured.start_s * 1000:.0f} ms |",
        f"| memory after 10,000 accounts and Regions | {measured.idle_mb:.1f} MB |",
        f"| memory of the summary for 1,000 accounts and Regions | {measured.summary_mb_per_marker * 1000:.2f} MB |",
    ]


def tables(measured: Measured) -> str:
    """All of it."""
    load = Load()
    parts = [
        "### What was measured",
        *inputs(measured),
        f"### Duration of a sweep of {REGIONS} Regions on AWS, function with 256 MB",
        *durations(measured),
        f"### The same for {TARGET_SIZE:,} accounts, with other latencies",
        *latencies(measured),
        f"### USD a month: {REGIONS} Regions, {load.sweeps_a_day:.0f} sweep a day, {load.changes_a_day:.0f} changes "
        "a day in each account and Region, prices of us-east-1, no free tier",
        *costs(measured),
        f"### Limits, by the number of accounts with {REGIONS} Regions each",
        *ranked(measured),
        f"### What {SIZES[-1]:,} accounts reach",
        *reached(SIZES[-1], measured),
    ]
    text = "\n".join(f"\n{part}\n" if part.startswith("#") else part for part in parts)
    return text.strip()
