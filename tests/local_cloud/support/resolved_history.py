"""A Region with open findings and a long history of resolved ones, and what one invocation costs there.

`make verify PART=history-benchmark` measures it with 100,000 resolved findings: see tests/history_benchmark.py.
"""

import hashlib
import math
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from local import environment
from local.cloud import Cloud, new_client
from local.networks import DYNAMODB, S3, Builder, remove_default_vpc
from local.processes import Server, free_port
from tests.local_cloud.support import history
from tests.local_cloud.support.event_recorder import record_events
from tests.local_cloud.support.pausing_proxy import PausingProxy
from tests.local_cloud.support.sandbox import Sandbox

Row = dict[str, Any]

VPCS = 10
FIXED_TABLES = 6
"""The route tables of one more VPC, whose findings the function resolves. Their rows are copied."""
DELETED_VPCS = 90
"""Copies are about so many VPCs that do not exist, and about those that do."""
BATCH = 25
"""The most rows that a client can write in one call."""
PAGE = 1024 * 1024
"""How many bytes DynamoDB reads for a page."""
SECONDS = 600
"""More than the function has on AWS: here EC2 and DynamoDB are two Python programs on the same processor."""
SWEEP = {"check": "region"}
NEW_IN_VERSION_1 = ("rowVersion", "notified")
"""The attributes that gatewatch 0.1.0 did not write."""


@dataclass(frozen=True)
class Cost:
    """What one invocation in a new process cost."""

    report: Any
    pages: int
    """The pages of the alert history that it read: its Query calls."""
    calls: Counter[str]
    """All calls to DynamoDB."""
    memory: int
    """The most bytes of memory that the process had."""
    seconds: float


class Region:
    """VPCs whose findings are all open. The function itself wrote their rows, and some resolved ones."""

    def __init__(self, cloud: Cloud, sandbox: Sandbox, proxy: PausingProxy, findings: int) -> None:
        """Builds the network. Two services are required, so each route table has two findings."""
        self.cloud, self.sandbox, self.proxy, self.findings = cloud, sandbox, proxy, findings
        self.ec2 = new_client("ec2", sandbox.env["AWS_ENDPOINT_URL_EC2"])
        self._processes = 0
        self.spare_subnets: list[str] = []
        """The second subnet of a table each: it can be deleted, and the finding stays open."""

        def build(number: int) -> str:
            own = Builder(self.ec2)
            vpc = own.vpc(f"vpc-{number}", f"10.{number}.0.0/16")
            nat = ""
            # The VPC also has a main table.
            for table_number in range(1, findings // 2 // VPCS):
                table = own.table(f"private-{table_number}", vpc)
                ids = [
                    own.subnet(f"{zone}-{table_number}", vpc, f"10.{number}.{2 * table_number + index}.0/24", zone)
                    for index, zone in enumerate("ab")
                ]
                own.associate(table, *ids)
                nat = nat or own.nat_gateway(ids[0])
                own.default_route(table, NatGatewayId=nat)
            self.spare_subnets.append(ids[1])
            return vpc

        with ThreadPoolExecutor(4) as pool:
            self.vpcs = list(pool.map(build, range(VPCS)))
        self._open_and_resolve()

    def _open_and_resolve(self) -> None:
        """Lets the function open all findings, and resolve those of one more VPC in both ways."""
        build = Builder(self.ec2)
        vpc = build.vpc("fixed", "10.255.0.0/16")
        tables = [build.table(f"fixed-{number}", vpc) for number in range(FIXED_TABLES - 1)]
        for number, table in enumerate(tables[1:]):
            build.associate(table, build.subnet(f"fixed-{number}", vpc, f"10.255.{number}.0/24", "a"))
        opened = self.run(SWEEP)
        assert opened.report["published"] == 3 * (VPCS + 1)
        build.ec2.delete_route_table(RouteTableId=tables[0])
        for service in (S3, DYNAMODB):
            build.gateway_endpoint(service, vpc, [build.main_table(vpc), *tables[1:]])
        resolved = self.run(SWEEP)
        assert resolved.report["published"] == 3
        rows = history.items(self.sandbox.dynamodb, self.sandbox.table)
        self.open_rows = [row for row in rows if row.get("state") == {"S": "open"}]
        """The rows of the open findings, before any other change."""
        assert len(self.open_rows) == self.findings
        self.originals = [row for row in rows if row.get("state") == {"S": "resolved"}]
        """The rows of the resolved findings. The function keeps them in a partition of their own."""
        assert len(self.originals) == 2 * FIXED_TABLES
        assert all(row["pk"]["S"].endswith("#resolved") for row in self.originals)

    def run(self, payload: Any) -> Cost:
        """Measures an invocation in a process of its own."""
        self._processes += 1
        calls, pages = self.proxy.calls.copy(), len(self.proxy.queries)
        with self.sandbox.function(str(self._processes)) as function:
            began = time.monotonic()
            report = function.invoke(payload, seconds=SECONDS)
            seconds, memory = time.monotonic() - began, function.peak_memory
        assert report.get("ledger", "on") == "on", report
        return Cost(report, len(self.proxy.queries) - pages, self.proxy.calls - calls, memory, seconds)

    def sweep(self) -> Cost:
        """Measures a sweep that has nothing to send."""
        cost = self.run(SWEEP)
        assert (cost.report["published"], cost.report["ledger"]) == (0, "on")
        assert len(cost.report["findings"]) + cost.report.get("omitted", 0) == self.findings
        assert cost.calls.keys() == {"Query"}, "no lease is acquired and nothing is written"
        return cost

    def delete_subnet(self) -> Cost:
        """Deletes a subnet of a table that has another one, and measures how its event is handled."""
        with record_events(self.cloud, f"{self.sandbox.name}-events") as recorder:
            subnet = self.spare_subnets.pop()
            self.ec2.delete_subnet(SubnetId=subnet)
            [event] = recorder.take(at_least=1, seconds=30)
        assert event["detail"]["requestParameters"] == {"subnetId": subnet}
        cost = self.run(event)
        assert cost.report["scope"]["deletedIds"] == [subnet]
        assert len(cost.report["findings"]) == 2, "those of its table, which only the history knows"
        return cost

    def add_resolved(self, count: int, version: int = 1) -> int:
        """Writes copies of the resolved rows, as any client does, in batches; returns their size in DynamoDB.

        They are about other findings, tables, subnets and times. Version 1 is what the function writes. gatewatch 0.1.0
        wrote version 0, in the partition of the open findings.
        """
        vpcs = self.vpcs + [made_up("vpc", random.Random(number)) for number in range(DELETED_VPCS)]

        def write(batch: int) -> int:
            chance = random.Random(f"{version} {batch}")
            rows = [self._copy(chance, vpcs, version) for _ in range(min(BATCH, count - batch * BATCH))]
            requests = [{"PutRequest": {"Item": row}} for row in rows]
            answer = self.sandbox.dynamodb.batch_write_item(RequestItems={self.sandbox.table: requests})
            assert not answer["UnprocessedItems"]
            return sum(item_size(row) for row in rows)

        with ThreadPoolExecutor(4) as pool:
            return sum(pool.map(write, range(math.ceil(count / BATCH))))

    def _copy(self, chance: random.Random, vpcs: list[str], version: int) -> Row:
        row, vpc = deepcopy(chance.choice(self.originals)), chance.choice(vpcs)
        days = timedelta(days=chance.randrange(89))
        finding = hashlib.sha256(chance.randbytes(32)).hexdigest()
        row["sk"], row["findingId"], row["vpcId"] = ({"S": text} for text in (f"{vpc}#{finding}", finding, vpc))
        row["routeTable"]["M"]["id"] = {"S": made_up("rtb", chance)}
        row["subnets"] = {"L": [{"S": made_up("subnet", chance)} for _ in range(chance.randint(1, 4))]}
        for name in ("since", "told", "thread"):
            row[name] = {"S": earlier(row[name]["S"], days)}
        row["expiresAt"] = {"N": str(int(row["expiresAt"]["N"]) - int(days.total_seconds()))}
        if version == 0:
            row["pk"] = {"S": row["pk"]["S"].removesuffix("#resolved")}
            for name in NEW_IN_VERSION_1:
                del row[name]
        return row


@contextmanager
def empty_ec2(cloud: Cloud) -> Iterator[str]:
    """Starts an EC2 with pages as large as real ones, whose events reach EventBridge; returns its URL."""
    port = free_port()
    options = ["--port", str(port), "--page-size", "1000", "--events-url", cloud.variables["AWS_ENDPOINT_URL"]]
    command = [str(environment.TOOLS / "cloud" / "bin" / "python"), "-m", "local.ec2_server", *options]
    name = "ec2-of-the-history"
    server = Server(name, command, cloud.env, environment.ROOT, cloud.logs / f"{name}.log")
    try:
        url = f"http://127.0.0.1:{port}"
        server.wait_until_it_answers(f"{url}/moto-api/")
        remove_default_vpc(new_client("ec2", url))
        yield url
    finally:
        server.stop()


def made_up(kind: str, chance: random.Random) -> str:
    """Returns an id that EC2 has not given to anything."""
    return f"{kind}-0{chance.getrandbits(64):016x}"


def earlier(moment: str, by: timedelta) -> str:
    """Returns an earlier moment, in the format of the row."""
    return (datetime.fromisoformat(moment.replace("Z", "+00:00")) - by).isoformat().replace("+00:00", "Z")


def pages_of(size: int) -> int:
    """Returns how many pages rows of this size need."""
    return math.ceil(size / PAGE)


def item_size(item: Row) -> int:
    """Returns how many bytes an item counts in DynamoDB: the names and the values of its attributes.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: dict[str, Any]) -> int:
    [(kind, inner)] = value.items()
    match kind:
        case "M":
            return 3 + len(inner) + item_size(inner)
        case "L":
            return 3 + len(inner) + sum(_value_size(each) for each in inner)
        case "N":
            return 1 + math.ceil(len(inner) / 2)
        case "NULL" | "BOOL":
            return 1
        case _:
            return len(inner.encode())
