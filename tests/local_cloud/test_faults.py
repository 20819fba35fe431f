"""AWS on a bad day: each call of the function is throttled, refused, reset, cut short and kept waiting.

Whatever happens, a network is never judged on half a picture, and what was not told is told later. Two halves:

- every fault of every call, with the function's binary alone: a process for each case, all at once
- some faults through the deployed queue, up to the dead-letter queue and back

The figures are at the end of pytest's output and in .tools/faults.txt.
"""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from bench import ALL_DONE, answer_or_error, errors_in, record
from local import environment, networks
from local.bare_function import BareFunction
from local.cloud import Cloud
from local.deployment import Deployment
from local.faults import Proxy, calls_of, named, proxy_before
from local.inbox import Inbox, Message, as_reported
from local.networks import DYNAMODB, S3, Builder

# --- What can go wrong ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """A call that the function makes."""

    name: str
    service: str
    operation: str
    page: str = ""
    """Which of the pages; any if empty."""


CALLS = [
    Call("DescribeVpcs", "ec2", "DescribeVpcs"),
    Call("DescribeSubnets", "ec2", "DescribeSubnets"),
    Call("DescribeRouteTables", "ec2", "DescribeRouteTables"),
    Call("DescribeRouteTables-later-page", "ec2", "DescribeRouteTables", page="NextToken"),
    Call("DescribeVpcEndpoints", "ec2", "DescribeVpcEndpoints"),
    Call("Publish", "sns", "Publish"),
]


@dataclass(frozen=True)
class Fault:
    """Something that happens to a call, and what src/clients.rs and src/deadline.rs say comes of it."""

    name: str
    rule: dict[str, Any]
    """For microburst. `{code}` stands for the service's own error code."""
    injected: int
    """How often the call is tried in vain: five times at most, within 20 s, and within the invocation."""
    error: str | None
    """What the function says of it; nothing if a later try succeeds."""
    codes: dict[str, str] = field(default_factory=dict)
    seconds: float = 60
    """The time that the invocation has."""


THROTTLING = {"ec2": "RequestLimitExceeded", "sns": "Throttling"}
DENIAL = {"ec2": "UnauthorizedOperation", "sns": "AuthorizationError"}
HANG_MS = 30_000
"""Longer than one try may take (5 s) and than one call may take (20 s)."""


TRUNCATED = {"response": {"truncate_frac": 0.5}}
"""The first half of the answer, under HTTP 200."""


def answers(code: str, status: int, **limit: int) -> dict[str, Any]:
    """A rule: the call is answered with an error."""
    return {"error": {"code": code, "status": status}} | limit


FAULTS = [
    Fault("throttling-that-ends", answers("{code}", 503, times=2), 2, None, THROTTLING),
    Fault("throttling-that-does-not-end", answers("{code}", 503), 5, "{code} (request id …)", THROTTLING),
    Fault("server-error", answers("InternalError", 500), 5, "InternalError (request id …)"),
    # Trying again would not help, and does not happen.
    Fault("denied", answers("{code}", 403), 1, "{code} (request id …)", DENIAL),
    Fault("connection-reset", {"reset": True}, 5, "got no answer: connection closed before message completed"),
    Fault("truncated-answer", TRUNCATED, 1, "got an answer that cannot be read (request id …)"),
    Fault("hang-that-ends", {"timeout_ms": HANG_MS, "times": 1}, 1, None),
    Fault("hang-that-does-not-end", {"timeout_ms": HANG_MS}, 4, "timed out"),
    Fault("hang-in-a-short-invocation", {"timeout_ms": HANG_MS}, 1, "…before the invocation's deadline", seconds=6),
]


@dataclass(frozen=True)
class Case:
    """A fault of a call."""

    call: Call
    fault: Fault

    @property
    def name(self) -> str:
        """Names the case, its topic, and the function's application in the User-Agent of each of its calls."""
        return f"{self.call.name}-{self.fault.name}"

    @property
    def headers(self) -> dict[str, str]:
        """By these microburst knows the calls of this case."""
        return calls_of(self.name)

    @property
    def rule(self) -> dict[str, Any]:
        """The fault, for the calls of this case alone."""
        code = self.fault.codes.get(self.call.service, "")
        rule = json.loads(json.dumps(self.fault.rule).replace("{code}", code))
        rule |= {"service": self.call.service, "operation": self.call.operation, "headers": self.headers}
        return rule | ({"body": self.call.page} if self.call.page else {})

    @property
    def error(self) -> str | None:
        """What the function says of the fault."""
        code = self.fault.codes.get(self.call.service, "")
        return self.fault.error and self.fault.error.replace("{code}", code)


CASES = [Case(call, fault) for call in CALLS for fault in FAULTS]

# --- Every fault of every call ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Networks:
    """What the function is asked about: a VPC with findings and one without, and what is true of them."""

    shop: str
    covered: str
    truth: Message

    @property
    def batch(self) -> dict[str, Any]:
        """A change in each VPC, as SQS hands them over."""
        return {"Records": [record("shop", self.shop), record("covered", self.covered)]}


SHOP_FAILED = {"batchItemFailures": [{"itemIdentifier": "shop"}]}


@dataclass(frozen=True)
class Outcome:
    """What became of a case."""

    answer: Any
    """The answer to the batch, or the error."""
    messages: list[Message]
    """What subscribers had received by then."""
    said: list[str]
    """The errors in the log."""
    injected: int
    answer_again: Any
    """The answer to the same batch when the fault is over. SQS hands over again what is not done."""
    messages_again: list[Message]


@dataclass
class Figures:
    """What all came to. pytest prints it at its end."""

    cases: int = 0
    injected: int = 0
    lost: int = 0
    false: int = 0
    messages: int = 0

    def __str__(self) -> str:
        return (
            f"{self.cases} cases, {self.injected} faults injected, {self.messages} messages received, "
            f"{self.lost} findings lost, {self.false} false verdicts"
        )

    def count(self, truth: Message, injected: int, messages: list[Message]) -> None:
        """Adds a case. What was true and was not told is lost; what was told and was not true is false."""
        told = [finding for message in messages for finding in as_reported(message.body["findings"])]
        true = as_reported(truth.body["findings"])
        self.cases += 1
        self.injected += injected
        self.messages += len(messages)
        self.lost += len({finding["id"] for finding in true} - {finding["id"] for finding in told})
        self.false += sum(finding not in true for finding in told)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Called by pytest."""
        terminalreporter.write_line(f"test_faults.py: {self}")


@pytest.fixture(scope="module")
def figures(request: pytest.FixtureRequest) -> Iterator[Figures]:
    """The sum of all cases."""
    figures = Figures()
    request.config.pluginmanager.register(figures)
    yield figures
    (environment.TOOLS / "faults.txt").write_text(f"{figures}\n")


@pytest.fixture(scope="module")
def proxies(cloud: Cloud) -> Iterator[dict[str, Proxy]]:
    """A proxy before EC2 and one before SNS."""
    with ExitStack() as running:
        yield {service: running.enter_context(proxy_before(cloud, service)) for service in ("ec2", "sns")}


@pytest.fixture(scope="module")
def outcomes(cloud: Cloud, stack: Deployment, proxies: dict[str, Proxy], figures: Figures) -> dict[str, Outcome]:
    """All cases, many at once because most of their time is waiting. They share the network, and nothing else."""
    with stack.untold(), ThreadPoolExecutor(20) as pool:
        cloud.empty_the_region()
        build = Builder(cloud.client("ec2"))
        shop, covered = networks.build_shop(build.ec2), build_covered(build)
        undisturbed = Inbox(topic(cloud, "undisturbed"), "undisturbed")
        with function(cloud, proxies, "undisturbed") as bare:
            batch = {"Records": [record("shop", shop), record("covered", covered)]}
            assert bare.invoke(batch) == ALL_DONE
        [truth] = undisturbed.all_within(seconds=1, at_least=1)
        there = Networks(shop, covered, truth)
        # The longest first.
        cases = sorted(CASES, key=lambda case: -case.fault.injected * ("timeout_ms" in case.fault.rule))
        played = pool.map(lambda case: play(cloud, proxies, there, case), cases)
        outcomes = dict(zip([case.name for case in cases], played))
    for outcome in outcomes.values():
        figures.count(truth, outcome.injected, outcome.messages + outcome.messages_again)
    outcomes["truth"] = Outcome(None, [truth], [], 0, None, [])
    return outcomes


@pytest.mark.parametrize("case", [case for case in CASES if case.call.service == "ec2"], ids=lambda case: case.name)
def test_a_network_that_could_not_be_read_is_not_judged_and_then_is(case: Case, outcomes: dict[str, Outcome]) -> None:
    outcome, truth = outcomes[case.name], outcomes["truth"].messages

    if case.error is None:
        assert outcome == Outcome(ALL_DONE, truth, [], case.fault.injected, None, [])
        return
    why = f"{case.call.operation}: {case.error}"
    if case.error.startswith("…"):
        why = "the network was not read to its end before the invocation's deadline"
    # The batch fails as a whole, so that SQS keeps both records.
    failed = {"errorType": "Ec2ReadFailed", "errorMessage": why}
    assert outcome == Outcome(failed, [], outcome.said, tries(case, outcome), ALL_DONE, truth)


@pytest.mark.parametrize("case", [case for case in CASES if case.call.service == "sns"], ids=lambda case: case.name)
def test_a_message_that_was_not_taken_fails_its_record_alone(case: Case, outcomes: dict[str, Outcome]) -> None:
    outcome, truth = outcomes[case.name], outcomes["truth"].messages

    # SNS took the message; only its answer was cut. What is left of it still says so.
    taken_all_the_same = case.fault.name == "truncated-answer"
    if case.error is None or taken_all_the_same:
        assert outcome == Outcome(ALL_DONE, truth, [], case.fault.injected, None, [])
        return
    shop = truth[0].body["vpc"]["id"]
    why = "not taken before the invocation's deadline" if case.error.startswith("…") else case.error
    assert outcome == Outcome(
        SHOP_FAILED, [], [f"PublishFailed: Publish, about {shop}: {why}"], tries(case, outcome), ALL_DONE, truth
    )


def tries(case: Case, outcome: Outcome) -> int:
    """How many tries there have to be. Whether a short invocation has time for a second one is the clock's doing."""
    short = case.fault.name == "hang-in-a-short-invocation"
    return outcome.injected if short and outcome.injected in (1, 2) else case.fault.injected


def test_nothing_was_lost_and_nothing_false_was_said(outcomes: dict[str, Outcome], figures: Figures) -> None:
    assert (figures.lost, figures.false) == (0, 0)
    assert figures.cases == len(CASES) == 54
    assert figures.injected >= sum(case.fault.injected for case in CASES)


def play(cloud: Cloud, proxies: dict[str, Proxy], there: Networks, case: Case) -> Outcome:
    """Sends the batch while the fault is there; and, if it was not done, once more when the fault is over."""
    proxy = proxies[case.call.service]
    inbox = Inbox(topic(cloud, case.name), case.name)
    rule = proxy.inject(case.rule)
    with function(cloud, proxies, case.name) as bare:
        answer = answer_or_error(bare, there.batch, case.fault.seconds)
        messages = inbox.all_within(seconds=1, at_least=1 if answer == ALL_DONE else 0)
        said, injected = errors_in(bare), proxy.injected(rule)
        proxy.heal(case.headers)
        answer_again = None if answer == ALL_DONE else answer_or_error(bare, there.batch, 60)
        messages_again = [] if answer_again is None else inbox.all_within(seconds=1, at_least=1)
    return Outcome(answer, messages, said, injected, answer_again, messages_again)


def build_covered(build: Builder) -> str:
    """A VPC of which nothing is ever to be said."""
    vpc = build.vpc("covered", "10.90.0.0/16")
    main = build.main_table(vpc)
    build.subnet("covered-a", vpc, "10.90.0.0/24", "a")
    build.gateway_endpoint(S3, vpc, [main])
    build.gateway_endpoint(DYNAMODB, vpc, [main])
    return vpc


def topic(cloud: Cloud, name: str) -> Deployment:
    """A topic of its own, as an inbox wants it."""
    return Deployment(cloud, {"TopicArn": cloud.client("sns").create_topic(Name=name)["TopicArn"]})


def function(cloud: Cloud, proxies: dict[str, Proxy], name: str) -> BareFunction:
    """The function behind the proxies, with a topic and a User-Agent by which they know it."""
    env = cloud.env | {
        "TOPIC_ARN": f"arn:aws:sns:{environment.REGION}:{environment.ACCOUNT}:{name}",
        "AWS_ENDPOINT_URL_EC2": proxies["ec2"].url,
        "AWS_ENDPOINT_URL_SNS": proxies["sns"].url,
    } | named(name)
    return BareFunction(env, cloud.logs / "faults" / f"{name}.log")


# --- Through the deployed queue ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Queues:
    """The deployed function behind the proxies, and its queues."""

    sqs: Any
    changes: str
    dead: str

    def send(self, vpc: str) -> str:
        """A change in the VPC; gives the record's body."""
        body = json.dumps({"check": {"vpcIds": [vpc]}})
        self.sqs.send_message(QueueUrl=self.changes, MessageBody=body, DelaySeconds=0)
        return body

    def let_failures_rest(self, seconds: int) -> None:
        """How long a record that failed rests; in the template, minutes. Longer than an invocation takes here."""
        self.sqs.set_queue_attributes(QueueUrl=self.changes, Attributes={"VisibilityTimeout": str(seconds)})

    def waiting(self) -> int:
        """How many records are in the queue, at rest or being worked on."""
        return self._count(self.changes)

    def wait_until_worked_off(self, seconds: float) -> None:
        """Waits until no record is left in the queue."""
        deadline = time.monotonic() + seconds
        while self.waiting() and time.monotonic() < deadline:
            time.sleep(0.1)

    def dead_letters(self) -> list[str]:
        """Takes the records out of the dead-letter queue."""
        taken = []
        while messages := self.sqs.receive_message(QueueUrl=self.dead).get("Messages", []):
            for message in messages:
                self.sqs.delete_message(QueueUrl=self.dead, ReceiptHandle=message["ReceiptHandle"])
                taken.append(message["Body"])
        return taken

    def _count(self, queue: str) -> int:
        names = [f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed")]
        attributes = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)


@pytest.fixture(scope="module")
def queues(cloud: Cloud, stack: Deployment, proxies: dict[str, Proxy]) -> Iterator[Queues]:
    """The deployed function calls EC2 and SNS through the proxies. It has one topic, so that faults can be counted."""
    sqs = cloud.client("sqs")
    queues = Queues(sqs, stack.outputs["ChangesQueueUrl"], stack.outputs["ChangesDeadLetterQueueUrl"])
    through_proxies = {f"AWS_ENDPOINT_URL_{name.upper()}": proxy.url for name, proxy in proxies.items()}
    rests = sqs.get_queue_attributes(QueueUrl=queues.changes, AttributeNames=["VisibilityTimeout"])["Attributes"]
    with stack.untold(), stack.variables(TEXT_TOPIC_ARN=None, CHAT_TOPIC_ARN=None, **through_proxies):
        queues.dead_letters()
        yield queues
    sqs.set_queue_attributes(QueueUrl=queues.changes, Attributes=rests)


@contextmanager
def fault(proxy: Proxy, operation: str, rule: dict[str, Any]) -> Iterator[int]:
    """The proxy has this rule as long as it holds; gives its number."""
    try:
        yield proxy.inject({"operation": operation} | rule)
    finally:
        proxy.heal()


@pytest.fixture(scope="module")
def inbox(stack: Deployment) -> Inbox:
    """An inbox in which nothing is from before."""
    return Inbox(stack, "inbox-of-faults")


FAILS_FIRST = [
    # Five tries in the first invocation; two in the second, and then the third is answered.
    pytest.param("ec2", "DescribeRouteTables", answers("RequestLimitExceeded", 503, times=7), id="throttled"),
    pytest.param("ec2", "DescribeVpcEndpoints", TRUNCATED | {"times": 1}, id="truncated"),
    pytest.param("ec2", "DescribeSubnets", {"reset": True, "times": 6}, id="reset"),
    pytest.param("sns", "Publish", answers("AuthorizationError", 403, times=1), id="not-taken"),
]


@pytest.mark.parametrize(("service", "operation", "rule"), FAILS_FIRST)
def test_a_record_that_failed_comes_back_and_is_worked_off(
    service: str, operation: str, rule: dict[str, Any],
    build: Builder, queues: Queues, proxies: dict[str, Proxy], inbox: Inbox, stack: Deployment, figures: Figures,
) -> None:
    shop, truth = build_and_ask(build, stack)
    queues.let_failures_rest(seconds=4)  # five tries and the waits between them take 3 s at most

    with fault(proxies[service], operation, rule) as number:
        queues.send(shop)
        messages = inbox.all_within(seconds=20, at_least=1)
        queues.wait_until_worked_off(10)

    messages += inbox.all_within(seconds=1, at_least=0)
    assert [as_reported(message.body["findings"]) for message in messages] == [truth.body["findings"]], "told once"
    assert proxies[service].injected(number) == rule["times"]
    assert (queues.waiting(), queues.dead_letters()) == (0, [])
    figures.count(truth, rule["times"], messages)


FAILS_FOR_GOOD = [
    pytest.param("ec2", "DescribeVpcs", answers("UnauthorizedOperation", 403), id="read-denied"),
    pytest.param("sns", "Publish", answers("AuthorizationError", 403), id="publish-denied"),
]


@pytest.mark.parametrize(("service", "operation", "rule"), FAILS_FOR_GOOD)
def test_a_record_that_failed_five_times_waits_in_the_dead_letter_queue_until_the_cause_is_gone(
    service: str, operation: str, rule: dict[str, Any],
    build: Builder, queues: Queues, proxies: dict[str, Proxy], inbox: Inbox, stack: Deployment, figures: Figures,
) -> None:
    shop, truth = build_and_ask(build, stack)
    queues.let_failures_rest(seconds=2)

    with fault(proxies[service], operation, rule) as number:
        body = queues.send(shop)
        queues.wait_until_worked_off(60)

    assert queues.dead_letters() == [body]
    assert inbox.all_within(seconds=1, at_least=0) == []
    assert proxies[service].injected(number) == 5, "handed out five times"

    # What "Start DLQ redrive" does, now that the cause is gone.
    queues.sqs.send_message(QueueUrl=queues.changes, MessageBody=body, DelaySeconds=0)

    messages = inbox.all_within(seconds=20, at_least=1)
    queues.wait_until_worked_off(10)
    assert [as_reported(message.body["findings"]) for message in messages] == [truth.body["findings"]]
    assert (queues.waiting(), queues.dead_letters()) == (0, [])
    figures.count(truth, 5, messages)


def test_a_message_that_was_not_taken_does_not_repeat_the_others(
    build: Builder, queues: Queues, proxies: dict[str, Proxy], inbox: Inbox
) -> None:
    heard, unheard = build.vpc("heard", "10.91.0.0/16"), build.vpc("unheard", "10.92.0.0/16")
    queues.let_failures_rest(seconds=2)
    about_unheard = {"body": f"contains(Message, '{unheard}')"}

    with fault(proxies["sns"], "Publish", answers("AuthorizationError", 403, times=1) | about_unheard) as number:
        for vpc in (heard, unheard):
            queues.send(vpc)
        messages = inbox.all_within(seconds=20, at_least=2)
        queues.wait_until_worked_off(10)

    messages += inbox.all_within(seconds=1, at_least=0)
    assert sorted(message.body["vpc"]["id"] for message in messages) == sorted([heard, unheard])
    assert proxies["sns"].injected(number) == 1
    assert (queues.waiting(), queues.dead_letters()) == (0, [])


def build_and_ask(build: Builder, stack: Deployment) -> tuple[str, Message]:
    """The shop, and what is true of it: the report that an undisturbed function gives."""
    shop = networks.build_shop(build.ec2)
    report = stack.invoke({"check": {"vpcIds": [shop]}, "publish": False})
    assert report["findings"], "there is something to lose"
    return shop, Message("", {}, {"findings": report["findings"]})
