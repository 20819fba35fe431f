"""What an organization costs a month: prices of us-east-1 in USD, without any free tier.

Prices of pages that show them with scripts were checked in November 2026 against copies of these pages.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.organization.model import (
    ACCOUNTS_PER_PAGE,
    Measured,
    Organization,
    aws,
    check_seconds,
    duration,
)

DAYS = 365 / 12

# https://aws.amazon.com/lambda/pricing/, arm64
LAMBDA_REQUEST, LAMBDA_GB_S = 0.20e-6, 0.0000133334
# https://aws.amazon.com/step-functions/pricing/
STATE_TRANSITION, EXPRESS_REQUEST, EXPRESS_GB_S = 0.025e-3, 1.00e-6, 0.00001667
EXPRESS_GB = 64 / 1024
"""Express workflows are billed in chunks of 64 MB."""
# https://aws.amazon.com/dynamodb/pricing/on-demand/
WRITE_UNIT, READ_UNIT, GB_MONTH, BACKUP_GB_MONTH = 0.625e-6, 0.125e-6, 0.25, 0.20
# https://aws.amazon.com/cloudwatch/pricing/
METRIC, ALARM, DASHBOARD, LOG_GB = 0.30, 0.10, 3.00, 0.50
# https://aws.amazon.com/eventbridge/pricing/: a custom event, also one that goes to a bus in another account.
EVENT = 1.00e-6
# https://aws.amazon.com/sqs/pricing/ and https://aws.amazon.com/sns/pricing/
QUEUE_REQUEST, MESSAGE = 0.40e-6, 0.50e-6
# https://aws.amazon.com/cloudtrail/pricing/: the first copy of management events is free, each other one is not.
TRAIL_EVENT = 2.00 / 100_000
# https://aws.amazon.com/guardduty/pricing/: events of CloudTrail, the first 500 million.
GUARDDUTY_EVENT = 4.00e-6

METRICS = 8
"""src/app/metrics.rs"""
ALARMS = 4
"""template.yaml: StaleChecksAlarm, SweepFailedAlarm, and one for each of two dead-letter queues."""
TRANSITIONS_PER_PAGE = 6
"""WhoLists, ListAccounts, ReadPage, WhatIsLeft, KeepAccounts, WhatIsLeft."""
TRANSITIONS_PER_REGION = 2
"""SweepAccounts, RegionEnded. Iterations of an inline Map cost nothing."""
TRANSITIONS_PER_SWEEP = 5
"""Begin, SweepRegions, Summarize, Judge, Done."""
TRANSITIONS_PER_CHILD = 1
"""https://docs.aws.amazon.com/step-functions/latest/dg/concepts-transitions.html"""
PLATFORM_LOG_BYTES = 600
"""Assumed: the lines that Lambda writes about an invocation."""
ROW_BYTES = 200
"""A marker, and an account."""
MARKERS_PER_READ_UNIT = 4096 // ROW_BYTES
"""A read unit is a consistent read of 4 KB
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/capacity-mode.html)."""


@dataclass(frozen=True)
class Load:
    """What happens in an organization. Assumptions: replace them by your own numbers."""

    sweeps_a_day: float = 1.0
    changes_a_day: float = 10.0
    """Calls in an account and Region that a rule forwards."""
    changes_per_batch: float = 1.0
    """The worst case: each call is an invocation of its own."""
    alerts_a_month: float = 0.1
    """Messages about an account and Region."""


@dataclass(frozen=True)
class Cost:
    """One line of the bill."""

    item: str
    quantity: str
    usd: float
    paid_by: str = "hub"


def transitions(organization: Organization) -> int:
    """The state transitions of a sweep."""
    pages = math.ceil(organization.accounts / ACCOUNTS_PER_PAGE)
    return (
        TRANSITIONS_PER_SWEEP
        + TRANSITIONS_PER_PAGE * pages
        + TRANSITIONS_PER_REGION * organization.regions
        + TRANSITIONS_PER_CHILD * organization.places
    )


def monthly(
    organization: Organization, measured: Measured, load: Load | None = None, memory_mb: int = 256
) -> Sequence[Cost]:
    """The lines of a month."""
    load = load or Load()
    place = aws(memory_mb)
    sweeps = load.sweeps_a_day * DAYS
    checks = sweeps * organization.places
    changes = load.changes_a_day * DAYS * organization.places
    batches = changes / load.changes_per_batch
    alerts = load.alerts_a_month * organization.places
    check_s = check_seconds(measured, place) - place.transition_s
    # A change reads the list of endpoints or one VPC: not more than a check.
    busy_s = (checks + batches) * check_s + sweeps * duration(organization, measured, place).summary
    invocations = checks + batches + sweeps
    queries = measured.calls.get("Query", 0.0)
    writes = checks * measured.calls.get("UpdateItem", 0.0) + sweeps * organization.accounts + 5 * alerts
    reads = (checks + batches) * queries + sweeps * organization.places / MARKERS_PER_READ_UNIT
    log_gb = invocations * (measured.log_bytes + PLATFORM_LOG_BYTES) / 1e9
    # A child exists a little longer than its check.
    child_s = math.ceil((check_s + place.transition_s) * 10) / 10
    gb = organization.places * 2 * ROW_BYTES / 1e9
    return (
        Cost(
            "Step Functions, transitions",
            f"{sweeps * transitions(organization):,.0f}",
            sweeps * transitions(organization) * STATE_TRANSITION,
        ),
        Cost(
            "Step Functions, Express",
            f"{checks:,.0f}",
            checks * (EXPRESS_REQUEST + child_s * EXPRESS_GB * EXPRESS_GB_S),
        ),
        Cost("Lambda, time", f"{busy_s:,.0f} s with {memory_mb} MB", busy_s * memory_mb / 1024 * LAMBDA_GB_S),
        Cost("Lambda, requests", f"{invocations:,.0f}", invocations * LAMBDA_REQUEST),
        Cost("DynamoDB, writes", f"{writes:,.0f}", writes * WRITE_UNIT),
        Cost("DynamoDB, reads", f"{reads:,.0f}", reads * READ_UNIT),
        Cost("DynamoDB, storage and backup", f"{gb:.3f} GB", gb * (GB_MONTH + BACKUP_GB_MONTH)),
        Cost("CloudWatch Logs", f"{log_gb:.2f} GB", log_gb * LOG_GB),
        Cost("CloudWatch, metrics", f"{METRICS}", METRICS * METRIC),
        Cost("CloudWatch, dashboard and alarms", f"1 and {ALARMS}", DASHBOARD + ALARMS * ALARM),
        Cost("SQS", f"{changes + 2 * batches:,.0f}", (changes + 2 * batches) * QUEUE_REQUEST),
        Cost("SNS", f"{alerts:,.0f}", alerts * MESSAGE),
        Cost("EventBridge, forwarded changes", f"{changes:,.0f}", changes * EVENT, "members"),
    )


def beside(organization: Organization, measured: Measured, load: Load | None = None) -> Sequence[Cost]:
    """What the calls of the sweeps cost where somebody pays for each recorded call.

    CloudTrail records AssumeRole in both accounts. The first trail is free.
    """
    load = load or Load()
    calls = sum(count for call, count in measured.calls.items() if call.startswith("Describe"))
    calls += 2 * measured.calls.get("AssumeRole", 0.0)
    events = calls * organization.places * load.sweeps_a_day * DAYS
    return (
        Cost("CloudTrail, if there is a second trail", f"{events:,.0f}", events * TRAIL_EVENT, "members"),
        Cost("GuardDuty, if it is on everywhere", f"{events:,.0f}", events * GUARDDUTY_EVENT, "members"),
    )
