"""A Region with thousands of open findings: a sweep tells each once, the next one nothing, and later that all are over.

`GATEWATCH_SWEEP_FINDINGS` says how many findings, 5,000 unless it is set. EC2 is one of its own here, with pages as
large as real ones, and empty when it starts.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest

from bench import Bench
from local import environment
from local.bare_function import BareFunction
from local.cloud import Cloud
from local.deployment import Deployment
from local.gate import Gate, gate_before
from local.networks import DYNAMODB, S3, remove_default_vpc
from local.processes import Server, free_port

FINDINGS = int(os.environ.get("GATEWATCH_SWEEP_FINDINGS", "5000"))
VPCS = 100
TABLES = FINDINGS // 2 // VPCS
"""In each VPC, its main table included. Two services are required, so each table is two findings."""
PAGE = 1024 * 1024
"""How much DynamoDB reads for a page."""
SECONDS = 300
"""More than the function has on AWS: here EC2 and DynamoDB are two Python programs on the same processor."""


@dataclass(frozen=True)
class Region:
    """An EC2 full of gaps."""

    ec2: Any
    url: str
    vpcs: dict[str, list[str]]
    """The tables of each VPC."""

    @property
    def gaps(self) -> Counter[tuple[str, str]]:
        """Table and service of each finding that there is, once."""
        return Counter((table, service) for tables in self.vpcs.values() for table in tables for service in SERVICES)


SERVICES = ("s3", "dynamodb")


@pytest.fixture(scope="module")
def region(cloud: Cloud, stack: Deployment) -> Iterator[Region]:
    """VPCs with nothing but route tables."""
    port = free_port()
    python = str(environment.TOOLS / "cloud" / "bin" / "python")
    command = [python, "-m", "local.ec2_peer", "--port", str(port), "--page-size", "1000"]
    server = Server("ec2-of-the-sweep", command, cloud.env, environment.ROOT, cloud.logs / "ec2-of-the-sweep.log")
    try:
        url = f"http://127.0.0.1:{port}"
        server.wait_until_it_answers(f"{url}/moto-api/")
        ec2 = boto3.client(
            "ec2", environment.REGION, endpoint_url=url, aws_access_key_id="test", aws_secret_access_key="test"
        )
        remove_default_vpc(ec2)

        def build(number: int) -> tuple[str, list[str]]:
            vpc = ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"]
            own = [ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(TABLES - 1)]
            return vpc, own

        with ThreadPoolExecutor(4) as pool:
            vpcs = dict(pool.map(build, range(VPCS)))
        for page in ec2.get_paginator("describe_route_tables").paginate(
            Filters=[{"Name": "association.main", "Values": ["true"]}]
        ):
            for table in page["RouteTables"]:
                vpcs[table["VpcId"]].append(table["RouteTableId"])
        yield Region(ec2, url, vpcs)
    finally:
        server.stop()


def test_thousands_of_findings_are_told_once_and_once_more_when_they_are_over(
    cloud: Cloud, region: Region, notes: list[str]
) -> None:
    gaps = region.gaps
    assert len(gaps) == VPCS * TABLES * 2
    with gate_before(cloud) as gate:
        bench = Bench(cloud, "sweep", {"AWS_ENDPOINT_URL_EC2": region.url, "AWS_ENDPOINT_URL_DYNAMODB": gate.url})
        with bench.function() as function:
            first = Sweep.of(function, bench, gate)
            assert first.told == Counter({("opened", *gap): 1 for gap in gaps}), "each once"
            assert first.messages == {"json": VPCS, "text": VPCS, "chat": VPCS}, "one message for each VPC and topic"
            assert first.report["published"] == 3 * VPCS
            entries = bench.items
            assert Counter((each["routeTable"]["id"], each["service"]) for each in entries) == gaps
            assert {(each["state"], *each["pending"]) for each in entries} == {("open",)}
            assert (len(bench.claims), bench.held) == (VPCS, [])

            second = Sweep.of(function, bench, gate)
            assert (second.report["published"], second.report["ledger"]) == (0, "on")
            assert len(second.report["findings"]) + second.report.get("omitted", 0) == len(gaps)
            assert (second.told, second.messages) == (Counter(), {"json": 0, "text": 0, "chat": 0})
            assert second.calls.keys() == {"Query"}, "nothing is claimed or written"
            assert second.calls["Query"] > len(entries) * LEAST_ITEM // PAGE
            if FINDINGS >= 5000:
                assert second.calls["Query"] > 2, "the ledger is more than one page"

            # Half of the VPCs are fixed.
            fixed = sorted(region.vpcs)[: VPCS // 2]
            for vpc in fixed:
                for service in (S3, DYNAMODB):
                    region.ec2.create_vpc_endpoint(
                        VpcEndpointType="Gateway", VpcId=vpc, ServiceName=service, RouteTableIds=region.vpcs[vpc]
                    )
            third = Sweep.of(function, bench, gate)
            covered = {(table, service) for vpc in fixed for table in region.vpcs[vpc] for service in SERVICES}
            assert third.told == Counter({("resolved", *gap): 1 for gap in covered})
            assert third.causes == {"covered"}

            # The others, and with them all, are deleted.
            urlopen(Request(f"{region.url}/moto-api/reset", method="POST"), timeout=60).close()
            remove_default_vpc(region.ec2)
            fourth = Sweep.of(function, bench, gate)
            assert fourth.told == Counter({("resolved", *gap): 1 for gap in gaps.keys() - covered})
            assert fourth.causes == {"vpc_deleted"}

            last = Sweep.of(function, bench, gate)
            assert (last.report["published"], last.told) == (0, Counter())
        assert {(each["state"], *each["pending"]) for each in bench.items} == {("resolved",)}
        assert bench.held == []
    resolved = sum(third.told.values()) + sum(fourth.told.values())
    notes.append(
        f"{len(gaps)} findings in {VPCS} VPCs: told {sum(first.told.values())} in "
        f"{sum(first.messages.values())} messages on 3 topics, then 0 in 0, then {resolved} resolved, then 0"
    )
    notes.append(
        f"a quiet sweep reads the ledger in {second.calls['Query']} pages; sweeps took "
        + ", ".join(f"{sweep.seconds:.1f}" for sweep in (first, second, third, fourth, last)) + " s"
    )


LEAST_ITEM = 400
"""Bytes that an entry has at least."""


@dataclass(frozen=True)
class Sweep:
    """A sweep, and what came of it."""

    report: Any
    told: Counter[tuple[str, str, str]]
    """How often each change of a table and service was told to programs."""
    causes: set[str]
    messages: dict[str, int]
    """How many there were for each topic."""
    calls: Counter[str]
    """To DynamoDB."""
    seconds: float

    @classmethod
    def of(cls, function: BareFunction, bench: Bench, gate: Gate) -> "Sweep":
        """Sweeps, and empties the inboxes."""
        before, began = gate.calls.copy(), time.monotonic()
        report = function.invoke({"check": "region"}, seconds=SECONDS)
        took = time.monotonic() - began
        received = bench.received(at_least=report["published"] // 3)
        findings = [finding for message in received["json"] for finding in message.body["findings"]]
        return cls(
            report=report,
            told=Counter((each["change"], each["routeTable"]["id"], each["service"]) for each in findings),
            causes={each["resolution"]["cause"] for each in findings if "resolution" in each},
            messages={channel: len(messages) for channel, messages in received.items()},
            calls=gate.calls - before,
            seconds=took,
        )
