"""A Region with thousands of open findings: a sweep sends each once, the next sends nothing, later ones resolve them.

`GATEWATCH_SWEEP_FINDINGS` sets the number of findings, 5,000 by default. The test starts its own EC2 server, which is
empty and has pages as large as real ones.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

import pytest

from local import environment
from local.cloud import Cloud, new_client
from local.deployment import Deployment
from local.networks import DYNAMODB, S3, remove_default_vpc
from local.processes import Server, free_port
from tests.local_cloud.support.bare_function import BareFunction
from tests.local_cloud.support.figures import AddFigure
from tests.local_cloud.support.pausing_proxy import PausingProxy, pausing_proxy
from tests.local_cloud.support.sandbox import Sandbox

FINDINGS = int(os.environ.get("GATEWATCH_SWEEP_FINDINGS", "5000"))
VPCS = 100
TABLES = FINDINGS // 2 // VPCS
"""The route tables of each VPC, its main table included. Two services are required, so each table has two findings."""
PAGE = 1024 * 1024
"""How many bytes DynamoDB reads for a page."""
LEAST_RECORD = 400
"""How many bytes an alert record has at least."""
SECONDS = 300
"""More than the function has on AWS: here EC2 and DynamoDB are two Python programs on the same processor."""
SERVICES = ("s3", "dynamodb")


@dataclass(frozen=True)
class Region:
    """An EC2 full of gaps."""

    ec2: Any
    url: str
    vpcs: dict[str, list[str]]
    """The route tables of each VPC."""

    @property
    def gaps(self) -> Counter[tuple[str, str]]:
        """Route table and service of each finding, once."""
        return Counter((table, service) for tables in self.vpcs.values() for table in tables for service in SERVICES)


@pytest.fixture(scope="module")
def region(cloud: Cloud, stack: Deployment) -> Iterator[Region]:
    """VPCs that have only route tables."""
    assert stack, "the function is built"
    port = free_port()
    python = str(environment.TOOLS / "cloud" / "bin" / "python")
    command = [python, "-m", "local.ec2_server", "--port", str(port), "--page-size", "1000"]
    server = Server("ec2-of-the-sweep", command, cloud.env, environment.ROOT, cloud.logs / "ec2-of-the-sweep.log")
    try:
        url = f"http://127.0.0.1:{port}"
        server.wait_until_it_answers(f"{url}/moto-api/")
        ec2 = new_client("ec2", url)
        remove_default_vpc(ec2)

        def build(number: int) -> tuple[str, list[str]]:
            vpc = ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"]
            own = [ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(TABLES - 1)]
            return vpc, own

        with ThreadPoolExecutor(4) as pool:
            vpcs = dict(pool.map(build, range(VPCS)))
        main = [{"Name": "association.main", "Values": ["true"]}]
        for page in ec2.get_paginator("describe_route_tables").paginate(Filters=main):
            for table in page["RouteTables"]:
                vpcs[table["VpcId"]].append(table["RouteTableId"])
        yield Region(ec2, url, vpcs)
    finally:
        server.stop()


def test_sweeps_send_thousands_of_findings_once_and_resolve_each_once(
    cloud: Cloud, region: Region, figure: AddFigure
) -> None:
    gaps = region.gaps
    assert len(gaps) == VPCS * TABLES * 2
    with pausing_proxy(cloud) as proxy:
        urls = {"AWS_ENDPOINT_URL_EC2": region.url, "AWS_ENDPOINT_URL_DYNAMODB": proxy.url}
        sandbox = Sandbox(cloud, "sweep", urls)
        with sandbox.function() as function:
            first = Sweep.run(function, sandbox, proxy)
            assert first.sent == Counter({("opened", *gap): 1 for gap in gaps}), "each once"
            assert first.messages == {"json": VPCS, "text": VPCS, "chat": VPCS}, "one message for each VPC and topic"
            assert first.report["published"] == 3 * VPCS
            alerts = sandbox.alerts
            assert Counter((each["routeTable"]["id"], each["service"]) for each in alerts) == gaps
            assert {(each["state"], *each["pending"]) for each in alerts} == {("open",)}
            assert len(sandbox.leases) == VPCS
            assert sandbox.held_leases == []

            second = Sweep.run(function, sandbox, proxy)
            assert (second.report["published"], second.report["ledger"]) == (0, "on")
            assert len(second.report["findings"]) + second.report.get("omitted", 0) == len(gaps)
            assert (second.sent, second.messages) == (Counter(), {"json": 0, "text": 0, "chat": 0})
            assert second.calls.keys() == {"Query"}, "no lease is acquired and nothing is written"
            assert second.calls["Query"] > len(alerts) * LEAST_RECORD // PAGE
            if FINDINGS >= 5000:
                assert second.calls["Query"] > 2, "the alert history has more than one page"

            # Half of the VPCs are fixed.
            fixed = sorted(region.vpcs)[: VPCS // 2]
            for vpc in fixed:
                for service in (S3, DYNAMODB):
                    region.ec2.create_vpc_endpoint(
                        VpcEndpointType="Gateway", VpcId=vpc, ServiceName=service, RouteTableIds=region.vpcs[vpc]
                    )
            third = Sweep.run(function, sandbox, proxy)
            covered = {(table, service) for vpc in fixed for table in region.vpcs[vpc] for service in SERVICES}
            assert third.sent == Counter({("resolved", *gap): 1 for gap in covered})
            assert third.causes == {"covered"}

            # All VPCs are deleted.
            urlopen(Request(f"{region.url}/moto-api/reset", method="POST"), timeout=60).close()
            remove_default_vpc(region.ec2)
            fourth = Sweep.run(function, sandbox, proxy)
            assert fourth.sent == Counter({("resolved", *gap): 1 for gap in gaps.keys() - covered})
            assert fourth.causes == {"vpc_deleted"}

            last = Sweep.run(function, sandbox, proxy)
            assert (last.report["published"], last.sent) == (0, Counter())
        assert {(each["state"], *each["pending"]) for each in sandbox.alerts} == {("resolved",)}
        assert sandbox.held_leases == []
    resolved = sum(third.sent.values()) + sum(fourth.sent.values())
    figure(
        f"{len(gaps)} findings in {VPCS} VPCs: {sum(first.sent.values())} sent in {sum(first.messages.values())} "
        f"messages on 3 topics, then 0 in 0, then {resolved} resolved, then 0"
    )
    seconds = ", ".join(f"{sweep.seconds:.1f}" for sweep in (first, second, third, fourth, last))
    figure(f"a sweep without changes reads {second.calls['Query']} pages of the history; sweeps took {seconds} s")


@dataclass(frozen=True)
class Sweep:
    """A sweep and its effects."""

    report: Any
    sent: Counter[tuple[str, str, str]]
    """How often each change, route table and service was sent to programs."""
    causes: set[str]
    messages: dict[str, int]
    """The number of messages of each topic."""
    calls: Counter[str]
    """The calls to DynamoDB."""
    seconds: float

    @classmethod
    def run(cls, function: BareFunction, sandbox: Sandbox, proxy: PausingProxy) -> "Sweep":
        """Runs a sweep, and empties the inboxes."""
        before, began = proxy.calls.copy(), time.monotonic()
        report = function.invoke({"check": "region"}, seconds=SECONDS)
        seconds = time.monotonic() - began
        received = sandbox.received()
        findings = [finding for message in received["json"] for finding in message.body["findings"]]
        return cls(
            report=report,
            sent=Counter((each["change"], each["routeTable"]["id"], each["service"]) for each in findings),
            causes={each["resolution"]["cause"] for each in findings if "resolution" in each},
            messages={channel: len(messages) for channel, messages in received.items()},
            calls=proxy.calls - before,
            seconds=seconds,
        )
