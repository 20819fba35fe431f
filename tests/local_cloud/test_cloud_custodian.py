"""An independent verdict: Cloud Custodian judges random networks, and gatewatch must agree about every route table.

There are five networks. Their seeds are fixed by default; support/seeds.py says how to change them. Each test prints
its seed. Custodian's policies are in custodian/policies.yml.

Both must find the same tables without a route. Their verdict on such a table may differ in two cases only:

- An edge table. gatewatch reports nothing, because the table is for traffic that enters through a gateway, and no
  subnet uses it. Custodian only knows that there is no route.
- An exempt table. gatewatch lists it in `exempt` and not in `findings`, because of a tag. Custodian only knows that
  there is no route.

Custodian also decides which tables are edge tables and which are exempt, independently of gatewatch.
"""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local import environment
from local.cloud import Cloud
from local.deployment import Deployment
from local.networks import Builder
from tests.local_cloud.support.figures import AddFigure
from tests.local_cloud.support.random_network import COMPLETE, SEEDS, SERVICES, draw

POLICIES = Path(__file__).parent / "custodian" / "policies.yml"
REGION_REPORT = {"check": "region", "publish": False}

Verdict = tuple[str, str, str]
"""A table's name, a service, and `finding` or `exempt`. A covered table has no verdict."""


@pytest.mark.parametrize("seed", SEEDS)
def test_custodian_agrees_about_every_table(
    seed: int, build: Builder, stack: Deployment, cloud: Cloud, tmp_path: Path, figure: AddFigure
) -> None:
    names = draw(random.Random(seed), build)

    answers = ask_custodian(cloud, tmp_path)
    report = stack.invoke(REGION_REPORT)

    ours, theirs = verdicts_of_gatewatch(report, names), verdicts_of_custodian(answers, names)
    figure(f"GATEWATCH_SEED={seed}: {len(names)} tables, {len(ours)} routes missing")
    assert ours == theirs, f"GATEWATCH_SEED={seed} builds this network again"
    assert (report["unassessed"], report["notFound"]) == ([], [])
    assert report["checked"]["routeTables"] == len(names) - len(answers["edge-tables"])


def test_a_random_network_has_everything(build: Builder, stack: Deployment) -> None:
    """Without this the agreement could be about less than it seems."""
    names = draw(random.Random(COMPLETE), build)

    report = stack.invoke(REGION_REPORT)

    of_tables = [each for each in report["findings"] if each["check"] == "gateway-route"]
    gaps = {finding["gap"] for finding in of_tables}
    assert gaps == {"no_endpoint", "not_associated", "endpoint_not_available", "route_inactive"}
    ways_out = {finding["egress"]["kind"] for finding in of_tables}
    assert ways_out == {"nat_gateway", "internet_gateway", "vpc_endpoint", "none"}
    assert {by.split("-")[0] for each in report["exempt"] for by in each["exemptedBy"]} == {"vpc", "rtb", "subnet"}
    assert report["unreadableExemptions"] != []
    assert any(finding["interfaceEndpoint"] for finding in of_tables)
    for service in SERVICES:
        verdicts = {table for table, of, _ in verdicts_of_gatewatch(report, names) if of == service}
        assert 0 < len(verdicts) < report["checked"]["routeTables"], "some have a route, some have none"
    assert report["checked"]["routeTables"] < len(names), "some are edge tables"


# --- The two verdicts -------------------------------------------------------------------------------------------------


def verdicts_of_gatewatch(report: dict[str, Any], names: dict[str, str]) -> set[Verdict]:
    """Returns the verdicts of the report."""
    of_tables = [each for each in report["findings"] if each["check"] == "gateway-route"]
    findings = {(names[each["routeTable"]["id"]], each["service"], "finding") for each in of_tables}
    exempt = {(names[each["routeTableId"]], each["service"], "exempt") for each in report["exempt"]}
    return findings | exempt


def verdicts_of_custodian(answers: dict[str, set[str]], names: dict[str, str]) -> set[Verdict]:
    """Returns the verdicts that the report must have if Custodian is right."""
    verdicts = set()
    for service in SERVICES:
        # Edge tables have no verdict, though they have no route.
        for table in answers[f"without-{service}-route"] - answers["edge-tables"]:
            # Exempt tables have another verdict. (An exempt table with a route is covered.)
            is_exempt = table in answers[f"exempt-from-{service}"]
            verdicts.add((names[table], service, "exempt" if is_exempt else "finding"))
    return verdicts


def ask_custodian(cloud: Cloud, folder: Path) -> dict[str, set[str]]:
    """Runs the policies; returns the ids of the tables that each of them matches."""
    custodian = environment.TOOLS / "custodian" / "bin" / "custodian"
    # By default Custodian would cache an earlier network for 15 minutes, in a file in the home folder.
    options = ["--region", environment.REGION, "--cache", "memory", "--output-dir", "out"]
    done = subprocess.run(
        [str(custodian), "run", *options, str(POLICIES)],
        env=cloud.env,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("out/*/resources.json")}
    for service in SERVICES:
        assert found[f"{service}-prefix-lists"], f"no prefix list is named after {service}, so no route can lead there"
    return {
        policy: {each["RouteTableId"] for each in matched if "RouteTableId" in each}
        for policy, matched in found.items()
    }
