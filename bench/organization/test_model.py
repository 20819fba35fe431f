"""The model alone: no process is started. `make bench PART=organization` compares it with a sweep."""

import json
import math
import re
from dataclasses import replace

import pytest

from bench.organization import costs, limits, model, tables
from bench.organization.model import Measured, Organization, Place
from local.environment import ROOT

MEASURED = Measured(
    latency_s=0.1,
    check_s=0.31,
    check_cpu_s=0.01,
    others_cpu_s=0.01,
    calls={"AssumeRole": 1, "DescribeVpcs": 4, "Query": 1, "UpdateItem": 1},
    start_s=0.2,
    start_cpu_s=0.02,
    page_s=0.1,
    summary_s=0.1,
    summary_s_per_marker=0.0001,
    summary_cpu_s_per_marker=0.00001,
    refused_cpu_s_per_marker=0.001,
    idle_mb=16,
    summary_mb_per_marker=0.001,
    log_bytes=600,
    overview_bytes=100,
)
IDEAL = Place(core_share=1.0, checks_per_second=math.inf, starts_per_second=math.inf)
TEMPLATE = (ROOT / "template.yaml").read_text()


def total(organization: Organization, place: Place = IDEAL) -> float:
    return model.duration(organization, MEASURED, place).total


def test_a_sweep_is_pages_then_rounds_of_checks_in_each_region_then_the_summary() -> None:
    found = model.duration(Organization(250, 4, 20), MEASURED, IDEAL)
    assert found.listing == pytest.approx(13 * 0.1)
    assert found.checks == pytest.approx(4 * 13 * 0.31)
    assert found.summary == pytest.approx(0.1 + 1000 * 0.0001)
    assert found.total == pytest.approx(1.3 + 0.2 + 16.12 + 0.2)


def test_a_part_of_a_core_makes_the_cpu_time_of_a_check_longer_but_not_its_waiting() -> None:
    assert model.check_seconds(MEASURED, IDEAL) == pytest.approx(0.31)
    assert model.check_seconds(MEASURED, replace(IDEAL, core_share=0.1)) == pytest.approx(0.30 + 0.1)
    assert model.check_seconds(MEASURED, IDEAL, latency_s=0.2) == pytest.approx(0.60 + 0.01)
    assert model.aws(1769).core_share == 1.0


def test_services_can_let_fewer_checks_through_than_run_at_once() -> None:
    organization, throttled = Organization(1000, 1, 1000), replace(IDEAL, checks_per_second=600)
    assert model.region_seconds(organization, 0.31, MEASURED, IDEAL) == pytest.approx(0.31)
    assert model.region_seconds(organization, 0.31, MEASURED, throttled) == pytest.approx(5 / 3)


def test_checks_wait_for_shared_cores_the_longer_the_more_run_at_once() -> None:
    # Each needs 10 ms of both cores.
    checks = [model.on_shared_cores(0.31, 0.01, at_once) for at_once in range(1, 1001)]
    assert checks[0] == pytest.approx(0.31)
    assert checks == sorted(checks)
    # No machine does more than its cores can.
    assert all(check_s > at_once * 0.01 - 1e-9 for at_once, check_s in enumerate(checks, 1))
    assert checks[-1] == pytest.approx(1000 * 0.01, rel=0.001)
    half_busy = checks[15]
    assert 0.31 < half_busy < 0.33


def test_more_accounts_or_regions_never_take_less_and_more_at_once_never_take_more() -> None:
    for place in (IDEAL, model.aws(), model.benchmark(cores=2)):
        for accounts in (1, 19, 20, 21, 1000):
            few = Organization(accounts, 3, 20)
            assert total(few, place) <= total(replace(few, accounts=accounts + 1), place)
            assert total(few, place) <= total(replace(few, regions=4), place)
            checks = [model.duration(replace(few, concurrency=n), MEASURED, place).checks for n in (1, 2, 20, 40)]
            assert checks == sorted(checks, reverse=True)


def test_the_longest_check_and_the_fewest_at_once_meet_the_target_exactly() -> None:
    organization = Organization(1000, 17, 20)
    place = model.aws()
    check_s = model.longest_check(organization, MEASURED, place, 900)
    slower = replace(MEASURED, check_s=MEASURED.check_s + check_s - model.check_seconds(MEASURED, place))
    assert model.duration(organization, slower, place).total == pytest.approx(900, abs=1)
    fewest = model.concurrency_for(organization, MEASURED, place, 900)
    assert fewest is not None
    assert total(replace(organization, concurrency=fewest), place) <= 900
    assert total(replace(organization, concurrency=fewest - 1), place) > 900
    assert model.concurrency_for(replace(organization, accounts=1_000_000), MEASURED, place, 900) is None


def test_a_bill_grows_with_the_organization_and_the_fixed_part_does_not() -> None:
    small, large = (costs.monthly(Organization(accounts, 17, 20), MEASURED) for accounts in (100, 1000))
    by_item = {cost.item: cost.usd for cost in small}
    for cost in large:
        if cost.item.startswith("CloudWatch, "):
            assert cost.usd == by_item[cost.item]
        else:
            assert 8 < cost.usd / by_item[cost.item] < 11, cost.item
    # 17,000 children, 50 pages and 17 Regions a day.
    assert costs.transitions(Organization(1000, 17, 20)) == 17_000 + 6 * 50 + 2 * 17 + 5
    [usd] = [cost.usd for cost in large if cost.item == "Step Functions, transitions"]
    assert usd == pytest.approx(17_339 * 365 / 12 * 0.000025)


def test_the_limits_are_ranked_and_depend_on_what_was_measured() -> None:
    found = limits.limits(17, MEASURED)
    accounts = [limit.accounts for limit in found]
    assert accounts == sorted(accounts)
    by_name = {limit.what: limit.accounts for limit in found}
    memory = "memory of the function at the end of a sweep, which reads all markers"
    assert by_name[memory] == pytest.approx(240 / (0.001 * 17))
    assert by_name["instances of the stack set of organization/rules.yaml"] == pytest.approx(100_000 / 17)
    [sweep] = [limit for limit in found if limit.what.startswith("sweep within 15 minutes, MaxConcurrentChecks 20")]
    assert total(Organization(int(sweep.accounts), 17, 20), model.aws()) <= 900
    assert total(Organization(int(sweep.accounts) + 1, 17, 20), model.aws()) > 900


def test_the_model_has_the_state_machine_of_the_repository() -> None:
    states = json.loads((ROOT / "organization" / "sweep.asl.json").read_text().replace("${MaxConcurrentChecks}", "20"))
    in_parent = list(states["States"])
    of_page = ["WhoLists", "ListAccounts", "ListAccountsAsRole", "ReadPage", "WhatIsLeft", "KeepAccounts"]
    of_sweep = ["Begin", "SweepRegions", "Summarize", "Judge", "Done"]
    assert sorted(in_parent) == sorted([*of_page, *of_sweep, "LostAllMembers", "TooManyFailed"])
    # ListAccountsAsRole takes the place of ListAccounts, and WhatIsLeft is entered twice.
    assert len(of_page) == costs.TRANSITIONS_PER_PAGE
    assert len(of_sweep) == costs.TRANSITIONS_PER_SWEEP
    of_region = states["States"]["SweepRegions"]["ItemProcessor"]["States"]
    assert len(of_region) == costs.TRANSITIONS_PER_REGION
    processor = of_region["SweepAccounts"]["ItemProcessor"]["ProcessorConfig"]
    assert processor == {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}
    assert states["States"]["SweepRegions"]["MaxConcurrency"] == 1


def test_the_model_has_the_defaults_of_the_template() -> None:
    def default(parameter: str) -> int:
        found = re.search(rf"\n  {parameter}:\n(?:    .*\n)*?    Default: (\d+)\n", TEMPLATE)
        assert found, parameter
        return int(found[1])

    assert default("MaxConcurrentChecks") == limits.DEFAULT_CONCURRENCY
    assert default("MemorySize") == 256
    assert f"      Timeout: {limits.FUNCTION_TIMEOUT_S}\n" in TEMPLATE
    assert f"MaximumConcurrency: !If [IsHub, {limits.QUEUE_CONCURRENCY}, 2]" in TEMPLATE
    assert TEMPLATE.count("Type: AWS::CloudWatch::Alarm") == costs.ALARMS
    coverage = (ROOT / "src" / "app" / "coverage.rs").read_text()
    assert f"MAX_CONCURRENT_WRITES: usize = {limits.WRITES_AT_ONCE};" in coverage
    assert f"MAX_WRITES: usize = {limits.REFUSED_AT_ONCE:_};" in coverage
    handler = (ROOT / "src" / "app" / "handler.rs").read_text()
    assert f"MAX_CONCURRENT_GROUPS: usize = {limits.GROUPS_AT_ONCE};" in handler
    metrics = (ROOT / "src" / "app" / "metrics.rs").read_text().split("#[cfg(test)]")[0]
    assert len(set(re.findall(r'(?:count|gauge!)\("(\w+)"', metrics))) == costs.METRICS


def test_thousand_accounts_in_17_regions_are_swept_in_15_minutes() -> None:
    assert model.duration(Organization(1000, 17, 20), model.read(), model.aws()).total <= 15 * 60


def test_the_tables_have_the_same_number_of_columns_in_each_line() -> None:
    for table in re.findall(r"(?:^\|.*\n?)+", tables.tables(model.read()), re.MULTILINE):
        assert len({line.count("|") for line in table.strip().splitlines()}) == 1, table
