"""Which limit an organization reaches first: for each, the number of accounts at which it is reached.

| effect | means |
|---|---|
| breaks | something does not work any more |
| slower | something takes longer than it should |
| cut | an answer leaves something out, as designed |
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.organization.costs import Load
from bench.organization.model import (
    ACCOUNTS_PER_PAGE,
    ASSUMED_ROLES_PER_SECOND,
    WRITES_PER_PARTITION,
    Measured,
    Organization,
    aws,
    check_seconds,
    duration,
)

STEP_FUNCTIONS = "https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"
STATE_BYTES = 262_144
HISTORY_EVENTS = 25_000
CHILDREN_PER_SECOND = 6_000
"""Express executions that may be started a second."""
LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
LAMBDA_CONCURRENCY = 1_000
ANSWER_BYTES = 6 * 1024 * 1024
CLOUDFORMATION = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"
STACK_INSTANCES = 100_000
ORGANIZATIONS = "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html"
ORGANIZATION_ACCOUNTS = 10_000
DYNAMODB = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html"
DYNAMODB_S = 0.01
"""A write: single-digit milliseconds
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Introduction.html)."""
IAM = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"
EC2 = "https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html"
TEMPLATE = "template.yaml"

FUNCTION_TIMEOUT_S = 60
DEFAULT_CONCURRENCY = 20
"""MaxConcurrentChecks."""
QUEUE_CONCURRENCY = 10
"""MaximumConcurrency of the event source in a hub."""
WRITES_AT_ONCE = 20
REFUSED_AT_ONCE = 10_000
"""Both: src/app/coverage.rs"""
GROUPS_AT_ONCE = 8
"""src/app/handler.rs"""
TARGET_S = 15 * 60
DAY_S = 24 * 60 * 60
ID_BYTES = 15
"""An account in the list of ids: 12 digits, quotes, comma."""
PAGE_BYTES = 20_000
"""Assumed: what is beside the list of ids. The page that was just listed, and its rows: twice 20 accounts."""
EVENTS_PER_PAGE = 18
"""Choices and Passes: 4 with 2 events each. Tasks: 2 with 5 each (entered, scheduled, started, succeeded, exited)."""
EVENTS_PER_REGION = 12
"""Of the iteration, the Distributed Map and the Pass."""


@dataclass(frozen=True)
class Limit:
    """A limit, and the number of accounts at which it is reached. Infinite: it does not depend on that number."""

    what: str
    value: str
    accounts: float
    effect: str
    source: str
    remedy: str


def fewest_too_slow(regions: int, concurrency: int, measured: Measured, seconds: float, memory_mb: int) -> float:
    """The most accounts whose sweep still ends in time."""
    place, low, high = aws(memory_mb), 0, 1 << 24
    while low < high:
        middle = (low + high + 1) // 2
        is_in_time = duration(Organization(middle, regions, concurrency), measured, place).total <= seconds
        low, high = (middle, high) if is_in_time else (low, middle - 1)
    return float(low)


def limits(regions: int, measured: Measured, load: Load | None = None, memory_mb: int = 256) -> Sequence[Limit]:
    """All limits, the one that is reached first at the beginning."""
    load = load or Load()
    place = aws(memory_mb)
    check_s = check_seconds(measured, place)
    summary_s_per_marker = measured.summary_s_per_marker + measured.summary_cpu_s_per_marker * (
        1 / place.core_share - 1
    )
    refused_s = max(
        DYNAMODB_S / WRITES_AT_ONCE + measured.refused_cpu_s_per_marker / place.core_share,
        1 / WRITES_PER_PARTITION,
    )
    changes_per_second = QUEUE_CONCURRENCY * GROUPS_AT_ONCE / check_s
    default = f"MaxConcurrentChecks {DEFAULT_CONCURRENCY}"
    most = f"MaxConcurrentChecks {LAMBDA_CONCURRENCY:,}"
    found = [
        Limit(
            "memory of the function at the end of a sweep, which reads all markers",
            f"{memory_mb} MB",
            (memory_mb - measured.idle_mb) / (measured.summary_mb_per_marker * regions),
            "breaks",
            TEMPLATE,
            "MemorySize",
        ),
        Limit(
            "time of the same invocation",
            f"{FUNCTION_TIMEOUT_S} s",
            (FUNCTION_TIMEOUT_S - measured.summary_s) / (summary_s_per_marker * regions),
            "breaks",
            TEMPLATE,
            "MemorySize, which is CPU too",
        ),
        Limit(
            "accounts that cannot be entered, for the first time: a summary writes so many rows, one for each Region",
            f"{REFUSED_AT_ONCE:,} rows",
            REFUSED_AT_ONCE / regions,
            "cut",
            TEMPLATE,
            "deploy the roles before the hub: the others are told again after the next sweep",
        ),
        Limit(
            "time for as many rows, whatever the number of accounts",
            f"{REFUSED_AT_ONCE * refused_s:.0f} of {FUNCTION_TIMEOUT_S} s",
            math.inf if REFUSED_AT_ONCE * refused_s < FUNCTION_TIMEOUT_S else REFUSED_AT_ONCE / regions,
            "breaks",
            TEMPLATE,
            "",
        ),
        Limit(
            "instances of the stack set of organization/rules.yaml",
            f"{STACK_INSTANCES:,}",
            STACK_INSTANCES / regions,
            "breaks",
            CLOUDFORMATION,
            "several stack sets, or a higher quota",
        ),
        Limit(
            "accounts of an organization, as AWS grants them on request",
            f"{ORGANIZATION_ACCOUNTS:,}",
            ORGANIZATION_ACCOUNTS,
            "breaks",
            ORGANIZATIONS,
            "newer versions of the page say 50,000",
        ),
        Limit(
            "list of accounts in a state",
            f"{STATE_BYTES // 1024} KB",
            (STATE_BYTES - PAGE_BYTES) / ID_BYTES,
            "breaks",
            STEP_FUNCTIONS,
            "ExcludeAccounts and a second hub",
        ),
        Limit(
            "events in the history of the execution",
            f"{HISTORY_EVENTS:,}",
            (HISTORY_EVENTS - EVENTS_PER_REGION * regions) / EVENTS_PER_PAGE * ACCOUNTS_PER_PAGE,
            "breaks",
            STEP_FUNCTIONS,
            "ExcludeAccounts and a second hub",
        ),
        Limit(
            f"sweep within {TARGET_S // 60} minutes, {default}",
            default,
            fewest_too_slow(regions, DEFAULT_CONCURRENCY, measured, TARGET_S, memory_mb),
            "slower",
            TEMPLATE,
            "MaxConcurrentChecks",
        ),
        Limit(
            f"sweep within {TARGET_S // 60} minutes, {most}",
            f"Lambda's {LAMBDA_CONCURRENCY:,} at once",
            fewest_too_slow(regions, LAMBDA_CONCURRENCY, measured, TARGET_S, memory_mb),
            "slower",
            LAMBDA,
            "a longer sweep: nothing else needs it",
        ),
        Limit(
            f"sweep within a day, {default}",
            default,
            fewest_too_slow(regions, DEFAULT_CONCURRENCY, measured, DAY_S, memory_mb),
            "breaks",
            TEMPLATE,
            "MaxConcurrentChecks",
        ),
        Limit(
            f"sessions in {TARGET_S // 60} minutes",
            f"{ASSUMED_ROLES_PER_SECOND} a second",
            ASSUMED_ROLES_PER_SECOND * TARGET_S / regions,
            "slower",
            IAM,
            "a longer sweep",
        ),
        Limit(
            f"markers in {TARGET_S // 60} minutes: all have the same partition key",
            f"{WRITES_PER_PARTITION:,} a second",
            WRITES_PER_PARTITION * TARGET_S / regions,
            "slower",
            DYNAMODB,
            "a longer sweep",
        ),
        Limit(
            f"children that the state machine starts in {TARGET_S // 60} minutes",
            f"{CHILDREN_PER_SECOND:,} a second",
            CHILDREN_PER_SECOND * TARGET_S / regions,
            "slower",
            STEP_FUNCTIONS,
            "a longer sweep",
        ),
        Limit(
            f"changes, {load.changes_a_day:.0f} a day in each account and Region, spread over the day",
            f"{QUEUE_CONCURRENCY} batches at once",
            changes_per_second * DAY_S / (load.changes_a_day * regions),
            "slower",
            TEMPLATE,
            "MaximumConcurrency of the queue",
        ),
        Limit(
            'answer to {"coverage": true}',
            f"{ANSWER_BYTES // 1024 // 1024} MB",
            ANSWER_BYTES / (measured.overview_bytes * regions),
            "cut",
            LAMBDA,
            "its totals still count everything",
        ),
        Limit(
            "calls to EC2: a bucket for each account and Region",
            "20 a second",
            math.inf,
            "slower",
            EC2,
            "",
        ),
    ]
    return sorted(found, key=lambda limit: limit.accounts)
