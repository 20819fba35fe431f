"""A third opinion: natpath judges the networks that Cloud Custodian judges, and gatewatch must agree.

natpath (https://github.com/syedwaseemjan/natpath) prints the route tables whose traffic to S3 or DynamoDB goes through
a NAT gateway. It reads EC2 by itself and shares no code with gatewatch.

Its question is narrower than gatewatch's. These differences are expected, and each one must be explained by what EC2
says about the table, not by what gatewatch says:

| difference | gatewatch | natpath | why |
|---|---|---|---|
| `no-nat` | finding or exempt | nothing | No active route to 0.0.0.0/0 leads to a NAT gateway, so nothing is billed. |
| `no-subnet` | finding or exempt | nothing | No subnet uses the table, so nothing is billed now. |
| `exempt` | exempt | reports it | natpath knows no exemption tags. |
| `exempt-subnet` | leaves a subnet out | lists it | The same, for a table that is not exempt as a whole. |

Edge tables are no difference: gatewatch does not check them, and no subnet uses them. Everything else fails the test.
"""

import os
import random
import re
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local import environment
from local.cloud import Cloud
from local.deployment import Deployment
from local.networks import ANYWHERE, Builder
from tests.local_cloud.support.figures import AddFigure
from tests.local_cloud.support.random_network import SERVICES, draw
from tests.local_cloud.support.seeds import seeds

NATPATH = environment.TOOLS / "custodian" / "bin" / "natpath"
DOORS = {"S3": "s3", "DynamoDB": "dynamodb"}
"""How natpath calls the services, and how gatewatch does."""
DIFFERENCES = {"no-nat", "no-subnet", "exempt", "exempt-subnet"}

COMPLETE = 24
"""The seed of a network that has every difference."""
BEHIND_NAT = 0.5
"""More tables than otherwise have a route to a NAT gateway: natpath judges only those."""

pytestmark = pytest.mark.skipif(not NATPATH.exists(), reason="natpath needs Python 3.11")

Verdict = tuple[str, str]
"""A route table and a service without a route."""


@dataclass
class Opinion:
    """What natpath printed."""

    nat_gateways: dict[Verdict, str] = field(default_factory=dict)
    """Each verdict, and the NAT gateway through which the traffic goes."""
    subnets: dict[Verdict, frozenset[str]] = field(default_factory=dict)
    """Each verdict, and the subnets of all tables that natpath lists together with this one."""


@pytest.mark.parametrize("seed", seeds(fixed=[20, 12], always=(COMPLETE,)))
def test_natpath_agrees_about_every_table_behind_a_nat_gateway(
    seed: int, build: Builder, stack: Deployment, cloud: Cloud, tmp_path: Path, figure: AddFigure
) -> None:
    names = draw(random.Random(seed), build, BEHIND_NAT)

    opinion = ask_natpath(cloud, tmp_path)
    report = stack.invoke({"check": "region", "publish": False})
    known = facts(build.ec2)
    agreed, differences, unexplained = compare(report, opinion, known)

    expected = ", ".join(f"{count} {kind}" for kind, count in sorted(differences.items()))
    judged = len(known.behind_nat & known.in_use)
    figure(
        f"GATEWATCH_SEED={seed}: {judged} of {len(names)} tables judged by both, {agreed} routes missing for both; "
        f"differences: {expected}"
    )
    assert unexplained == [], f"GATEWATCH_SEED={seed} builds this network again"
    if seed == COMPLETE:
        assert agreed > 0
        assert differences.keys() == DIFFERENCES, "otherwise the agreement could be about less than it seems"


def test_a_difference_that_nothing_explains_is_found() -> None:
    """The table is behind a NAT gateway and in use. Either side alone says that a route is missing, or names more."""
    known = Facts(behind_nat={"rtb-1"}, in_use={"rtb-1"}, tagged=set())
    egress = {"kind": "nat_gateway", "target": "nat-1"}
    finding = {
        "check": "gateway-route",
        "routeTable": {"id": "rtb-1"},
        "service": "s3",
        "egress": egress,
        "subnets": [{"id": "subnet-1"}],
    }
    ours: dict[str, Any] = {"findings": [finding], "exempt": []}
    theirs = Opinion({("rtb-1", "s3"): "nat-1"}, {("rtb-1", "s3"): frozenset({"subnet-1"})})

    assert compare(ours, theirs, known) == (1, Counter(), [])
    assert len(compare(ours, Opinion(), known)[2]) == 1
    assert len(compare({"findings": [], "exempt": []}, theirs, known)[2]) == 1
    assert len(compare(ours, Opinion({("rtb-1", "s3"): "nat-2"}, theirs.subnets), known)[2]) == 1
    assert len(compare(ours, Opinion(theirs.nat_gateways, {("rtb-1", "s3"): frozenset()}), known)[2]) == 1


# --- The comparison ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Facts:
    """What EC2 says, as far as the differences need it."""

    behind_nat: set[str]
    """The tables with an active IPv4 default route to a NAT gateway."""
    in_use: set[str]
    """The tables that a subnet uses."""
    tagged: set[str]
    """The subnets with the exemption tag, whatever its value is."""


def facts(ec2: Any) -> Facts:
    """Reads the facts from EC2."""

    def all_of(call: str, key: str) -> list[dict[str, Any]]:
        return [each for page in ec2.get_paginator(call).paginate() for each in page[key]]

    tables, subnets = all_of("describe_route_tables", "RouteTables"), all_of("describe_subnets", "Subnets")
    table_of: dict[str, str] = {}
    main_of: dict[str, str] = {}
    behind_nat: set[str] = set()
    for table in tables:
        for association in table["Associations"]:
            if association.get("Main"):
                main_of[table["VpcId"]] = table["RouteTableId"]
            elif "SubnetId" in association:
                table_of[association["SubnetId"]] = table["RouteTableId"]
        for route in table["Routes"]:
            is_default = route.get("DestinationCidrBlock") == ANYWHERE and route["State"] == "active"
            if is_default and "NatGatewayId" in route:
                behind_nat.add(table["RouteTableId"])
    in_use = {table_of.get(each["SubnetId"], main_of[each["VpcId"]]) for each in subnets}
    tagged = {each["SubnetId"] for each in subnets for tag in each.get("Tags", []) if tag["Key"] == "gatewatch:exempt"}
    return Facts(behind_nat, in_use, tagged)


def compare(report: dict[str, Any], opinion: Opinion, facts: Facts) -> tuple[int, Counter[str], list[str]]:
    """Returns how many verdicts both have, the expected differences, and those that nothing explains."""
    of_tables = [each for each in report["findings"] if each["check"] == "gateway-route"]
    findings = {(each["routeTable"]["id"], each["service"]): each for each in of_tables}
    exempt = {(each["routeTableId"], each["service"]) for each in report["exempt"]}
    differences: Counter[str] = Counter()
    unexplained: list[str] = []
    for verdict in findings.keys() | exempt | opinion.nat_gateways.keys():
        table, _ = verdict
        by_natpath = verdict in opinion.nat_gateways
        if by_natpath and verdict in findings:
            unexplained += differing_details(verdict, findings[verdict], opinion, facts, differences)
        elif by_natpath and verdict in exempt:
            differences["exempt"] += 1
        elif not by_natpath and table not in facts.behind_nat:
            differences["no-nat"] += 1
        elif not by_natpath and table not in facts.in_use:
            differences["no-subnet"] += 1
        else:
            who = "natpath" if by_natpath else "gatewatch"
            unexplained.append(f"{verdict}: only {who} says that the route is missing")
    return len(findings.keys() & opinion.nat_gateways.keys()), differences, unexplained


def differing_details(
    verdict: Verdict, finding: dict[str, Any], opinion: Opinion, facts: Facts, differences: Counter[str]
) -> list[str]:
    """Compares the NAT gateway and the subnets of a verdict that both have; counts the expected differences."""
    details = []
    if finding["egress"] != {"kind": "nat_gateway", "target": opinion.nat_gateways[verdict]}:
        details.append(f"{verdict}: {finding['egress']}, natpath says {opinion.nat_gateways[verdict]}")
    ours = {each["id"] for each in finding["subnets"]}
    if unknown := ours - opinion.subnets[verdict]:
        details.append(f"{verdict}: natpath does not list {unknown}")
    # natpath lists the subnets of several tables together, so only a tag can show that a subnet was left out.
    if (opinion.subnets[verdict] - ours) & facts.tagged:
        differences["exempt-subnet"] += 1
    return details


def ask_natpath(cloud: Cloud, folder: Path) -> Opinion:
    """Runs natpath and reads what it prints."""
    done = subprocess.run(
        [str(NATPATH), "--region", environment.REGION],
        env=cloud.env | {"HOME": os.fspath(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == (1 if done.stdout else 0), done.stderr
    opinion = Opinion()
    for block in filter(None, done.stdout.split("\n\n")):
        [nat_gateway] = re.findall(r"^NAT gateway (nat-[0-9a-f]+)", block)
        services = [DOORS[door] for door in re.findall(r"There is no free private door for (\w+)\.", block)]
        tables, subnets = (re.findall(rf"\b{prefix}-[0-9a-f]{{17}}\b", block) for prefix in ("rtb", "subnet"))
        assert services, block
        assert tables, block
        for verdict in ((table, service) for table in tables for service in services):
            assert verdict[1] in SERVICES
            opinion.nat_gateways[verdict] = nat_gateway
            opinion.subnets[verdict] = frozenset(subnets)
    return opinion
