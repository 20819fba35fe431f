"""The ledger on a bad day: each call to DynamoDB is throttled, refused, reset, cut short and kept waiting.

Findings go out all the same, the record fails, and what was not remembered is told later. The figures are at the end of
pytest's output.

The function starts from a ledger that knows two findings: one that stands, and one of a table that is gone. So there is
something of each kind: a finding that is not to be told again, two that are new, and one that is over.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from bench import ALL_DONE, Bench, another_is_telling, answer_or_error, changes, errors_in, record
from local import ledger, networks
from local.cloud import Cloud
from local.deployment import Deployment
from local.faults import Proxy, calls_of, named, proxy_before
from local.gate import gate_before
from local.inbox import Inbox, Message
from local.networks import DYNAMODB, S3

# --- What can go wrong ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """A call to DynamoDB, and what a function that cannot make it has told by then."""

    name: str
    operation: str
    having: str = ""
    """What tells it from others of the same operation: an expression on its body."""
    ledger: str = "unavailable"
    """What the messages say of the ledger."""
    told: str = ""
    """The findings that it tells, and as what: see `World.told`."""
    fails: tuple[str, ...] = ("shop",)
    """The records that fail. Without the ledger nobody knows what is over, so every record fails."""
    claimed: bool = False
    """Whether the VPC stays claimed until the claim ends."""
    remembered: bool = False
    """Whether the ledger knows all by then."""
    at_once: int = 1
    """How often it is made at once."""


PENDING = "RequestItems.*[].PutRequest.Item.pending.L[]"

CALLS = [
    Call("Query", "Query", told="reported-all", fails=("shop", "quiet"), at_once=2),
    Call("claim", "UpdateItem", "contains(UpdateExpression, 'SET claims')", told="reported-news"),
    # What is going to be told is written down before, and what was told after. Only then is nothing pending.
    Call("begin", "BatchWriteItem", f"length({PENDING}) > `0`", told="reported-news"),
    Call("remember", "BatchWriteItem", f"length({PENDING}) == `0`", ledger="on", told="news", claimed=True),
    Call(
        "release", "UpdateItem", "contains(UpdateExpression, 'REMOVE')", ledger="on", told="news", claimed=True,
        remembered=True,
    ),
]


@dataclass(frozen=True)
class Fault:
    """Something that happens to a call, and what src/clients.rs says comes of it."""

    name: str
    rule: dict[str, Any]
    """For microburst."""
    injected: tuple[int, int]
    """How often the call is tried in vain, at least and at most: five times at most, within 5 s. How many tries of 2 s
    that is, and whether there is time for a fifth after a slow fourth, is the clock's doing."""
    error: tuple[str, ...]
    """What the function may say of it; nothing if a later try succeeds."""
    arrives: bool = False
    """Whether DynamoDB does what it is asked for, and only its answer suffers."""


def answers(code: str, status: int, **limit: int) -> dict[str, Any]:
    """A rule: the call is answered with an error."""
    return {"error": {"code": code, "status": status}} | limit


HANG_MS = 30_000
TRIES = (3, 5)
TOO_LATE = ("timed out", "not answered in time")
CAPACITY, THROTTLING = "ProvisionedThroughputExceededException", "ThrottlingException"

FAULTS = [
    Fault("throttling-that-ends", answers(CAPACITY, 400, times=2), (2, 2), ()),
    Fault("throttling-that-does-not-end", answers(CAPACITY, 400), TRIES, (f"{CAPACITY} (request id …)", *TOO_LATE)),
    Fault("throttling-of-the-account", answers(THROTTLING, 400), TRIES, (f"{THROTTLING} (request id …)", *TOO_LATE)),
    Fault(
        "server-error", answers("InternalServerError", 500), TRIES, ("InternalServerError (request id …)", *TOO_LATE)
    ),
    # Trying again would not help, and does not happen.
    Fault("denied", answers("AccessDeniedException", 400), (1, 1), ("AccessDeniedException (request id …)",)),
    Fault(
        "connection-reset", {"reset": True}, TRIES,
        ("got no answer: connection closed before message completed", *TOO_LATE),
    ),
    Fault(
        "broken-json", {"response": {"truncate_frac": 0.5}}, (1, 1), ("an error without a code (request id …)",),
        arrives=True,
    ),
    Fault("hang-that-ends", {"timeout_ms": HANG_MS, "times": 1}, (1, 1), ()),
    Fault("hang-that-does-not-end", {"timeout_ms": HANG_MS}, (2, 3), TOO_LATE),
]


@dataclass(frozen=True)
class Case:
    """A fault of a call."""

    call: Call
    fault: Fault

    @property
    def name(self) -> str:
        """Names the case, its table and topics, and the function's application in the User-Agent of each call."""
        return f"ledger-{self.call.name}-{self.fault.name}"

    @property
    def headers(self) -> dict[str, str]:
        """By these microburst knows the calls of this case."""
        return calls_of(self.name)

    @property
    def rule(self) -> dict[str, Any]:
        """The fault, for the calls of this case alone."""
        rule = self.fault.rule | {"service": "dynamodb", "operation": self.call.operation, "headers": self.headers}
        return rule | ({"body": self.call.having} if self.call.having else {})


CASES = [Case(call, fault) for call in CALLS for fault in FAULTS]

# --- Every fault of every call ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """The network, what the ledger knows of it at first, and what there is to tell."""

    shop: str
    quiet: str
    known: str
    """The finding that was told before."""
    new: list[str]
    gone: str
    """The finding whose table is gone."""
    seed: list[dict[str, Any]]

    @property
    def batch(self) -> dict[str, Any]:
        """A change in each VPC, as SQS hands them over."""
        return {"Records": [record("shop", self.shop), record("quiet", self.quiet)]}

    @property
    def told(self) -> dict[str, list[tuple[str, str]]]:
        """What is told in each situation."""
        return {
            "news": sorted([("opened", each) for each in self.new] + [("resolved", self.gone)]),
            # That something is over is not known without the ledger, and not forgotten.
            "reported-news": sorted(("reported", each) for each in self.new),
            "reported-all": sorted(("reported", each) for each in [self.known, *self.new]),
        }


@dataclass(frozen=True)
class Outcome:
    """What became of a case."""

    answer: Any
    said: list[str]
    ledger: list[str]
    """What the messages said of the ledger."""
    told: list[tuple[str, str]]
    injected: int
    held: int
    early: Any
    """The answer to the same batch when the fault is over and the VPC may be claimed still."""
    told_early: list[tuple[str, str]]
    again: Any
    """The answer when the claim has ended."""
    told_again: list[tuple[str, str]]
    entries: dict[str, tuple[str, list[str]]]
    last: Any
    told_last: list[tuple[str, str]]
    messages: int


@dataclass
class Figures:
    """What all came to. pytest prints it at its end."""

    cases: int = 0
    injected: int = 0
    messages: int = 0
    lost: int = 0
    false: int = 0
    repeated: int = 0
    lines: list[str] = field(default_factory=list)

    def count(self, world: World, outcome: Outcome) -> None:
        """Adds a case. News that nobody was told is lost; what was told and was no news is false.

        A finding that was told before is told again only where the ledger could not be read, and is marked then.
        """
        told = outcome.told + outcome.told_early + outcome.told_again + outcome.told_last
        news = world.told["news"]
        marked = world.told["reported-all"]
        self.cases += 1
        self.injected += outcome.injected
        self.messages += outcome.messages
        self.lost += sum(each not in told for each in news)
        self.false += sum(each not in news + marked for each in told)
        self.repeated += sum(told.count(each) - 1 for each in news if each in told)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Called by pytest."""
        terminalreporter.write_line(
            f"test_ledger_faults.py: {self.cases} cases, {self.injected} faults injected, {self.messages} messages "
            f"received, {self.lost} findings lost, {self.false} false, {self.repeated} told again after a failed write"
        )
        for line in self.lines:
            terminalreporter.write_line(f"test_ledger_faults.py: {line}")


@pytest.fixture(scope="module")
def figures(request: pytest.FixtureRequest) -> Figures:
    """The sum of all cases."""
    figures = Figures()
    request.config.pluginmanager.register(figures)
    return figures


@pytest.fixture(scope="module")
def world(cloud: Cloud, stack: Deployment) -> Iterator[World]:
    """The demo's network with three gaps and a VPC without any. The deployed function is told of nothing."""
    with stack.untold():
        cloud.empty_the_region()
        build = networks.Builder(cloud.client("ec2"))
        shop, quiet = networks.build_shop(build.ec2), build.vpc("quiet", "10.93.0.0/16")
        for service in (S3, DYNAMODB):
            build.gateway_endpoint(service, quiet, [build.main_table(quiet)])
        bench = Bench(cloud, "ledger-undisturbed")
        with bench.function() as function:
            assert function.invoke({"Records": [record("shop", shop), record("quiet", quiet)]}) == ALL_DONE
        known, *new = [entry["findingId"] for entry in bench.items]
        written = ledger.items(bench.dynamodb, bench.table)
        items = {item.get("findingId", {}).get("S", "claim"): item for item in written}
        gone = "f" * 64
        seed = [items["claim"], items[known], ghost_of(items[known], gone)]
        yield World(shop, quiet, known, new, gone, seed)


def ghost_of(item: dict[str, Any], finding: str) -> dict[str, Any]:
    """The same finding of a table that is not there."""
    ghost = json.loads(json.dumps(item))
    ghost["sk"]["S"] = f"{item['vpcId']['S']}#{finding}"
    ghost["findingId"]["S"] = finding
    ghost["routeTable"]["M"]["id"]["S"] = "rtb-0fffffffffffffff0"
    return ghost


@pytest.fixture(scope="module")
def proxy(cloud: Cloud) -> Iterator[Proxy]:
    """A proxy before DynamoDB."""
    with proxy_before(cloud, "dynamodb") as proxy:
        yield proxy


@pytest.fixture(scope="module")
def outcomes(cloud: Cloud, world: World, proxy: Proxy, figures: Figures) -> dict[str, Outcome]:
    """All cases, many at once because most of their time is waiting. They share the network, and nothing else."""
    # The longest first.
    cases = sorted(CASES, key=lambda case: -max(case.fault.injected) * ("times" not in case.fault.rule))
    with ThreadPoolExecutor(12) as pool:
        outcomes = dict(zip([c.name for c in cases], pool.map(lambda case: play(cloud, proxy, world, case), cases)))
    for outcome in outcomes.values():
        figures.count(world, outcome)
    return outcomes


def play(cloud: Cloud, proxy: Proxy, world: World, case: Case) -> Outcome:
    """Sends the batch while the fault is there, when it is over, when a claim that is left has ended, and once more."""
    bench = Bench(cloud, case.name, {"AWS_ENDPOINT_URL_DYNAMODB": proxy.url} | named(case.name))
    bench.dynamodb.batch_write_item(
        RequestItems={bench.table: [{"PutRequest": {"Item": item}} for item in world.seed]}
    )
    rule = proxy.inject(case.rule)
    everything: list[list[Message]] = []

    def received() -> list[tuple[str, str]]:
        """What the last invocation told, on all channels alike."""
        came = bench.received()
        everything.extend(came.values())
        assert len({len(messages) for messages in came.values()}) == 1
        return changes(came["json"])

    with bench.function() as function:
        answer = answer_or_error(function, world.batch)
        said, told, injected, held = errors_in(function), received(), proxy.injected(rule), len(bench.held)
        says_of_ledger = [message.body["ledger"] for message in everything[0]]
        proxy.heal(case.headers)
        # A shorter invocation has less patience with who has claimed the VPC.
        early = answer_or_error(function, world.batch, seconds=16 if held else 60)
        told_early = received()
        bench.let_claims_end()
        again, told_again = answer_or_error(function, world.batch), received()
        entries = {entry["findingId"]: (entry["state"], entry["pending"]) for entry in bench.items}
        last, told_last = answer_or_error(function, world.batch), received()
    return Outcome(
        answer, said, says_of_ledger, told, injected, held, early, told_early, again, told_again, entries, last,
        told_last, sum(map(len, everything)),
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_findings_go_out_and_what_was_not_remembered_is_told_later(
    case: Case, world: World, outcomes: dict[str, Outcome]
) -> None:
    outcome, call, fault = outcomes[case.name], case.call, case.fault
    news = world.told["news"]

    least, most = fault.injected
    # The first of the calls made at once that fails is the end of the others.
    assert least <= outcome.injected <= most * call.at_once
    assert (outcome.last, outcome.told_last) == (ALL_DONE, []), "in the end all is told and remembered"
    stands, over = ("open", []), ("resolved", [])
    assert outcome.entries == {each: stands for each in [world.known, *world.new]} | {world.gone: over}

    if not fault.error:
        assert (outcome.answer, outcome.said, outcome.ledger, outcome.told) == (ALL_DONE, [], ["on"], news)
        assert (outcome.held, outcome.told_early, outcome.told_again) == (0, [], [])
        return

    assert outcome.answer == {"batchItemFailures": [{"itemIdentifier": each} for each in call.fails]}
    assert len(outcome.said) == len(call.fails)
    assert {why_of(said, call) for said in outcome.said} <= set(fault.error), outcome.said
    assert (outcome.ledger, outcome.told) == ([call.ledger], world.told[call.told])

    # A claim that arrived is a claim, whatever became of its answer; letting go is letting go.
    claimed = fault.arrives if call.name == "claim" else call.claimed and not (fault.arrives and call.name == "release")
    assert outcome.held == claimed
    remembered = call.remembered or (fault.arrives and call.name == "remember")
    untold = [] if remembered else news
    if claimed and untold:
        assert outcome.early == {"batchItemFailures": [{"itemIdentifier": "shop"}]}
        assert (outcome.told_early, outcome.again, outcome.told_again) == ([], ALL_DONE, untold)
    else:
        assert (outcome.early, outcome.told_early) == (ALL_DONE, untold)
        assert (outcome.again, outcome.told_again) == (ALL_DONE, [])


def why_of(said: str, call: Call) -> str:
    """The end of what was said, after which call it was."""
    kind, _, why = said.partition(": ")
    assert kind == "LedgerFailed"
    return why.removeprefix(f"{call.operation}: ")


def test_nothing_was_lost_and_nothing_false_was_said(outcomes: dict[str, Outcome], figures: Figures) -> None:
    assert (figures.cases, figures.lost, figures.false) == (len(CASES), 0, 0)
    assert figures.injected >= sum(min(case.fault.injected) for case in CASES)


# --- Half a batch -----------------------------------------------------------------------------------------------------


def test_what_dynamodb_did_not_take_of_a_batch_is_written_again(cloud: Cloud, world: World, figures: Figures) -> None:
    """Of three entries it takes two of the first batch, then none is left but one: that makes two halves."""
    with gate_before(cloud) as gate:
        gate.halves = 2
        bench = Bench(cloud, "ledger-halves", {"AWS_ENDPOINT_URL_DYNAMODB": gate.url})
        with bench.function() as function:
            assert answer_or_error(function, world.batch) == ALL_DONE
            told = changes(bench.received()["json"])
            assert told == sorted(("opened", each) for each in [world.known, *world.new])
            assert (gate.calls["BatchWriteItem"], gate.halves) == (3, 0), "two before it was told, one after"
            assert answer_or_error(function, world.batch) == ALL_DONE
            assert changes(bench.received()["json"]) == []

    assert sorted(entry["findingId"] for entry in bench.items) == sorted([world.known, *world.new])
    assert bench.held == []
    figures.lines.append("2 of 3 entries taken of a batch under HTTP 200: the third was written by a second call")


# --- One topic --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [False, True], ids=["denied", "deleted"])
def test_a_topic_that_fails_keeps_nobody_from_hearing_and_hears_later(
    missing: bool, cloud: Cloud, world: World, figures: Figures
) -> None:
    name = f"ledger-topic-{'deleted' if missing else 'denied'}"
    text = f"arn:aws:sns:eu-west-1:123456789012:{name}-text"
    failed = {"batchItemFailures": [{"itemIdentifier": "shop"}]}
    opened = sorted(("opened", each) for each in [world.known, *world.new])
    with proxy_before(cloud, "sns") as sns:
        bench = Bench(cloud, name, {"AWS_ENDPOINT_URL_SNS": sns.url})
        if missing:
            # A topic of the same name that was not made yet. SNS says the same of one that is gone.
            elsewhere = {"TEXT_TOPIC_ARN": f"{text}-gone"}
            code = "NotFound"
        else:
            sns.inject(
                {"operation": "Publish", "body": f"contains(TopicArn, '{text}')"} | answers("AuthorizationError", 403)
            )
            elsewhere, code = {}, "AuthorizationError"
        with bench.function("failing", **elsewhere) as function:
            first, received = answer_or_error(function, world.batch), bench.received()
            second, received_then = answer_or_error(function, world.batch), bench.received()
            said = errors_in(function)
        pending = [entry["pending"] for entry in bench.items]
        sns.heal()
        with bench.function("healed") as function:
            third, received_later = answer_or_error(function, world.batch), bench.received()
            fourth, received_last = answer_or_error(function, world.batch), bench.received()

    assert (first, second) == (failed, failed)
    assert said == [f"PublishFailed: Publish as text, about {world.shop}: {code} (request id …)"] * 2
    assert {each: len(messages) for each, messages in received.items()} == {"json": 1, "text": 0, "chat": 1}
    assert changes(received["json"]) == opened
    assert {each: len(messages) for each, messages in received_then.items()} == {"json": 0, "text": 0, "chat": 0}
    assert pending == [["text"]] * 3
    assert third == ALL_DONE
    assert {each: len(messages) for each, messages in received_later.items()} == {"json": 0, "text": 1, "chat": 0}
    assert received_later["text"][0].attributes["changes"] == '["opened"]'
    assert (fourth, sum(map(len, received_last.values()))) == (ALL_DONE, 0)
    assert ([entry["pending"] for entry in bench.items], bench.held) == ([[]] * 3, [])
    what = "deleted" if missing else "denied"
    figures.lines.append(f"one topic of three {what}: the others told once, it once later")


# --- Through the deployed queue ---------------------------------------------------------------------------------------


def test_a_record_that_found_no_ledger_comes_back_by_itself(
    cloud: Cloud, stack: Deployment, world: World, proxy: Proxy, figures: Figures
) -> None:
    """Five tries in the first invocation; two in the second, and then the third is answered."""
    ledger.forget(cloud.client("dynamodb"), stack.ledger)
    inbox = Inbox(stack, "inbox-of-ledger-faults")
    # Longer than an invocation takes.
    with stack.variables(AWS_ENDPOINT_URL_DYNAMODB=proxy.url), stack.failures_rest(seconds=10):
        rule = proxy.inject(answers(CAPACITY, 400, times=7) | {"operation": "Query"})
        try:
            body = json.dumps({"check": {"vpcIds": [world.shop]}})
            cloud.client("sqs").send_message(
                QueueUrl=stack.outputs["ChangesQueueUrl"], MessageBody=body, DelaySeconds=0
            )
            messages = inbox.all_within(seconds=30, at_least=2)
            assert stack.works_off(seconds=30)
        finally:
            proxy.heal()
    messages += inbox.all_within(seconds=1, at_least=0)

    told = {message.body["ledger"]: {finding["change"] for finding in message.body["findings"]} for message in messages}
    assert (len(messages), told) == (2, {"unavailable": {"reported"}, "on": {"opened"}})
    assert proxy.injected(rule) == 7
    figures.lines.append("through the deployed queue: 7 queries throttled, told as reported and then as opened")
