"""Every fault of every call to EC2 and SNS: a network that cannot be read is not judged, and no finding is lost.

Each case is a process of the function's binary. test_queue_retries.py shows some faults through the deployed queue.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from local import networks
from local.cloud import Cloud
from local.deployment import Deployment
from local.environment import REGION
from local.inbox import Message
from local.networks import BOUNDED_POLICY, DYNAMODB, S3, SSM, Builder
from tests.local_cloud.support.endpoint_problems import EC2_CHECKS
from tests.local_cloud.support.fault_matrix import Call, Case, Fault, run_cases
from tests.local_cloud.support.fault_proxy import RESET, TRUNCATED, FaultProxy, error, fault_proxy, hang, user_agent
from tests.local_cloud.support.figures import AddFigure
from tests.local_cloud.support.messages import NO_FAILURES, as_reported, batch, failed
from tests.local_cloud.support.sandbox import Sandbox

# --- The cases --------------------------------------------------------------------------------------------------------

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
    Call("GetTopicAttributes", "sns", "GetTopicAttributes"),
    Call("Publish", "sns", "Publish"),
]

THROTTLING = {"ec2": "RequestLimitExceeded", "sns": "Throttling"}
DENIAL = {"ec2": "UnauthorizedOperation", "sns": "AuthorizationError"}
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
    Fault("truncated-answer", TRUNCATED, (1, 1), ("got an answer that cannot be read (request id …)",)),
    Fault("hang-that-ends", hang(times=1), (1, 1), ()),
    Fault("hang-that-does-not-end", hang(), (4, 4), ("timed out",)),
    # Whether there is time for a second attempt is up to the clock. The tests know what precedes this error.
    Fault(SHORT, hang(), (1, 2), ("before the invocation's deadline",), seconds=6),
]

CHECKS = {"CHECKS": ",".join(EC2_CHECKS)}

CASES = [Case(call, fault) for call in CALLS for fault in FAULTS]

# --- Running them -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """What the function checks: a VPC with findings and one without; and the message that is true."""

    shop: str
    covered: str
    truth: Message

    @property
    def batch(self) -> dict[str, Any]:
        """A change in each VPC."""
        return batch(shop=self.shop, covered=self.covered)


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
    """The answer to the same batch after the fault. SQS delivers again what failed."""
    messages_again: list[Message]


@pytest.fixture(scope="module")
def world(cloud: Cloud, stack: Deployment) -> Iterator[World]:
    """The network, and what a function without faults sends about it."""
    with stack.without_events():
        cloud.empty_the_region()
        build = Builder(cloud.client("ec2"))
        shop, covered = networks.build_shop(build.ec2), build_covered(build)
        build_what_needs_more_calls(build, shop)
        build_endpoints(build, shop)
        sandbox = sandbox_of(cloud, "undisturbed", {})
        with sandbox.function() as function:
            assert function.invoke(batch(shop=shop, covered=covered)) == NO_FAILURES
        [truth] = sandbox.received()["json"]
        assert {finding["check"] for finding in truth.body["findings"]} == set(EC2_CHECKS)
        yield World(shop, covered, truth)


@pytest.fixture(scope="module")
def outcomes(cloud: Cloud, world: World) -> dict[str, Outcome]:
    """The outcomes of all cases."""
    with ExitStack() as running:
        proxies = {service: running.enter_context(fault_proxy(cloud, service)) for service in ("ec2", "sns")}
        return run_cases(CASES, 20, lambda case: run_case(cloud, proxies, world, case))


def run_case(cloud: Cloud, proxies: dict[str, FaultProxy], world: World, case: Case[Call]) -> Outcome:
    """Sends the batch during the fault and, if it failed, once more after the fault."""
    proxy = proxies[case.call.service]
    urls = {f"AWS_ENDPOINT_URL_{service.upper()}": each.url for service, each in proxies.items()}
    sandbox = sandbox_of(cloud, case.name, urls | user_agent(case.name))
    rule = proxy.inject(case.rule)
    with sandbox.function() as function:
        answer = function.answer_or_error(world.batch, case.fault.seconds)
        messages = sandbox.received()["json"]
        logged, injected = function.logged_errors(), proxy.injected(rule)
        proxy.heal(case.headers)
        answer_again = None if answer == NO_FAILURES else function.answer_or_error(world.batch, 60)
        messages_again = sandbox.received()["json"]
    return Outcome(answer, messages, logged, injected, answer_again, messages_again)


def sandbox_of(cloud: Cloud, name: str, env: dict[str, str]) -> Sandbox:
    """Returns a sandbox with one topic and without an alert history. All checks run."""
    return Sandbox(cloud, name, CHECKS | env, channels=("json",), with_history=False)


def build_covered(build: Builder) -> str:
    """Builds a VPC without findings."""
    vpc = build.vpc("covered", "10.90.0.0/16")
    main = build.main_table(vpc)
    build.subnet("covered-a", vpc, "10.90.0.0/24", "a")
    build.gateway_endpoint(S3, vpc, [main], PolicyDocument=BOUNDED_POLICY)
    build.gateway_endpoint(DYNAMODB, vpc, [main], PolicyDocument=BOUNDED_POLICY)
    return vpc


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
    """Builds a finding for each check of endpoints. Their groups come in several pages."""
    subnet = build.subnet("endpoints", vpc, "10.20.98.0/24", "a")
    build.interface_endpoint(S3, vpc, subnet)
    build.interface_endpoint(SSM, vpc, subnet, SecurityGroupIds=[])
    build.interface_endpoint(f"com.amazonaws.{REGION}.kms", vpc, subnet)
    build.interface_endpoint(f"com.amazonaws.{REGION}.sts", vpc, subnet, state="failed")
    build.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})


# --- The tests --------------------------------------------------------------------------------------------------------


def of(begin: str, service: str) -> pytest.MarkDecorator:
    """Parametrizes a test with the cases of the calls of a service whose names begin like this."""
    cases = [case for case in CASES if case.call.service == service and case.call.operation.startswith(begin)]
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


@of("", "ec2")
def test_a_network_that_cannot_be_read_is_judged_only_after_the_fault(
    case: Case[Call], world: World, outcomes: dict[str, Outcome]
) -> None:
    outcome, truth = outcomes[case.name], [world.truth]

    if not case.errors:
        assert outcome == Outcome(NO_FAILURES, truth, [], attempts(case, outcome), None, [])
        return
    [reason] = case.errors
    message = f"{case.call.operation}: {reason}"
    if case.fault.name == SHORT:
        message = f"the network was not read to its end {reason}"
    # The batch fails as a whole, so that SQS keeps both records.
    error = {"errorType": "Ec2ReadFailed", "errorMessage": message}
    assert outcome == Outcome(error, [], outcome.logged, attempts(case, outcome), NO_FAILURES, truth)


@of("Publish", "sns")
def test_a_message_that_is_not_accepted_fails_only_its_record(
    case: Case[Call], world: World, outcomes: dict[str, Outcome]
) -> None:
    outcome, truth = outcomes[case.name], [world.truth]

    # SNS accepted the message, and only its answer is truncated. The rest of the answer still says so.
    accepted = case.fault.name == "truncated-answer"
    if not case.errors or accepted:
        assert outcome == Outcome(NO_FAILURES, truth, [], attempts(case, outcome), None, [])
        return
    [reason] = case.errors
    if case.fault.name == SHORT:
        reason = f"not accepted {reason}"
    logged = f"PublishFailed: Publish, about {world.shop}: {reason}"
    assert outcome == Outcome(failed("shop"), [], [logged], attempts(case, outcome), NO_FAILURES, truth)


@of("GetTopicAttributes", "sns")
def test_a_message_is_published_if_it_is_not_known_whether_the_topic_has_subscribers(
    case: Case[Call], world: World, outcomes: dict[str, Outcome]
) -> None:
    outcome = outcomes[case.name]

    # The function asks once before its first event, without a second attempt. A fault that ends after it has not failed
    # the event's own attempts.
    before = 0 if "times" in case.fault.rule else 1
    assert outcome == Outcome(NO_FAILURES, [world.truth], [], attempts(case, outcome, before), None, [])


def attempts(case: Case[Call], outcome: Outcome, before: int = 0) -> int:
    """Returns how many attempts there must be: the actual number, if it is an allowed one.

    `before` is the number of attempts before the first event.
    """
    least, most = (before + count for count in case.fault.injected)
    return outcome.injected if least <= outcome.injected <= most else most


def test_no_finding_is_lost_and_no_verdict_is_false(
    world: World, outcomes: dict[str, Outcome], figure: AddFigure
) -> None:
    true = as_reported(world.truth.body["findings"])
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
    assert len(outcomes) == len(CASES) == 117
    assert injected >= sum(case.fault.injected[0] for case in CASES)
