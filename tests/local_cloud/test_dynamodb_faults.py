"""Every fault of every call to DynamoDB: findings are sent all the same, the record fails, and nothing is lost.

The alert history knows two findings at first: one that is still open, and one whose table has been deleted. So there is
something of each kind: a finding that must not be sent again, three that are new, and one that is resolved. One of the
new ones is about an endpoint.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local import networks
from local.cloud import Cloud
from local.deployment import Deployment
from local.inbox import Inbox, Message
from local.networks import DYNAMODB, S3
from tests.local_cloud.support import history
from tests.local_cloud.support.endpoint_problems import SHOP_FINDINGS, build_shop_with_endpoint
from tests.local_cloud.support.fault_matrix import Call, Case, Fault, run_cases
from tests.local_cloud.support.fault_proxy import RESET, TRUNCATED, FaultProxy, error, fault_proxy, hang, user_agent
from tests.local_cloud.support.figures import AddFigure
from tests.local_cloud.support.messages import NO_FAILURES, batch, changes, delivered, failed
from tests.local_cloud.support.pausing_proxy import pausing_proxy
from tests.local_cloud.support.sandbox import Sandbox

# --- The cases --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HistoryCall(Call):
    """A call to DynamoDB, and what a function that cannot make it has sent by then."""

    ledger: str = "unavailable"
    """What the messages say about the ledger."""
    sent: str = ""
    """The findings that it sends, and as what: see `World.expected`."""
    fails: tuple[str, ...] = ("shop",)
    """The records that fail. Without the history nobody knows what is resolved, so every record fails."""
    at_once: int = 1
    """How many such calls are made at once."""


def history_call(name: str, operation: str, having: str = "", **expected: Any) -> HistoryCall:
    """Returns a call; its name begins the names of the tables and topics of its cases."""
    return HistoryCall(f"dynamodb-{name}", "dynamodb", operation, having, **expected)


# One transaction acquires the lease and marks the records as pending, one marks them as delivered and releases it.
EXPRESSION = "TransactItems[0].Update.UpdateExpression"

CALLS = [
    history_call("read", "Query", sent="reported-all", fails=("shop", "quiet"), at_once=2),
    history_call("acquire", "TransactWriteItems", f"contains({EXPRESSION}, 'SET claims')", sent="reported-news"),
    history_call("release", "TransactWriteItems", f"contains({EXPRESSION}, 'REMOVE')", ledger="on", sent="news"),
]

TRIES = (3, 5)
"""A call is tried five times at most, within 5 s. After a slow fourth attempt there may be no time for a fifth."""
TIMED_OUT = ("timed out", "not answered in time")
CAPACITY, THROTTLING = "ProvisionedThroughputExceededException", "ThrottlingException"
NO_ANSWER = "got no answer: connection closed before message completed"

FAULTS = [
    Fault("throttling-that-ends", error(CAPACITY, 400, times=2), (2, 2), ()),
    Fault("throttling-that-does-not-end", error(CAPACITY, 400), TRIES, (f"{CAPACITY} (request id …)", *TIMED_OUT)),
    Fault("throttling-of-the-account", error(THROTTLING, 400), TRIES, (f"{THROTTLING} (request id …)", *TIMED_OUT)),
    Fault("server-error", error("InternalServerError", 500), TRIES, ("InternalServerError (request id …)", *TIMED_OUT)),
    # Another attempt would not help, and is not made.
    Fault("denied", error("AccessDeniedException", 400), (1, 1), ("AccessDeniedException (request id …)",)),
    Fault("connection-reset", RESET, TRIES, (NO_ANSWER, *TIMED_OUT)),
    Fault("broken-json", TRUNCATED, (1, 1), ("an error without a code (request id …)",), arrives=True),
    Fault("hang-that-ends", hang(times=1), (1, 1), ()),
    Fault("hang-that-does-not-end", hang(), (2, 3), TIMED_OUT),
]

CASES = [Case(call, fault) for call in CALLS for fault in FAULTS]

# --- Running them -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """The network, what the alert history knows at first, and what there is to send."""

    shop: str
    quiet: str
    known: str
    """The finding that was sent before."""
    new: list[str]
    gone: str
    """The finding whose table is gone."""
    seed: list[dict[str, Any]]
    """The items of the history at first."""

    @property
    def batch(self) -> dict[str, Any]:
        """A change in each VPC, delivered for the third time: if the history fails then, findings are reported."""
        return delivered(3, batch(shop=self.shop, quiet=self.quiet))

    @property
    def expected(self) -> dict[str, list[tuple[str, str]]]:
        """What is sent in each situation."""
        return {
            "news": sorted([("opened", each) for each in self.new] + [("resolved", self.gone)]),
            # Without the history nobody knows that a finding is resolved. It is not forgotten.
            "reported-news": sorted(("reported", each) for each in self.new),
            "reported-all": sorted(("reported", each) for each in [self.known, *self.new]),
        }

    @property
    def opened(self) -> list[tuple[str, str]]:
        """What is sent first if the history is empty."""
        return sorted(("opened", each) for each in [self.known, *self.new])


@dataclass(frozen=True)
class Outcome:
    """What a case has led to."""

    answer: Any
    logged: list[str]
    ledger: list[str]
    """What the messages said about the ledger."""
    sent: list[tuple[str, str]]
    injected: int
    held_leases: int
    early: Any
    """The answer to the same batch after the fault, while the lease may still last."""
    sent_early: list[tuple[str, str]]
    again: Any
    """The answer after the end of the lease."""
    sent_again: list[tuple[str, str]]
    alerts: dict[str, tuple[str, list[str]]]
    last: Any
    sent_last: list[tuple[str, str]]
    messages: int

    @property
    def all_sent(self) -> list[tuple[str, str]]:
        """Everything that was sent, in order."""
        return self.sent + self.sent_early + self.sent_again + self.sent_last


@pytest.fixture(scope="module")
def world(cloud: Cloud, stack: Deployment) -> Iterator[World]:
    """A network with four findings, and a VPC without any. The deployed function receives no events."""
    with stack.without_events():
        cloud.empty_the_region()
        build = networks.Builder(cloud.client("ec2"))
        shop, quiet = build_shop_with_endpoint(build.ec2), build.vpc("quiet", "10.93.0.0/16")
        for service in (S3, DYNAMODB):
            build.gateway_endpoint(service, quiet, [build.main_table(quiet)])
        sandbox = Sandbox(cloud, "dynamodb-undisturbed")
        with sandbox.function() as function:
            assert function.invoke(batch(shop=shop, quiet=quiet)) == NO_FAILURES
        # The first is about a route table.
        known, *new = [alert["findingId"] for alert in sandbox.alerts]
        stored = history.items(sandbox.dynamodb, sandbox.table)
        items = {item.get("findingId", {}).get("S", "lease"): item for item in stored}
        gone = "f" * 64
        seed = [items["lease"], items[known], with_deleted_table(items[known], gone)]
        yield World(shop, quiet, known, new, gone, seed)


def with_deleted_table(item: dict[str, Any], finding: str) -> dict[str, Any]:
    """Returns the same alert record for a table that does not exist."""
    copy: dict[str, Any] = json.loads(json.dumps(item))
    copy["sk"]["S"] = f"{item['vpcId']['S']}#{finding}"
    copy["findingId"]["S"] = finding
    copy["routeTable"]["M"]["id"]["S"] = "rtb-0fffffffffffffff0"
    return copy


@pytest.fixture(scope="module")
def proxy(cloud: Cloud) -> Iterator[FaultProxy]:
    """A proxy for DynamoDB."""
    with fault_proxy(cloud, "dynamodb") as proxy:
        yield proxy


@pytest.fixture(scope="module")
def outcomes(cloud: Cloud, world: World, proxy: FaultProxy) -> dict[str, Outcome]:
    """The outcomes of all cases."""
    return run_cases(CASES, 12, lambda case: run_case(cloud, proxy, world, case))


def run_case(cloud: Cloud, proxy: FaultProxy, world: World, case: Case[HistoryCall]) -> Outcome:
    """Sends the batch during the fault, after it, after the end of a lease that is left, and once more."""
    sandbox = Sandbox(cloud, case.name, {"AWS_ENDPOINT_URL_DYNAMODB": proxy.url} | user_agent(case.name))
    seed = [{"PutRequest": {"Item": item}} for item in world.seed]
    sandbox.dynamodb.batch_write_item(RequestItems={sandbox.table: seed})
    rule = proxy.inject(case.rule)
    received: list[dict[str, list[Message]]] = []

    def sent() -> list[tuple[str, str]]:
        """What the last invocation sent, the same on all channels."""
        received.append(sandbox.received())
        assert len({len(messages) for messages in received[-1].values()}) == 1
        return changes(received[-1]["json"])

    with sandbox.function() as function:
        answer = function.answer_or_error(world.batch)
        logged, first_sent = function.logged_errors(), sent()
        injected, held_leases = proxy.injected(rule), len(sandbox.held_leases)
        proxy.heal(case.headers)
        # A shorter invocation waits less for the lease.
        early = function.answer_or_error(world.batch, seconds=16 if held_leases else 60)
        sent_early = sent()
        sandbox.expire_leases()
        again, sent_again = function.answer_or_error(world.batch), sent()
        alerts = {alert["findingId"]: (alert["state"], alert["pending"]) for alert in sandbox.alerts}
        last, sent_last = function.answer_or_error(world.batch), sent()
    return Outcome(
        answer=answer,
        logged=logged,
        ledger=[message.body["ledger"] for message in received[0]["json"]],
        sent=first_sent,
        injected=injected,
        held_leases=held_leases,
        early=early,
        sent_early=sent_early,
        again=again,
        sent_again=sent_again,
        alerts=alerts,
        last=last,
        sent_last=sent_last,
        messages=sum(len(messages) for each in received for messages in each.values()),
    )


# --- Every fault of every call ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_findings_are_sent_and_what_was_not_stored_is_sent_later(
    case: Case[HistoryCall], world: World, outcomes: dict[str, Outcome]
) -> None:
    outcome, call, fault = outcomes[case.name], case.call, case.fault
    news = world.expected["news"]

    least, most = fault.injected
    # When one of the calls that are made at once fails, the others end.
    assert least <= outcome.injected <= most * call.at_once
    assert (outcome.last, outcome.sent_last) == (NO_FAILURES, []), "in the end all is sent and stored"
    still_open: tuple[str, list[str]] = ("open", [])
    alerts = dict.fromkeys([world.known, *world.new], still_open) | {world.gone: ("resolved", [])}
    assert outcome.alerts == alerts

    if not fault.errors:
        assert (outcome.answer, outcome.logged, outcome.ledger, outcome.sent) == (NO_FAILURES, [], ["on"], news)
        assert (outcome.held_leases, outcome.sent_early, outcome.sent_again) == (0, [], [])
        return

    assert outcome.answer == failed(*call.fails)
    assert len(outcome.logged) == len(call.fails)
    assert {reason_of(logged, call) for logged in outcome.logged} <= set(fault.errors), outcome.logged
    assert (outcome.ledger, outcome.sent) == ([call.ledger], world.expected[call.sent])

    # A call that arrives takes effect, whatever happens to its answer.
    step = call.name.removeprefix("dynamodb-")
    lease_held = {"read": False, "acquire": fault.arrives, "release": not fault.arrives}[step]
    assert outcome.held_leases == lease_held
    unsent = [] if step == "release" and fault.arrives else news
    if lease_held and unsent:
        assert outcome.early == failed("shop")
        assert (outcome.sent_early, outcome.again, outcome.sent_again) == ([], NO_FAILURES, unsent)
    else:
        assert (outcome.early, outcome.sent_early) == (NO_FAILURES, unsent)
        assert (outcome.again, outcome.sent_again) == (NO_FAILURES, [])


def reason_of(logged: str, call: HistoryCall) -> str:
    """Returns the end of an error, after the name of its call."""
    kind, _, reason = logged.partition(": ")
    assert kind == "LedgerFailed"
    return reason.removeprefix(f"{call.operation}: ")


def test_no_finding_is_lost_and_none_is_false(world: World, outcomes: dict[str, Outcome], figure: AddFigure) -> None:
    """A finding that was sent before is sent again only if the history cannot be read, and then it is marked."""
    news, marked = world.expected["news"], world.expected["reported-all"]
    lost = false = repeated = 0
    for outcome in outcomes.values():
        sent = outcome.all_sent
        lost += sum(each not in sent for each in news)
        false += sum(each not in news + marked for each in sent)
        repeated += sum(sent.count(each) - 1 for each in news if each in sent)
    injected = sum(outcome.injected for outcome in outcomes.values())
    messages = sum(outcome.messages for outcome in outcomes.values())
    figure(
        f"{len(outcomes)} cases, {injected} faults injected, {messages} messages received, "
        f"{lost} findings lost, {false} false, {repeated} sent again after a failed write"
    )
    assert (len(outcomes), lost, false) == (len(CASES), 0, 0)
    assert injected >= sum(min(case.fault.injected) for case in CASES)


# --- Half a batch -----------------------------------------------------------------------------------------------------


def test_items_that_dynamodb_did_not_accept_are_written_again(cloud: Cloud, world: World, figure: AddFigure) -> None:
    """Of 102 records, 99 are in the transaction. DynamoDB accepts two of the others at first, and then the third."""
    assert world, "the Region has been emptied"
    build = networks.Builder(cloud.client("ec2"))
    vpc = build.vpc("many-tables", "10.94.0.0/16")
    for number in range(50):
        build.table(f"table-{number}", vpc)
    request = batch(many=vpc)
    with pausing_proxy(cloud) as proxy:
        proxy.halves = 2
        sandbox = Sandbox(cloud, "dynamodb-halves", {"AWS_ENDPOINT_URL_DYNAMODB": proxy.url})
        with sandbox.function() as function:
            assert function.answer_or_error(request) == NO_FAILURES
            sent = changes(sandbox.received()["json"])
            assert [change for change, _ in sent] == ["opened"] * 102
            assert (proxy.calls["BatchWriteItem"], proxy.halves) == (3, 0), "two before sending, one after"
            assert function.answer_or_error(request) == NO_FAILURES
            assert changes(sandbox.received()["json"]) == []

    assert sorted(alert["findingId"] for alert in sandbox.alerts) == sorted(finding for _, finding in sent)
    assert sandbox.held_leases == []
    figure("2 of 3 records accepted under HTTP 200: a second call wrote the third")


# --- One topic --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sns(cloud: Cloud) -> Iterator[FaultProxy]:
    """A proxy for SNS."""
    with fault_proxy(cloud, "sns") as proxy:
        yield proxy


@pytest.mark.parametrize("missing", [False, True], ids=["denied", "deleted"])
def test_a_failing_topic_does_not_block_the_others_and_receives_later(
    missing: bool, cloud: Cloud, world: World, sns: FaultProxy, figure: AddFigure
) -> None:
    name = f"dynamodb-topic-{'deleted' if missing else 'denied'}"
    text = f"arn:aws:sns:eu-west-1:123456789012:{name}-text"
    sandbox = Sandbox(cloud, name, {"AWS_ENDPOINT_URL_SNS": sns.url})
    if missing:
        # A topic that was never created. SNS gives the same error for a deleted one.
        text_topic, code = {"TEXT_TOPIC_ARN": f"{text}-gone"}, "NotFound"
    else:
        about_text = {"operation": "Publish", "body": f"contains(TopicArn, '{text}')"}
        sns.inject(about_text | error("AuthorizationError", 403))
        text_topic, code = {}, "AuthorizationError"
    with sandbox.function("failing", **text_topic) as function:
        first, received_first = function.answer_or_error(world.batch), sandbox.received()
        second, received_second = function.answer_or_error(world.batch), sandbox.received()
        logged = function.logged_errors()
    pending = [alert["pending"] for alert in sandbox.alerts]
    sns.heal()
    with sandbox.function("healed") as function:
        third, received_third = function.answer_or_error(world.batch), sandbox.received()
        fourth, received_fourth = function.answer_or_error(world.batch), sandbox.received()

    assert (first, second) == (failed("shop"), failed("shop"))
    assert logged == [f"PublishFailed: Publish as text, about {world.shop}: {code} (request id …)"] * 2
    assert counts(received_first) == {"json": 1, "text": 0, "chat": 1}
    assert changes(received_first["json"]) == world.opened
    assert counts(received_second) == {"json": 0, "text": 0, "chat": 0}
    assert pending == [["text"]] * SHOP_FINDINGS
    assert third == NO_FAILURES
    assert counts(received_third) == {"json": 0, "text": 1, "chat": 0}
    assert received_third["text"][0].attributes["changes"] == '["opened"]'
    assert fourth == NO_FAILURES
    assert counts(received_fourth) == {"json": 0, "text": 0, "chat": 0}
    assert [alert["pending"] for alert in sandbox.alerts] == [[]] * SHOP_FINDINGS
    assert sandbox.held_leases == []
    kind = "deleted" if missing else "denied"
    figure(f"one topic of three {kind}: the others received the alert once, this one once later")


def counts(received: dict[str, list[Message]]) -> dict[str, int]:
    """Returns the number of messages of each channel."""
    return {channel: len(messages) for channel, messages in received.items()}


# --- Through the deployed queue ---------------------------------------------------------------------------------------


def test_a_record_that_failed_without_the_history_is_retried(
    cloud: Cloud, stack: Deployment, world: World, proxy: FaultProxy, figure: AddFigure
) -> None:
    """Five attempts in each of three invocations. The third one reports the findings; the fourth one succeeds."""
    history.clear(cloud.client("dynamodb"), stack.history_table)
    inbox = Inbox(stack, "inbox-of-dynamodb-faults")
    rule = error(CAPACITY, 400, times=15) | {"operation": "Query"}
    # Longer than an invocation takes.
    retry = stack.retry_after(seconds=10)
    with stack.variables(AWS_ENDPOINT_URL_DYNAMODB=proxy.url), retry, proxy.injecting(rule) as number:
        body = json.dumps({"check": {"vpcIds": [world.shop]}})
        cloud.client("sqs").send_message(QueueUrl=stack.changes_queue, MessageBody=body, DelaySeconds=0)
        messages = inbox.receive(at_least=2, seconds=90)
        assert stack.wait_until_idle(seconds=30)
    messages += inbox.drain()

    sent = {message.body["ledger"]: {finding["change"] for finding in message.body["findings"]} for message in messages}
    assert (len(messages), sent) == (2, {"unavailable": {"reported"}, "on": {"opened"}})
    assert proxy.injected(number) == 15
    figure("through the deployed queue: 15 queries throttled, reported at the third delivery, then opened")
