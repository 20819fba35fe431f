"""Every fault of every call that reads the network, and of SNS: what cannot be read is not judged, no finding is lost.

All checks run. A batch with a change in four VPCs and a new REST API leads to two messages: one about a VPC, and one
about the REST APIs. Each case is a process of the function's binary. test_queue_retries.py shows some faults through
the deployed queue.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from local import networks
from local.cloud import Cloud
from local.deployment import Deployment
from local.environment import BESIDE_EC2, REGION
from local.inbox import Message
from local.networks import S3, Builder
from tests.local_cloud.support.endpoint_problems import ALL_CHECKS, Spokes
from tests.local_cloud.support.fault_matrix import Call, Case, Fault, run_cases
from tests.local_cloud.support.fault_proxy import RESET, TRUNCATED, FaultProxy, error, fault_proxy, hang, user_agent
from tests.local_cloud.support.figures import AddFigure
from tests.local_cloud.support.messages import NO_FAILURES, as_reported, batch, failed, record, rest_api_event
from tests.local_cloud.support.sandbox import Sandbox

# --- The cases --------------------------------------------------------------------------------------------------------

PUBLISHED = {"shop": """contains(Message, '"vpc":{"id":"vpc-')""", "apis": """contains(Message, '"vpc":{"id":""')"""}
"""The records that lead to a message, and what the message contains."""


@dataclass(frozen=True)
class PublishCall(Call):
    """A call that publishes the message of a record."""

    record: str = ""


@dataclass(frozen=True)
class OptionalCall(Call):
    """A call that shows what else serves private names. A check can do without it, and then judges less."""

    spoke: str = ""
    """The VPC without a finding of which nobody knows any more that something serves its names."""
    concerns_shop: bool = True
    """Whether the VPC with the findings is not judged either."""
    calls: int = 1
    """How many such calls are made, one after the other, although the first is throttled."""


CALLS = [
    Call("DescribeVpcs", "ec2", "DescribeVpcs"),
    Call("DescribeSubnets", "ec2", "DescribeSubnets"),
    Call("DescribeRouteTables", "ec2", "DescribeRouteTables"),
    Call("DescribeRouteTables-later-page", "ec2", "DescribeRouteTables", having="NextToken"),
    Call("DescribeVpcEndpoints", "ec2", "DescribeVpcEndpoints"),
    Call("DescribeNatGateways", "ec2", "DescribeNatGateways"),
    Call("GetManagedPrefixListEntries", "ec2", "GetManagedPrefixListEntries"),
    # EC2 returns one attribute per call, and the function asks for two.
    Call("DescribeVpcAttribute", "ec2", "DescribeVpcAttribute", having="Attribute == 'enableDnsSupport'"),
    Call("DescribeSecurityGroups", "ec2", "DescribeSecurityGroups"),
    Call("DescribeSecurityGroups-later-page", "ec2", "DescribeSecurityGroups", having="NextToken"),
    Call("DescribeVpcEndpointServices", "ec2", "DescribeVpcEndpointServices"),
    Call("GetRestApis", "apigateway", "GetRestApis"),
    Call("GetTopicAttributes", "sns", "GetTopicAttributes"),
    *(PublishCall(f"Publish-{record}", "sns", "Publish", having, record) for record, having in PUBLISHED.items()),
    # Each of the four VPCs is asked for, one after the other.
    OptionalCall("ListHostedZonesByVPC", "route53", "ListHostedZonesByVPC", spoke="served", calls=4),
    OptionalCall("ListProfileAssociations", "route53profiles", "ListProfileAssociations", spoke="profiled"),
    OptionalCall(
        "ListProfileResourceAssociations",
        "route53profiles",
        "ListProfileResourceAssociations",
        spoke="profiled",
        concerns_shop=False,
    ),
    OptionalCall("ListResolverRuleAssociations", "route53resolver", "ListResolverRuleAssociations", spoke="forwarded"),
    OptionalCall("ListResolverRules", "route53resolver", "ListResolverRules", spoke="forwarded"),
]

THROTTLING = {
    "apigateway": "TooManyRequestsException",
    "ec2": "RequestLimitExceeded",
    "route53": "Throttling",
    "route53profiles": "ThrottlingException",
    "route53resolver": "ThrottlingException",
    "sns": "Throttling",
}
DENIAL = {
    "apigateway": "AccessDeniedException",
    "ec2": "UnauthorizedOperation",
    "route53": "AccessDenied",
    "route53profiles": "AccessDeniedException",
    "route53resolver": "AccessDeniedException",
    "sns": "AuthorizationError",
}
# How the SDK names an answer that breaks off. It does not tell broken JSON of a REST service from an error.
UNREADABLE = dict.fromkeys(DENIAL, "got an answer that cannot be read") | dict.fromkeys(
    ["apigateway", "route53profiles"], "an error without a code"
)
CODE = "{code} (request id …)"
SHORT = "hang-in-a-short-invocation"

# A call is tried five times at most, within 20 s, and within the invocation. One attempt takes 5 s at most.
FAULTS = [
    Fault("throttling-that-ends", error("{code}", 503, times=2), (2, 2), (), THROTTLING),
    Fault("throttling-that-does-not-end", error("{code}", 503), (5, 5), (CODE,), THROTTLING),
    Fault("server-error", error("InternalError", 500), (5, 5), ("InternalError (request id …)",)),
    # Another attempt would not help, and is not made.
    Fault("denied", error("{code}", 403), (1, 1), (CODE,), DENIAL),
    Fault("connection-reset", RESET, (5, 5), ("got no answer: connection closed before message completed",)),
    Fault("truncated-answer", TRUNCATED, (1, 1), (CODE,), UNREADABLE),
    Fault("hang-that-ends", hang(times=1), (1, 1), ()),
    Fault("hang-that-does-not-end", hang(), (4, 4), ("timed out",)),
    # How many attempts there is time for is up to the clock. The tests know what precedes this error.
    Fault(SHORT, hang(), (1, 4), ("before the invocation's deadline",), seconds=18),
]

DOUBTS = {
    "throttling-that-does-not-end": "fact_missing",
    "denied": "read_denied",
    "connection-reset": "fact_missing",
}
"""The faults of an optional call after which a check does not judge, and its reason. After others, records fail."""

OF_NAMES = ("endpoint-private-dns", "required-endpoints")
"""The checks that depend on what else serves private names."""
SETTINGS = {"CHECKS": ",".join(ALL_CHECKS), "REQUIRED_INTERFACES": "ssm"}

CASES = [Case(call, fault) for call in CALLS for fault in FAULTS]

# --- Running them -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """What the function checks, and the messages that are true."""

    shop: str
    """The VPC with findings of all checks but `private-api`."""
    spokes: Spokes
    """The VPCs without findings, and a REST API with one."""
    truth: list[Message]
    """One about the VPC, and one about the REST APIs."""
    truth_without_names: list[Message]
    """The same without the findings of the checks that depend on what else serves private names."""

    @property
    def vpcs(self) -> dict[str, str]:
        """The VPCs, by the names of the records about them."""
        spokes = self.spokes
        return {
            "shop": self.shop,
            "served": spokes.served,
            "profiled": spokes.profiled,
            "forwarded": spokes.forwarded,
        }

    @property
    def batch(self) -> dict[str, Any]:
        """A change in each VPC, and a new REST API."""
        of_vpcs: list[Any] = batch(**self.vpcs)["Records"]
        return {"Records": [*of_vpcs, record("apis", rest_api_event("create-rest-api"))]}

    def about(self, name: str) -> list[Message]:
        """Returns the message of a record."""
        vpc = self.vpcs.get(name, "")
        return [message for message in self.truth if message.body["vpc"]["id"] == vpc]

    def after(self, answer: Any, messages: list[Message]) -> dict[str, Any] | None:
        """Returns the batch that follows the fault: what SQS delivers again, or a later change of the same."""
        if answer == NO_FAILURES:
            return None if messages == self.truth else self.batch
        again = {each["itemIdentifier"] for each in answer.get("batchItemFailures", [])}
        return {"Records": [each for each in self.batch["Records"] if not again or each["messageId"] in again]}


@dataclass(frozen=True)
class Outcome:
    """What a case has led to."""

    answer: Any
    """The answer to the batch, or the error."""
    messages: list[Message]
    """What subscribers had received by then."""
    logged: list[str]
    """The errors in the log."""
    injected: int
    answer_again: Any
    """The answer after the fault: to what SQS delivers again because it failed, or to a later change of the same."""
    messages_again: list[Message]


@pytest.fixture(scope="module")
def world(cloud: Cloud, stack: Deployment) -> Iterator[World]:
    """The network, and what a function without faults sends about it."""
    with stack.without_events():
        cloud.empty_the_region()
        build = Builder(cloud.client("ec2"))
        shop = networks.build_shop(build.ec2)
        build_what_needs_more_calls(build, shop)
        build_endpoints(build, shop)
        world = World(shop, Spokes.built(build, cloud), [], [])
        world.truth.extend(undisturbed(cloud, world, ALL_CHECKS))
        without_names = tuple(check for check in ALL_CHECKS if check not in OF_NAMES)
        world.truth_without_names.extend(undisturbed(cloud, world, without_names))
        assert [checks_in(message) for message in world.truth] == [{"private-api"}, set(ALL_CHECKS) - {"private-api"}]
        yield world


def undisturbed(cloud: Cloud, world: World, checks: tuple[str, ...]) -> list[Message]:
    """Returns what a function without faults sends."""
    sandbox = sandbox_of(cloud, f"undisturbed-{len(checks)}", {"CHECKS": ",".join(checks)})
    with sandbox.function() as function:
        assert function.invoke(world.batch) == NO_FAILURES
    return sandbox.received()["json"]


def checks_in(message: Message) -> set[str]:
    """Returns the checks that have found something."""
    return {finding["check"] for finding in message.body["findings"]}


@pytest.fixture(scope="module")
def proxies(cloud: Cloud) -> Iterator[dict[str, FaultProxy]]:
    """The proxy of each service. One server answers for EC2 and the services beside it, so they have one proxy."""
    with ExitStack() as running:
        ec2 = running.enter_context(fault_proxy(cloud, *sorted(BESIDE_EC2)))
        yield dict.fromkeys(BESIDE_EC2, ec2) | {"sns": running.enter_context(fault_proxy(cloud, "sns"))}


@pytest.fixture(scope="module")
def outcomes(cloud: Cloud, world: World, proxies: dict[str, FaultProxy]) -> dict[str, Outcome]:
    """The outcomes of all cases."""
    return run_cases(CASES, 20, lambda case: run_case(cloud, proxies, world, case))


def through(proxies: dict[str, FaultProxy], name: str) -> dict[str, str]:
    """Returns the environment that leads all calls of a case with this name through the proxies."""
    variables = BESIDE_EC2 | {"sns": "AWS_ENDPOINT_URL_SNS"}
    return {variable: proxies[service].url for service, variable in variables.items()} | user_agent(name)


def run_case(cloud: Cloud, proxies: dict[str, FaultProxy], world: World, case: Case[Call]) -> Outcome:
    """Sends the batch during the fault and, if something is missing, once more after the fault."""
    proxy = proxies[case.call.service]
    sandbox = sandbox_of(cloud, case.name, through(proxies, case.name))
    rule = proxy.inject(case.rule)
    with sandbox.function() as function:
        answer = function.answer_or_error(world.batch, case.fault.seconds)
        messages = sandbox.received()["json"]
        logged, injected = function.logged_errors(), proxy.injected(rule)
        proxy.heal(case.headers)
        again = world.after(answer, messages)
        answer_again = again and function.answer_or_error(again, 60)
        messages_again = sandbox.received()["json"]
    return Outcome(answer, messages, logged, injected, answer_again, messages_again)


def sandbox_of(cloud: Cloud, name: str, env: dict[str, str], with_history: bool = False) -> Sandbox:
    """Returns a sandbox with one topic. All checks run."""
    return Sandbox(cloud, name, SETTINGS | env, channels=("json",), with_history=with_history)


def build_what_needs_more_calls(build: Builder, vpc: str) -> None:
    """Builds tables whose findings depend on NAT gateways and on the entries of a prefix list."""
    build.table("unassociated", vpc)
    listed = build.table("listed", vpc)
    build.associate(listed, build.subnet("listed", vpc, "10.20.99.0/24", "a"))
    answer = build.ec2.create_managed_prefix_list(
        PrefixListName="private", AddressFamily="IPv4", MaxEntries=1, Entries=[{"Cidr": "10.0.0.0/8"}]
    )
    [gateway] = build.ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])[
        "InternetGateways"
    ]
    build.ec2.create_route(
        RouteTableId=listed,
        DestinationPrefixListId=answer["PrefixList"]["PrefixListId"],
        GatewayId=gateway["InternetGatewayId"],
    )


def build_endpoints(build: Builder, vpc: str) -> None:
    """Builds a finding for each check of endpoints. Their groups come in several pages.

    The VPC has no endpoint for SSM, which is required.
    """
    subnet = build.subnet("endpoints", vpc, "10.20.98.0/24", "a")
    build.interface_endpoint(S3, vpc, subnet)
    build.interface_endpoint(f"com.amazonaws.{REGION}.sqs", vpc, subnet, SecurityGroupIds=[])
    build.interface_endpoint(f"com.amazonaws.{REGION}.kms", vpc, subnet)
    build.interface_endpoint(f"com.amazonaws.{REGION}.sns", vpc, subnet, PrivateDnsEnabled=False)
    build.interface_endpoint(f"com.amazonaws.{REGION}.sts", vpc, subnet, state="failed")
    build.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})


# --- The tests --------------------------------------------------------------------------------------------------------


def of(begin: str, *services: str) -> pytest.MarkDecorator:
    """Parametrizes a test with the cases of the calls of these services whose names begin like this."""
    cases = [case for case in CASES if case.call.service in services and case.call.operation.startswith(begin)]
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


@of("", *BESIDE_EC2)
def test_a_network_that_cannot_be_read_is_judged_only_after_the_fault(
    case: Case[Call], world: World, outcomes: dict[str, Outcome]
) -> None:
    outcome, truth = outcomes[case.name], world.truth

    if not case.errors:
        assert outcome == Outcome(NO_FAILURES, truth, [], attempts(case, outcome), None, [])
        return
    if isinstance(case.call, OptionalCall) and case.fault.name in DOUBTS:
        sent, again = (world.truth_without_names, truth) if case.call.concerns_shop else (truth, [])
        assert outcome == Outcome(NO_FAILURES, sent, [], attempts(case, outcome), NO_FAILURES if again else None, again)
        return
    [reason] = case.errors
    message = f"{case.call.operation}: {reason}"
    if case.fault.name == SHORT:
        message = f"the network was not read to its end {reason}"
    # The batch fails as a whole, so that SQS keeps all records.
    error = {"errorType": "Ec2ReadFailed", "errorMessage": message}
    assert outcome == Outcome(error, [], outcome.logged, attempts(case, outcome), NO_FAILURES, truth)


@of("Publish", "sns")
def test_a_message_that_is_not_accepted_fails_only_its_record(
    case: Case[Call], world: World, outcomes: dict[str, Outcome]
) -> None:
    outcome, truth = outcomes[case.name], world.truth
    assert isinstance(case.call, PublishCall)
    unsent, about = world.about(case.call.record), world.vpcs.get(case.call.record, "rest-apis")
    sent = [message for message in truth if message not in unsent]

    # SNS accepted the message, and only its answer is truncated. The rest of the answer still says so.
    accepted = case.fault.name == "truncated-answer"
    if not case.errors or accepted:
        assert outcome == Outcome(NO_FAILURES, truth, [], attempts(case, outcome), None, [])
        return
    [reason] = case.errors
    if case.fault.name == SHORT:
        reason = f"not accepted {reason}"
    logged = f"PublishFailed: Publish, about {about}: {reason}"
    assert outcome == Outcome(failed(case.call.record), sent, [logged], attempts(case, outcome), NO_FAILURES, unsent)


@of("GetTopicAttributes", "sns")
def test_a_message_is_published_if_it_is_not_known_whether_the_topic_has_subscribers(
    case: Case[Call], world: World, outcomes: dict[str, Outcome]
) -> None:
    outcome = outcomes[case.name]

    # The function asks once before its first event, without a second attempt. A fault that ends after it has not failed
    # the event's own attempts.
    before = 0 if "times" in case.fault.rule else 1
    assert outcome == Outcome(NO_FAILURES, world.truth, [], attempts(case, outcome, before), None, [])


def attempts(case: Case[Call], outcome: Outcome, before: int = 0) -> int:
    """Returns how many attempts there must be: the actual number, if it is an allowed one.

    `before` is the number of attempts before the first event.
    """
    least, most = (before + count for count in case.fault.injected)
    if isinstance(case.call, OptionalCall) and case.fault.name in DOUBTS and case.fault.name != "denied":
        least, most = least * case.call.calls, most * case.call.calls
    return outcome.injected if least <= outcome.injected <= most else most


def test_no_finding_is_lost_and_no_verdict_is_false(
    world: World, outcomes: dict[str, Outcome], figure: AddFigure
) -> None:
    true = [finding for message in world.truth for finding in as_reported(message.body["findings"])]
    lost = false = 0
    for outcome in outcomes.values():
        messages = outcome.messages + outcome.messages_again
        sent = [finding for message in messages for finding in as_reported(message.body["findings"])]
        lost += len({finding["id"] for finding in true} - {finding["id"] for finding in sent})
        false += sum(finding not in true for finding in sent)
    injected = sum(outcome.injected for outcome in outcomes.values())
    received = sum(len(outcome.messages + outcome.messages_again) for outcome in outcomes.values())
    figure(
        f"{len(outcomes)} cases, {injected} faults injected, {received} messages received, "
        f"{lost} findings lost, {false} false verdicts"
    )
    assert (lost, false) == (0, 0)
    assert len(outcomes) == len(CASES) == 180
    assert injected >= sum(case.fault.injected[0] for case in CASES)


# --- Doubt ------------------------------------------------------------------------------------------------------------

IN_DOUBT = [
    Case(call, fault) for call in CALLS if isinstance(call, OptionalCall) for fault in FAULTS if fault.name in DOUBTS
]


@dataclass(frozen=True)
class Doubt:
    """What happens to open findings if a check does not judge."""

    unassessed: list[tuple[str, str, str, list[str]]]
    """The check, the subject, the reason and `inDoubt` of each."""
    sent: list[int]
    """The number of messages at first, during the fault and after it."""
    states: list[set[str]]
    """The states of all findings in the alert history, during the fault and after it."""


@pytest.fixture(scope="module")
def doubts(cloud: Cloud, world: World, proxies: dict[str, FaultProxy]) -> dict[str, Doubt]:
    """What happens in each case."""
    return run_cases(IN_DOUBT, 15, lambda case: open_findings_in_doubt(cloud, proxies, world, case))


def open_findings_in_doubt(
    cloud: Cloud, proxies: dict[str, FaultProxy], world: World, case: Case[OptionalCall]
) -> Doubt:
    """Opens all findings, and checks the VPCs again during the fault and after it."""
    sandbox = sandbox_of(cloud, f"open-{case.name}", through(proxies, case.name), with_history=True)
    check = {"check": {"vpcIds": list(world.vpcs.values())}}
    sent, states = [], []
    with sandbox.function() as function:
        assert function.invoke(world.batch) == NO_FAILURES
        sent.append(len(sandbox.received()["json"]))
        proxies[case.call.service].inject(case.rule)
        report = function.invoke(check)
        sent.append(len(sandbox.received()["json"]))
        states.append({alert["state"] for alert in sandbox.alerts})
        proxies[case.call.service].heal(case.headers)
        function.invoke(check)
        sent.append(len(sandbox.received()["json"]))
        states.append({alert["state"] for alert in sandbox.alerts})
    unassessed = [
        (each["check"], each["subject"]["id"], each["reason"], each["inDoubt"]) for each in report["unassessed"]
    ]
    return Doubt(sorted(unassessed), sent, states)


@pytest.mark.parametrize("case", IN_DOUBT, ids=lambda case: case.name)
def test_a_finding_stays_open_while_nobody_knows_what_else_serves_the_names(
    case: Case[OptionalCall], world: World, doubts: dict[str, Doubt]
) -> None:
    reason, spokes, nothing = DOUBTS[case.fault.name], world.spokes, list[str]()

    [sns] = [
        finding["subject"]["id"]
        for message in world.about("shop")
        for finding in message.body["findings"]
        if finding["check"] == "endpoint-private-dns"
    ]
    of_shop = [("endpoint-private-dns", sns), ("required-endpoints", world.shop)]
    subjects = [
        *(of_shop if case.call.concerns_shop else []),
        ("required-endpoints", world.vpcs[case.call.spoke]),
    ]
    expected = [(*subject, reason, nothing) for subject in subjects]
    if case.call.spoke != "forwarded":
        # The rule that may forward the name is known all the same.
        expected.append(("required-endpoints", spokes.forwarded, "may_be_served_centrally", ["amazonaws.com."]))
    assert doubts[case.name] == Doubt(sorted(expected), [2, 0, 0], [{"open"}, {"open"}])
