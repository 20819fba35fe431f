"""One run of the soak test: four processes, three VPCs, one alert history, random changes, kills and faults.

Each run has a seed, which decides about the changes, the faults and the kills. It does not decide how the processes
overtake each other, so a run with the same seed is similar, and not the same.

The platform's part is played here: a queue delivers a record again until a function has handled it, and a schedule
invokes the function. All calls to DynamoDB and SNS go through two proxies:

    process ── PausingProxy (one for each process: where it is killed) ── microburst (faults) ── ministack
"""

import json
import random
import threading
from collections import Counter, deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from local.cloud import Cloud
from local.deployment import InvocationFailed
from local.environment import ROOT
from local.networks import ANYWHERE, DYNAMODB, S3, Builder
from local.processes import ProcessFailed
from local.waiting import wait_until
from tests.local_cloud.support.bare_function import BareFunction
from tests.local_cloud.support.fault_proxy import RESET, TRUNCATED, FaultProxy, error
from tests.local_cloud.support.messages import record
from tests.local_cloud.support.pausing_proxy import PausingProxy
from tests.local_cloud.support.received_alerts import READERS, Key, ReceivedAlert
from tests.local_cloud.support.sandbox import Sandbox

PROCESSES = 4
VPCS = 3
STEPS = 16
"""How many changes of the network a run makes."""
SECONDS = 12
"""The deadline of an invocation. Short, because others wait for the lease of a process that is slow."""
SWEEP = json.loads((ROOT / "events" / "schedule.json").read_text())
REGION_REPORT = {"check": "region", "publish": False}
SERVICES = {"s3": S3, "dynamodb": DYNAMODB}


@dataclass
class Outcome:
    """What a run has led to."""

    seed: int
    wrong: list[str] = field(default_factory=list)
    """Findings about which the last message of a channel is not right, and everything else that must not happen."""
    messages: Counter[str] = field(default_factory=Counter)
    """How often each channel received each kind of change: `json opened`."""
    repeats: Counter[str] = field(default_factory=Counter)
    """How many of these repeated the alert before."""
    faults: Counter[str] = field(default_factory=Counter)
    """How many faults of each kind were injected."""
    counts: Counter[str] = field(default_factory=Counter)
    """Invocations, failures, kills and so on."""

    def add(self, other: "Outcome") -> None:
        """Adds the figures of another run."""
        for name in ("messages", "repeats", "faults", "counts"):
            getattr(self, name).update(getattr(other, name))


def run(cloud: Cloud, proxy: FaultProxy, seed: int) -> Outcome:
    """Makes one run in an empty Region."""
    outcome = Outcome(seed)
    chance = random.Random(seed)
    proxy.heal()
    cloud.empty_the_region()
    network = Network(Builder(cloud.client("ec2")), random.Random(seed + 1))
    sandbox = Sandbox(cloud, f"soak-{seed}")
    with ExitStack() as running:
        platform = Platform(sandbox, outcome)
        workers = [Worker(platform, proxy.url, number, seed) for number in range(PROCESSES)]
        for worker in workers:
            running.callback(worker.stop)
        running.callback(platform.close)
        for worker in workers:
            worker.start()

        platform.send(network.vpcs)
        rules = [step(chance, network, platform, proxy) for _ in range(STEPS)]

        platform.kills = False
        for kind, rule in filter(None, rules):
            outcome.faults[kind] += proxy.injected(rule)
        proxy.heal()
        # A lease of a killed process that could not be ended lasts no longer than this.
        if not platform.wait_until_idle(seconds=3 * (SECONDS + 5)):
            outcome.wrong.append("records still fail though there are no faults any more")
        platform.close()
        for worker in workers:
            worker.join()

        function = workers[0].function
        final_sweep(function, outcome)
        received = collect(sandbox, outcome)
        judge(function.invoke(REGION_REPORT, SECONDS), received, outcome)
        if (again := function.invoke(SWEEP, SECONDS)["published"]) != 0:
            outcome.wrong.append(f"another sweep published {again} messages though nothing had changed")
        if undelivered := [alert["sk"] for alert in sandbox.alerts if alert.get("pending")]:
            outcome.wrong.append(f"the history says that these are still to be sent: {undelivered}")
    return outcome


def step(chance: random.Random, network: "Network", platform: "Platform", proxy: FaultProxy) -> tuple[str, int] | None:
    """Makes a change and maybe a fault; returns the fault's kind and rule."""
    fault = None
    if chance.random() < 0.5:
        kind, rule = draw_fault(chance, platform.sandbox.name)
        fault = kind, proxy.inject(rule)
    vpc = network.change()
    # Events are delivered at least once, and sometimes not at all.
    platform.send([vpc] * chance.choice([0, 1, 1, 1, 1, 2]))
    if chance.random() < 0.15:
        platform.sweep()
    # A run in which the changes are much faster than the processes would show few of the states between them.
    platform.wait_until_idle(seconds=SECONDS, at_most=chance.choice([0, 1, 3]))
    return fault


def final_sweep(function: BareFunction, outcome: Outcome) -> None:
    """Makes the sweep that follows. Lambda tries a sweep three times."""
    for _ in range(3):
        answer = function.answer_or_error(SWEEP, 30)
        if "errorType" not in answer:
            return
        outcome.counts["failed final sweeps"] += 1
    outcome.wrong.append(f"the final sweep failed: {answer}")


# --- The messages -----------------------------------------------------------------------------------------------------


def collect(sandbox: Sandbox, outcome: Outcome) -> dict[str, dict[Key, ReceivedAlert]]:
    """Returns the last alert that each channel received about each finding; counts the messages."""
    last: dict[str, dict[Key, ReceivedAlert]] = {}
    for channel, inbox in sandbox.inboxes.items():
        received: dict[Key, ReceivedAlert] = {}
        for message in inbox.drain_in_order():
            outcome.counts[f"messages on {channel}"] += 1
            if not (all_said := list(READERS[channel](message))):
                outcome.wrong.append(f"{channel}: a message without findings: {message}")
            for key, said in all_said:
                kind = f"{channel} {said.change or 'in short'}"
                outcome.messages[kind] += 1
                if received.get(key) == said:
                    outcome.repeats[kind] += 1
                received[key] = said
        last[channel] = received
    return last


def judge(report: dict[str, Any], received: dict[str, dict[Key, ReceivedAlert]], outcome: Outcome) -> None:
    """Compares the last message about each finding with what is true now."""
    findings = {(each["routeTable"]["id"], each["service"]): each for each in report["findings"]}
    outcome.counts["open findings at the end"] += len(findings)
    for channel, last in received.items():
        for key in sorted(findings.keys() | last.keys()):
            finding, said = findings.get(key), last.get(key)
            outcome.counts["last messages judged"] += 1
            if not (said.is_right_about(finding) if said else finding is None):
                now = f"{finding['severity']} {finding['gap']}" if finding else "no finding"
                outcome.wrong.append(f"{channel}, {' '.join(key)}: now {now}; last received: {said or 'nothing'}")


# --- The platform -----------------------------------------------------------------------------------------------------


class Platform:
    """The queue and the schedule in front of the functions."""

    def __init__(self, sandbox: Sandbox, outcome: Outcome) -> None:
        self.sandbox, self.outcome = sandbox, outcome
        self.kills = True
        """Whether processes are killed."""
        self._waiting: deque[str | None] = deque()
        """The VPC of each record; `None` is a sweep."""
        self._taken = 0
        self._closed = False
        self._changed = threading.Condition()

    def send(self, vpcs: list[str]) -> None:
        """Sends a record for each VPC."""
        self._give_back(list(vpcs), taken=0)

    def sweep(self) -> None:
        """Invokes a sweep."""
        self._give_back([None], taken=0)

    def take(self, at_most: int) -> list[str | None]:
        """Waits for records, and returns some of them; a sweep alone. Returns none when the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return []
            taken = [self._waiting.popleft()]
            while taken[0] and self._waiting and self._waiting[0] and len(taken) < at_most:
                taken.append(self._waiting.popleft())
            self._taken += len(taken)
            return taken

    def finish(self, taken: list[str | None], failed: list[str | None]) -> None:
        """Ends the handling of records. Those that failed are delivered again."""
        self._give_back(failed, taken=len(taken))

    def wait_until_idle(self, seconds: float, at_most: int = 0) -> bool:
        """Waits until at most so many records are waiting or being handled; returns whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._waiting) + self._taken <= at_most, seconds)

    def close(self) -> None:
        """Lets the workers end. What is still waiting is dropped."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def count(self, what: str) -> None:
        """Counts an event of the run."""
        with self._changed:
            self.outcome.counts[what] += 1

    def _give_back(self, records: list[str | None], taken: int) -> None:
        with self._changed:
            self._waiting.extend([] if self._closed else records)
            self._taken -= taken
            self._changed.notify_all()


class Worker(threading.Thread):
    """A process of the function, and the thread that invokes it. A process that was killed is started again."""

    def __init__(self, platform: Platform, upstream: str, number: int, seed: int) -> None:
        super().__init__(daemon=True)
        self._platform, self._upstream, self._number = platform, upstream, number
        self._chance = random.Random(f"{seed}-{number}")
        self._starts = 0
        self._start_process()

    def _start_process(self) -> None:
        sandbox = self._platform.sandbox
        self._proxy = PausingProxy(sandbox.cloud, self._upstream)
        urls = {f"AWS_ENDPOINT_URL_{service}": self._proxy.url for service in ("DYNAMODB", "SNS")}
        self.function = sandbox.function(f"{self._number}-{self._starts}", **urls)
        self._starts += 1

    def run(self) -> None:
        """Handles records until the queue is closed."""
        while taken := self._platform.take(at_most=self._chance.randint(1, 3)):
            failed = taken
            try:
                failed = self._handle(taken)
            finally:
                self._platform.finish(taken, failed)

    def stop(self) -> None:
        """Ends the process."""
        self.function.__exit__()
        self._proxy.close()

    def _handle(self, taken: list[str | None]) -> list[str | None]:
        """Invokes the function; returns the records that failed."""
        self._platform.count("invocations")
        records = [record(str(n), {"check": {"vpcIds": [vpc]}}) for n, vpc in enumerate(taken)]
        payload = {"Records": records} if taken[0] else SWEEP
        if self._platform.kills and self._chance.random() < 0.2:
            if self._kill_during(payload):
                self._platform.count("kills")
                return taken
        else:
            self.function.begin(payload, SECONDS)
        try:
            answer = self.function.answer(SECONDS)
        except InvocationFailed as failure:
            self._platform.count(f"failed with {failure.error['errorType']}")
            return taken
        except ProcessFailed as failure:
            self._platform.outcome.wrong.append(str(failure))
            self.stop()
            self._start_process()
            return taken
        failed = [taken[int(each["itemIdentifier"])] for each in answer.get("batchItemFailures", [])]
        for _ in failed:
            self._platform.count("failed records")
        return failed

    def _kill_during(self, payload: Any) -> bool:
        """Begins an invocation and kills the process in the middle; returns whether it came that far."""
        operation = self._chance.choice(["Query", "TransactWriteItems", "TransactWriteItems", "Publish", "Publish"])
        topic = self._chance.choice(["", *self._platform.sandbox.channels]) if operation == "Publish" else ""
        having = f"{self._platform.sandbox.name}-{topic}" if topic else ""
        # The first or the second call of this kind: before publishing or after it.
        skipped = self._chance.randint(0, 1) if operation == "TransactWriteItems" else 0
        pause = self._proxy.pause(operation, having, forwarded=self._chance.random() < 0.5, skipped=skipped)
        self.function.begin(payload, SECONDS)
        # `has_answered` comes first: it takes nothing away when it is asked again.
        wait_until(lambda: self.function.has_answered or pause.wait_for(1, 0), SECONDS + 5, interval=0.005)
        if self.function.has_answered:
            self._proxy.pauses.clear()
            return False
        self.function.kill()
        # Nothing of the dead process is on its way after this, so its lease may end.
        self._proxy.close()
        self._platform.sandbox.expire_leases_of(self.function.request_id)
        self.function.__exit__()
        self._start_process()
        return True


# --- Faults -----------------------------------------------------------------------------------------------------------


def draw_fault(chance: random.Random, name: str) -> tuple[str, dict[str, Any]]:
    """Returns a fault's name and its rule. Five attempts are made, so some faults outlast them."""
    service, operation, throttling = chance.choice(
        [
            ("dynamodb", "Query", "ProvisionedThroughputExceededException"),
            ("dynamodb", "TransactWriteItems", "ThrottlingException"),
            ("dynamodb", "TransactWriteItems", "ProvisionedThroughputExceededException"),
            ("sns", "Publish", "Throttling"),
            ("sns", "Publish", "Throttling"),
        ]
    )
    times = chance.choice([1, 2, 5, 10, 20])
    faults: dict[str, dict[str, Any]] = {
        "throttling": error(throttling, 503 if service == "sns" else 400, times=times),
        "server error": error("InternalError" if service == "sns" else "InternalServerError", 500, times=times),
        "reset": RESET | {"times": times},
        # Longer than an attempt may take.
        "timeout": {"timeout_ms": 6_000, "times": min(times, 3)},
        # The service executes the call.
        "lost answer": {"response": {"abort_frac": 0.5}, "times": min(times, 4)},
        "truncated answer": TRUNCATED | {"times": 1},
    }
    kind = chance.choice(list(faults))
    rule = faults[kind] | {"service": service, "operation": operation}
    if service == "sns" and chance.random() < 0.6:
        rule["body"] = f"contains(TopicArn, '{name}-{chance.choice(['json', 'text', 'chat'])}')"
    return f"{operation} {kind}", rule


# --- The network ------------------------------------------------------------------------------------------------------


@dataclass
class Vpc:
    """A VPC that changes."""

    id: str
    tables: list[str]
    targets: list[dict[str, str]]
    """What its default routes can lead to."""
    associations: dict[str, str] = field(default_factory=dict)
    """The current association of each subnet."""
    endpoints: dict[str, str] = field(default_factory=dict)
    """The gateway endpoint of each service that has one."""
    members: dict[str, set[str]] = field(default_factory=dict)
    """The tables that each endpoint lists."""
    routed: set[str] = field(default_factory=set)
    """The tables that have a default route."""
    exempt: set[str] = field(default_factory=set)
    spare: list[str] = field(default_factory=list)
    """Tables without subnets, routes and endpoints, which can be deleted."""


class Network:
    """Three VPCs, and their random changes."""

    def __init__(self, build: Builder, chance: random.Random) -> None:
        self._build, self._ec2, self._chance = build, build.ec2, chance
        self._vpcs = [self._build_vpc(number) for number in range(VPCS)]

    @property
    def vpcs(self) -> list[str]:
        """The ids of the VPCs."""
        return [vpc.id for vpc in self._vpcs]

    def change(self) -> str:
        """Changes a VPC; returns its id."""
        vpc = self._chance.choice(self._vpcs)
        changes = [self._list_or_unlist] * 4 + [
            self._replace_endpoint,
            self._move_subnet,
            self._move_subnet,
            self._move_default_route,
            self._move_default_route,
            self._exempt_or_not,
            self._create_or_delete_table,
        ]
        self._chance.choice(changes)(vpc)
        return vpc.id

    def _build_vpc(self, number: int) -> Vpc:
        build, block = self._build, f"10.{number}"
        vpc_id = build.vpc(f"soak-{number}", f"{block}.0.0/16")
        tables = [build.main_table(vpc_id), *(build.table(f"table-{n}", vpc_id) for n in range(2))]
        vpc = Vpc(vpc_id, tables, [{"GatewayId": build.internet_gateway(vpc_id)}])
        for n in range(3):
            subnet = build.subnet(f"subnet-{n}", vpc_id, f"{block}.{n}.0/24", "abc"[n])
            answer = self._ec2.associate_route_table(RouteTableId=tables[n % 2 + 1], SubnetId=subnet)
            vpc.associations[subnet] = answer["AssociationId"]
        vpc.targets.append({"NatGatewayId": build.nat_gateway(next(iter(vpc.associations)))})
        for service in SERVICES:
            self._create_endpoint(vpc, service)
        return vpc

    def _create_endpoint(self, vpc: Vpc, service: str) -> None:
        listed = [table for table in vpc.tables if self._chance.random() < 0.8]
        vpc.endpoints[service] = self._build.gateway_endpoint(SERVICES[service], vpc.id, listed)
        vpc.members[service] = set(listed)

    def _list_or_unlist(self, vpc: Vpc) -> None:
        service, table = self._chance.choice(list(SERVICES)), self._chance.choice(vpc.tables)
        if service not in vpc.endpoints:
            self._create_endpoint(vpc, service)
            return
        listed = table in vpc.members[service]
        change = {"RemoveRouteTableIds" if listed else "AddRouteTableIds": [table]}
        self._ec2.modify_vpc_endpoint(VpcEndpointId=vpc.endpoints[service], **change)
        vpc.members[service] ^= {table}

    def _replace_endpoint(self, vpc: Vpc) -> None:
        service = self._chance.choice(list(SERVICES))
        if endpoint := vpc.endpoints.pop(service, None):
            self._ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
        else:
            self._create_endpoint(vpc, service)

    def _move_subnet(self, vpc: Vpc) -> None:
        subnet = self._chance.choice(list(vpc.associations))
        answer = self._ec2.replace_route_table_association(
            AssociationId=vpc.associations[subnet], RouteTableId=self._chance.choice(vpc.tables)
        )
        vpc.associations[subnet] = answer["NewAssociationId"]

    def _move_default_route(self, vpc: Vpc) -> None:
        table, target = self._chance.choice(vpc.tables), self._chance.choice(vpc.targets)
        call = self._ec2.replace_route if table in vpc.routed else self._ec2.create_route
        call(RouteTableId=table, DestinationCidrBlock=ANYWHERE, **target)
        vpc.routed.add(table)

    def _exempt_or_not(self, vpc: Vpc) -> None:
        table = self._chance.choice(vpc.tables)
        change = self._ec2.delete_tags if table in vpc.exempt else self._ec2.create_tags
        change(Resources=[table], Tags=[{"Key": "gatewatch:exempt", "Value": "*"}])
        vpc.exempt ^= {table}

    def _create_or_delete_table(self, vpc: Vpc) -> None:
        if vpc.spare:
            self._ec2.delete_route_table(RouteTableId=vpc.spare.pop())
        else:
            vpc.spare.append(self._build.table("spare", vpc.id))
