"""An independent verdict: Cloud Custodian judges random networks, and gatewatch must agree about every route table.

There are five networks. Their seeds are fixed by default; support/seeds.py says how to change them. Each test prints
its seed. Custodian's policies are in custodian/policies.yml.

Both must find the same tables without a route. Their verdict on such a table may differ in two cases only:

- An edge table. gatewatch reports nothing, because the table is for traffic that enters through a gateway, and no
  subnet uses it. Custodian only knows that there is no route.
- An exempt table. gatewatch lists it in `exempt` and not in `findings`, because of a tag. Custodian only knows that
  there is no route.

Custodian also decides which tables are edge tables and which are exempt, independently of gatewatch.

About endpoints, Custodian has the filters `has-statement`, `security-group`, `subnet` and `service-details`, in
custodian/endpoint_policies.yml. They must lead to the same verdicts, apart from these differences:

| endpoint | Custodian | gatewatch |
|---|---|---|
| in another state than `available` | judges it like every other | judges its state only |
| with the tag of the exemption | judges it | lists it in `exempt`, unless it is only in doubt |
| whose policy allows everything under a condition on the organization | the statement allows everything | bounded |
| whose policy also denies everything to everybody else | the statement allows everything | bounded |
| whose group admits the members of another group | a rule admits somebody | not assessed |
| with the default group alone, which admits its own members | a rule admits somebody | `default_group_only_members` |
| whose group admits addresses | does not know the subnets of the VPC | compares them with each subnet |
| that is not in all zones | knows the zones of endpoint, service and subnets, each on its own | compares them |

So each filter answers one question, and the test puts the answers together.
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
from tests.local_cloud.support import random_endpoints
from tests.local_cloud.support.figures import AddFigure
from tests.local_cloud.support.random_network import COMPLETE, SEEDS, SERVICES, draw

POLICIES = Path(__file__).parent / "custodian" / "policies.yml"
ENDPOINT_POLICIES = POLICIES.with_name("endpoint_policies.yml")
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
    """Runs the policies about route tables; returns the ids of the tables that each of them matches."""
    found = run_custodian(POLICIES, cloud, folder)
    for service in SERVICES:
        assert found[f"{service}-prefix-lists"], f"no prefix list is named after {service}, so no route can lead there"
    return {
        policy: {each["RouteTableId"] for each in matched if "RouteTableId" in each}
        for policy, matched in found.items()
    }


def run_custodian(policies: Path, cloud: Cloud, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Runs policies; returns the resources that each of them matches."""
    custodian = environment.TOOLS / "custodian" / "bin" / "custodian"
    # By default Custodian would cache an earlier network for 15 minutes, in a file in the home folder.
    options = ["--region", environment.REGION, "--cache", "memory", "--output-dir", "out"]
    done = subprocess.run(
        [str(custodian), "run", *options, str(policies)],
        env=cloud.env,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {path.parent.name: json.loads(path.read_text()) for path in folder.glob("out/*/resources.json")}


# --- Endpoints --------------------------------------------------------------------------------------------------------

EndpointVerdict = tuple[str, str, str]
"""An endpoint's name, a check, and a defect, `exempt` or `unassessed`. An endpoint in order has no verdict."""

ZONES = {"euw1-az1", "euw1-az2", "euw1-az3"}
CHECKS = ("endpoint-state", "endpoint-access", "endpoint-zones", "endpoint-policy")
"""The checks that Custodian has filters for."""


@pytest.mark.parametrize("seed", SEEDS)
def test_custodian_agrees_about_every_endpoint(
    seed: int, build: Builder, stack: Deployment, cloud: Cloud, tmp_path: Path, figure: AddFigure
) -> None:
    with stack.without_events(), stack.variables(CHECKS=",".join(CHECKS)):
        names = random_endpoints.draw(random.Random(seed), build)
        report = stack.invoke(REGION_REPORT)

    answers = Answers(run_custodian(ENDPOINT_POLICIES, cloud, tmp_path))
    theirs = {(names[endpoint], *verdict) for endpoint in names for verdict in answers.verdicts(endpoint)}
    ours = {
        (names[each["subject"]["id"]], each["check"], each.get("defect", word))
        for list_name, word in (("findings", ""), ("exempt", "exempt"), ("unassessed", "unassessed"))
        for each in report[list_name]
    }
    figure(f"GATEWATCH_SEED={seed}: {len(names)} endpoints, {len(ours)} verdicts")
    assert ours == theirs, f"GATEWATCH_SEED={seed} builds these endpoints again"
    zones = {
        names[each["subject"]["id"]]: set(each["evidence"]["missingZoneIds"])
        for each in report["findings"]
        if each["check"] == "endpoint-zones"
    }
    assert zones == {names[each]: missing for each in names if (missing := answers.reported_zones(each))}


def test_random_endpoints_have_everything(build: Builder, stack: Deployment) -> None:
    """Without this the agreement could be about less than it seems."""
    verdicts: set[tuple[str, str]] = set()
    for seed in random_endpoints.COMPLETE:
        with stack.without_events(), stack.variables(CHECKS=",".join(CHECKS)):
            stack.cloud.empty_the_region()
            random_endpoints.draw(random.Random(seed), build)
            report = stack.invoke(REGION_REPORT)
        verdicts |= {(each["check"], each["defect"]) for each in report["findings"]}
        verdicts |= {(each["check"], each["reason"]) for each in report["unassessed"]}
        verdicts |= {(each["check"], "exempt") for each in report["exempt"]}
    assert verdicts == {
        ("endpoint-state", "endpoint_failed"),
        ("endpoint-state", "exempt"),
        ("endpoint-access", "no_subnet_admitted"),
        ("endpoint-access", "some_subnets_not_admitted"),
        ("endpoint-access", "default_group_only_members"),
        ("endpoint-access", "referenced_group"),
        ("endpoint-access", "exempt"),
        ("endpoint-zones", "single_zone"),
        ("endpoint-zones", "zones_missing"),
        ("endpoint-zones", "exempt"),
        ("endpoint-policy", "default_policy"),
        ("endpoint-policy", "open_policy"),
        ("endpoint-policy", "exempt"),
    }


class Answers:
    """Custodian's answers about endpoints, put together to verdicts."""

    def __init__(self, found: dict[str, list[dict[str, Any]]]) -> None:
        self._found = {
            policy: {each["VpcEndpointId"]: each for each in matched if "VpcEndpointId" in each}
            for policy, matched in found.items()
        }
        self._subnets = found["subnets"]

    def _are(self, endpoint: str, *policies: str) -> bool:
        return all(endpoint in self._found[policy] for policy in policies)

    def verdicts(self, endpoint: str) -> set[tuple[str, str]]:
        """Returns check and verdict, as far as the endpoint is not in order."""
        found = {"endpoint-state": "endpoint_failed" if self._are(endpoint, "failed") else None}
        # Custodian judges endpoints in every state.
        if self._are(endpoint, "available"):
            found["endpoint-policy"] = self._policy(endpoint)
        if self._are(endpoint, "available", "interface"):
            found |= {"endpoint-access": self._access(endpoint), "endpoint-zones": self._zones(endpoint)}
        verdicts = {(check, verdict) for check, verdict in found.items() if verdict}
        if not self._are(endpoint, "exempt"):
            return verdicts
        # What cannot be judged is exempt too.
        return {(check, "exempt") for check, _ in verdicts}

    def _policy(self, endpoint: str) -> str | None:
        is_open = self._are(endpoint, "allows-everything", "supports-policies")
        # To Custodian, a statement with a condition, or one beside a `Deny`, is the same statement.
        is_bounded = self._are(endpoint, "only-under-a-condition") or self._are(endpoint, "denied-to-outsiders")
        if not is_open or is_bounded:
            return None
        return "default_policy" if self._are(endpoint, "default-policy") else "open_policy"

    def _access(self, endpoint: str) -> str | None:
        of_vpc = sum(subnet["VpcId"] == self._found["available"][endpoint]["VpcId"] for subnet in self._subnets)
        admits_some = self._are(endpoint, "admits-the-first-subnet")
        if self._are(endpoint, "admits-the-vpc") or (admits_some and of_vpc == 1):
            return None
        if self._are(endpoint, "default-group"):
            return "default_group_only_members"
        # To Custodian, members of a group are like addresses: it says that they are admitted.
        if self._are(endpoint, "admits-members"):
            return "unassessed"
        return "some_subnets_not_admitted" if admits_some else "no_subnet_admitted"

    def _zones(self, endpoint: str) -> str | None:
        if not self.missing_zones(endpoint):
            return None
        present = {zone for zone in ZONES if self._are(endpoint, f"in-{zone}")}
        return "single_zone" if len(present) == 1 else "zones_missing"

    def missing_zones(self, endpoint: str) -> set[str]:
        """Returns the zones that the VPC uses and the service offers, without those of the endpoint."""
        vpc = self._found["available"][endpoint]["VpcId"]
        used = {subnet["AvailabilityZoneId"] for subnet in self._subnets if subnet["VpcId"] == vpc}
        return {
            zone for zone in used if self._are(endpoint, f"offered-in-{zone}") and not self._are(endpoint, f"in-{zone}")
        }

    def reported_zones(self, endpoint: str) -> set[str]:
        """Returns the missing zones that a finding must name: none if there is no finding."""
        is_judged = self._are(endpoint, "available", "interface") and not self._are(endpoint, "exempt")
        return self.missing_zones(endpoint) if is_judged else set()
