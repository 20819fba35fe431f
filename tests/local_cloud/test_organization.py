"""The hub of an organization: five accounts in three Regions, with the project's own templates and function.

One local cloud for this file. test_local_organization.py shows that it treats an organization as AWS does.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import environment, networks, schemas
from local.deployment import Deployment, InvocationFailed
from local.environment import REGION, ROOT
from local.inbox import Inbox, Message
from local.networks import Builder, build_shop, without_events
from local.organization import (
    ACCOUNTS,
    ARCHIVE,
    FOREIGN,
    HUB,
    MANAGEMENT,
    PAYMENTS,
    REGIONS,
    ROLES,
    SHOP,
    Organization,
    SweepFailed,
    local_organization,
)
from tests.local_cloud.support import history, stack
from tests.local_cloud.support.call_recorder import record_calls
from tests.local_cloud.support.endpoint_problems import ALL_CHECKS
from tests.local_cloud.support.event_recorder import record_events
from tests.local_cloud.support.template import Template

ELSEWHERE = "us-east-1"
PLACES = len(ACCOUNTS) * len(REGIONS)


@pytest.fixture(scope="module")
def organization() -> Iterator[Organization]:
    """The organization of this file."""
    with local_organization("test-organization") as running:
        yield running


@pytest.fixture(scope="module")
def deployed(organization: Organization) -> Deployment:
    """The hub, and the members. The first sweep has run, so that the names of the accounts are known."""
    stack.build_once(organization.cloud)
    hub = organization.deploy_hub(SettleSeconds=0, Chat="on", EmailAddress=stack.EMAIL_ADDRESS, MaxVpcsPerCheck=2)
    organization.enroll(hub, *(account.id for account in ACCOUNTS))
    assert organization.sweep(hub)["sweep"]["checked"] == PLACES
    return hub


@pytest.fixture(scope="module")
def subscriber(deployed: Deployment) -> Inbox:
    """What a program receives that subscribes to the findings."""
    return Inbox(deployed)


@pytest.fixture
def hub(organization: Organization, deployed: Deployment, subscriber: Inbox) -> Deployment:
    """The hub of an organization without networks, which has sent nothing and has entered no account yet."""
    assert deployed.wait_until_idle(seconds=60)
    organization.empty()
    forget(organization, deployed)
    restart(deployed)
    subscriber.drain()
    return deployed


@pytest.fixture
def inbox(hub: Deployment, subscriber: Inbox) -> Inbox:
    """What a program receives, without what was sent before."""
    assert hub
    return subscriber


def forget(organization: Organization, hub: Deployment) -> None:
    """Deletes the alert history and the markers. The names of the accounts stay."""
    dynamodb = organization.client("dynamodb")
    for item in history.items(dynamodb, hub.history_table):
        if item["pk"]["S"] != "accounts":
            dynamodb.delete_item(TableName=hub.history_table, Key={key: item[key] for key in ("pk", "sk")})


def restart(hub: Deployment) -> None:
    """Ends the processes of the function. A new one has no sessions in other accounts."""
    functions = hub.cloud.client("lambda")
    variables = functions.get_function_configuration(FunctionName=hub.function)["Environment"]["Variables"]
    changed = variables | {"RESTARTED": str(uuid.uuid4())}
    functions.update_function_configuration(FunctionName=hub.function, Environment={"Variables": changed})


def check(hub: Deployment, account: str, region: str = REGION) -> Any:
    """Invokes the check of an account and Region, as the state machine does."""
    return hub.invoke({"check": "region", "account": account, "region": region})


def findings_about(message: Message | None, vpc: str) -> dict[str, Any]:
    """Returns the account, its name and the Region of a message with findings about a VPC."""
    assert message is not None, f"no message about {vpc}"
    assert message.body["findings"]
    assert {finding["vpc"]["id"] for finding in [message.body]} == {vpc}
    return {name: message.body.get(name) for name in ("account", "accountName", "region")}


# --- Changes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "region"),
    [
        pytest.param(SHOP, ELSEWHERE, id="another-account-and-region"),
        pytest.param(ARCHIVE, REGION, id="a-number-that-begins-with-zero"),
        pytest.param(HUB, REGION, id="the-hub-itself"),
        pytest.param(HUB, ELSEWHERE, id="another-region-of-the-hub"),
    ],
)
def test_a_change_arrives_as_a_message_with_its_account(
    account: str, region: str, organization: Organization, hub: Deployment, inbox: Inbox
) -> None:
    vpc = organization.build(account, region).vpc("changed", "10.1.0.0/16")

    message = inbox.wait_for(vpc, 30)

    [name] = [each.name for each in ACCOUNTS if each.id == account]
    assert findings_about(message, vpc) == {"account": account, "accountName": name, "region": region}
    assert message
    assert message.attributes["account"] == account
    assert hub.wait_until_idle(seconds=30)
    assert inbox.drain() == [], "the event came once"


def test_the_repair_in_a_member_resolves_the_findings(
    organization: Organization, hub: Deployment, inbox: Inbox
) -> None:
    build = organization.build(PAYMENTS, ELSEWHERE)
    vpc = build.vpc("repaired", "10.2.0.0/16")
    opened = inbox.wait_for(vpc, 30)
    assert opened
    assert hub.wait_until_idle(seconds=30)

    for service in ("s3", "dynamodb"):
        build.gateway_endpoint(f"com.amazonaws.{REGION}.{service}", vpc, [build.main_table(vpc)])

    assert hub.wait_until_idle(seconds=30)
    resolved = [finding for message in inbox.drain() for finding in message.body["findings"]]
    assert {finding["change"] for finding in resolved} == {"resolved"}
    assert {finding["id"] for finding in resolved} == {finding["id"] for finding in opened.body["findings"]}


# --- The sweep --------------------------------------------------------------------------------------------------------


def test_the_sweep_finds_what_no_event_reported(organization: Organization, hub: Deployment, inbox: Inbox) -> None:
    vpcs = {}
    for place in ((SHOP, REGION), (SHOP, ELSEWHERE), (ARCHIVE, "eu-central-1")):
        ec2 = organization.client("ec2", *place)
        with without_events(ec2):
            vpcs[build_shop(ec2)] = place
    assert hub.wait_until_idle(seconds=30)
    assert inbox.drain() == []

    summary = organization.sweep(hub)

    messages = {message.body["vpc"]["id"]: message.body for message in inbox.drain()}
    assert {vpc: (body["account"], body["region"]) for vpc, body in messages.items()} == vpcs
    assert summary["totals"]["accountRegions"] == summary["totals"]["checked"] == PLACES
    # The demo's network has one finding of each kind: see `networks.build_shop`.
    assert summary["totals"]["open"]["HIGH"] == 3
    counts = {name: summary["sweep"][name] for name in ("checked", "notEnrolled", "failed")}
    assert counts == {"checked": PLACES, "notEnrolled": 0, "failed": 0}

    organization.sweep(hub)
    assert inbox.drain() == [], "nothing is sent twice"


def test_a_large_region_is_checked_in_parts(organization: Organization, hub: Deployment, inbox: Inbox) -> None:
    def state_of(summary: Any) -> Any:
        [state] = [
            each
            for each in hub.invoke({"coverage": True})["accountRegions"]
            if (each["account"], each["region"]) == (SHOP, ELSEWHERE)
        ]
        assert state["lastCompleteCheck"] >= summary["sweep"]["since"]
        assert (summary["sweep"]["checked"], summary["sweep"]["failed"]) == (PLACES, 0)
        return state

    ec2 = organization.client("ec2", SHOP, ELSEWHERE)
    with without_events(ec2):
        build = Builder(ec2)
        vpcs = sorted(build.vpc(f"part {number}", f"10.{number}.0.0/16") for number in range(5))
    request = {"check": "region", "account": SHOP, "region": ELSEWHERE, "maxVpcs": 2, "publish": False}
    first = hub.invoke(request)
    assert (first["checked"]["vpcs"], first["next"]["afterVpcId"]) == (2, vpcs[1])

    opened = state_of(organization.sweep(hub))

    # Two services are missing in the main table of each VPC. No subnet uses it.
    assert opened["open"] == {"HIGH": 0, "MEDIUM": 0, "LOW": 2 * len(vpcs)}
    assert sorted(message.body["vpc"]["id"] for message in inbox.drain()) == vpcs

    with without_events(ec2):
        ec2.delete_vpc(VpcId=vpcs[0])
        ec2.delete_vpc(VpcId=vpcs[4])
    left = state_of(organization.sweep(hub))

    assert left["open"] == {"HIGH": 0, "MEDIUM": 0, "LOW": 2 * (len(vpcs) - 2)}
    resolved = {
        message.body["vpc"]["id"]: {finding["resolution"]["cause"] for finding in message.body["findings"]}
        for message in inbox.drain()
    }
    assert resolved == {vpcs[0]: {"vpc_deleted"}, vpcs[4]: {"vpc_deleted"}}


def test_a_stack_of_one_account_can_be_swept_by_the_state_machine(organization: Organization, hub: Deployment) -> None:
    assert hub, "the function is built, and the Regions are empty"
    ec2 = organization.client("ec2", HUB)
    with without_events(ec2):
        build = Builder(ec2)
        vpcs = sorted(build.vpc(f"own {number}", f"10.{number}.0.0/16") for number in range(3))
    alone = organization.deploy_alone("alone", SweepWith="state-machine", MaxVpcsPerCheck=2, SettleSeconds=0)
    try:
        inbox = Inbox(alone, "inbox-of-alone")

        summary = organization.sweep(alone)

        counts = {name: summary["sweep"][name] for name in ("checked", "notEnrolled", "failed")}
        assert counts == {"checked": 1, "notEnrolled": 0, "failed": 0}
        assert summary["totals"]["open"] == {"HIGH": 0, "MEDIUM": 0, "LOW": 2 * len(vpcs)}
        assert sorted(message.body["vpc"]["id"] for message in inbox.drain()) == vpcs
        [state] = alone.invoke({"coverage": True})["accountRegions"]
        assert (state["account"], state["region"], state["stale"]) == (HUB, REGION, False)
        with organization.changed(HUB, throttled=True), pytest.raises(SweepFailed) as failed:
            organization.sweep(alone)
        assert json.loads(str(failed.value))["sweep"]["failed"] == 1
    finally:
        organization.client("cloudformation").delete_stack(StackName="alone")


def test_the_overview_names_each_account_and_region(organization: Organization, hub: Deployment) -> None:
    ec2 = organization.client("ec2", SHOP, ELSEWHERE)
    with without_events(ec2):
        build_shop(ec2)
    organization.sweep(hub)

    overview = hub.invoke({"coverage": True})

    states = {(each["account"], each["region"]): each for each in overview["accountRegions"]}
    assert list(states) == sorted((account.id, region) for account in ACCOUNTS for region in REGIONS)
    assert states[SHOP, ELSEWHERE]["accountName"] == "shop"
    assert states[SHOP, ELSEWHERE]["open"]["HIGH"] == 1
    assert all("lastCompleteCheck" in each and not each["stale"] for each in states.values())


# --- Accounts that cannot be checked ----------------------------------------------------------------------------------


@contextmanager
def replaced_trust(organization: Organization, account: str) -> Iterator[None]:
    """Lets the role of a member trust only another role than the hub's."""
    iam = organization.client("iam", account)
    before = iam.get_role(RoleName="gatewatch-read")["Role"]["AssumeRolePolicyDocument"]
    after = json.dumps(before).replace("gatewatch-FunctionRole", "another-role")
    iam.update_assume_role_policy(RoleName="gatewatch-read", PolicyDocument=after)
    try:
        yield
    finally:
        iam.update_assume_role_policy(RoleName="gatewatch-read", PolicyDocument=json.dumps(before))


@contextmanager
def removed_roles(organization: Organization, hub: Deployment, account: str) -> Iterator[None]:
    """Deletes the stack of a member's roles."""
    organization.client("cloudformation", account).delete_stack(StackName=ROLES)
    try:
        yield
    finally:
        organization.enroll_roles(hub, account)


@contextmanager
def moved_role(organization: Organization, account: str) -> Iterator[None]:
    """Replaces the role of a member by one with another path. Its trust policy is the same."""
    iam = organization.client("iam", account)
    trust = iam.get_role(RoleName="gatewatch-read")["Role"]["AssumeRolePolicyDocument"]
    [policy] = iam.list_role_policies(RoleName="gatewatch-read")["PolicyNames"]
    document = iam.get_role_policy(RoleName="gatewatch-read", PolicyName=policy)["PolicyDocument"]

    def replace(path: str) -> None:
        iam.delete_role_policy(RoleName="gatewatch-read", PolicyName=policy)
        iam.delete_role(RoleName="gatewatch-read")
        iam.create_role(RoleName="gatewatch-read", Path=path, AssumeRolePolicyDocument=json.dumps(trust))
        iam.put_role_policy(RoleName="gatewatch-read", PolicyName=policy, PolicyDocument=json.dumps(document))

    replace("/copies/")
    try:
        yield
    finally:
        replace("/")


Obstacle = Callable[[Organization, Deployment], AbstractContextManager[None]]

NOT_ENROLLED: dict[str, tuple[Obstacle, str, list[str]]] = {
    "no role": (lambda org, hub: removed_roles(org, hub, PAYMENTS), "access_denied", sorted(REGIONS)),
    "trusts another role": (lambda org, _: replaced_trust(org, PAYMENTS), "access_denied", sorted(REGIONS)),
    "role with another path": (lambda org, _: moved_role(org, PAYMENTS), "access_denied", sorted(REGIONS)),
    "Region is not enabled": (
        lambda org, _: org.changed(PAYMENTS, disabled_regions=(ELSEWHERE,)),
        "region_disabled",
        [ELSEWHERE],
    ),
}


@pytest.mark.parametrize("obstacle", NOT_ENROLLED)
def test_an_account_that_cannot_be_entered_is_reported_and_the_others_are_checked(
    obstacle: str, organization: Organization, hub: Deployment, inbox: Inbox
) -> None:
    prevent, reason, regions = NOT_ENROLLED[obstacle]
    ec2 = organization.client("ec2", SHOP)
    with without_events(ec2):
        vpc = build_shop(ec2)

    with prevent(organization, hub):
        summary = organization.sweep(hub)
        messages = inbox.drain()
        answer = check(hub, PAYMENTS, ELSEWHERE)
        organization.sweep(hub)
        assert inbox.drain() == [], "people are told once"
    restart(hub)
    organization.sweep(hub)
    afterwards = inbox.drain()

    expected = {"checked": PLACES - len(regions), "notEnrolled": len(regions), "failed": 0}
    assert {name: summary["sweep"][name] for name in expected} == expected
    assert answer["notEnrolled"] == {"reason": reason}
    assert (answer["account"], answer["region"]) == (PAYMENTS, ELSEWHERE)
    account = {"account": PAYMENTS, "accountName": "payments", "regions": regions, "reason": reason}
    [told] = [message.body for message in messages if "notEnrolled" in message.body]
    assert (told["notEnrolled"], told["enrolled"]) == ([account], [])
    assert [message.body["vpc"]["id"] for message in messages if "vpc" in message.body] == [vpc]
    [told] = [message.body for message in afterwards]
    assert (told["notEnrolled"], told["enrolled"]) == ([], [account])


def test_the_sweep_fails_if_the_hub_can_enter_no_account_any_more(organization: Organization, hub: Deployment) -> None:
    assert organization.sweep(hub)["sweep"]["checked"] == PLACES
    iam, role = organization.client("iam"), hub.outputs["FunctionRoleArn"].rsplit("/", 1)[-1]
    [name] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    left = [statement for statement in policy["Statement"] if statement["Sid"] != "EnterMembers"]
    assert len(left) == len(policy["Statement"]) - 1
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps({**policy, "Statement": left}))
    restart(hub)
    try:
        with pytest.raises(SweepFailed) as sweep:
            organization.sweep(hub)
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))

    counts = json.loads(str(sweep.value))["sweep"]
    places_of_hub = len(REGIONS)
    del counts["since"]
    assert counts == {
        "checked": places_of_hub,
        "notEnrolled": PLACES - places_of_hub,
        "failed": 0,
        "lostAllMembers": True,
    }
    assert organization.sweep(hub)["sweep"]["checked"] == PLACES


def test_a_throttled_account_fails_and_the_others_are_checked(organization: Organization, hub: Deployment) -> None:
    """More than a tenth fails, and so does the execution: an alarm watches that."""
    with organization.changed(PAYMENTS, throttled=True):
        with pytest.raises(SweepFailed) as sweep:
            organization.sweep(hub)
        with pytest.raises(InvocationFailed) as failure:
            check(hub, PAYMENTS)

    summary = json.loads(str(sweep.value))
    counts = {name: summary["sweep"][name] for name in ("checked", "notEnrolled", "failed")}
    assert counts == {"checked": PLACES - len(REGIONS), "notEnrolled": 0, "failed": len(REGIONS)}
    assert failure.value.error["errorType"] == "Ec2ReadFailed"
    assert "RequestLimitExceeded" in failure.value.error["errorMessage"]


def test_a_suspended_account_is_not_checked_and_no_failure(organization: Organization, hub: Deployment) -> None:
    with organization.changed(PAYMENTS, state="SUSPENDED"):
        summary = organization.sweep(hub)
        overview = hub.invoke({"coverage": True})
    organization.sweep(hub)

    counts = {name: summary["sweep"][name] for name in ("checked", "notEnrolled", "failed")}
    assert counts == {"checked": PLACES - len(REGIONS), "notEnrolled": 0, "failed": 0}
    assert PAYMENTS not in {each["account"] for each in overview["accountRegions"]}


def test_a_role_that_was_replaced_is_entered_anew(organization: Organization, hub: Deployment) -> None:
    """A session ends with its role. A new role with the same name needs a new session."""
    assert "notEnrolled" not in check(hub, PAYMENTS)
    with moved_role(organization, PAYMENTS):
        pass

    assert "notEnrolled" not in check(hub, PAYMENTS)


# --- Who may send what ------------------------------------------------------------------------------------------------


def event(account: str, region: str, vpc: str, **detail: Any) -> dict[str, Any]:
    """Returns the event of a call that nobody made."""
    made_up: dict[str, Any] = json.loads((ROOT / "events" / "create-route.json").read_text())
    made_up |= {"account": account, "region": region}
    made_up["detail"] |= {"eventName": "CreateVpc", "awsRegion": region, "recipientAccountId": account}
    made_up["detail"] |= {"requestParameters": {}, "responseElements": {"vpc": {"vpcId": vpc}}} | detail
    return made_up


def refused(hub: Deployment, *bodies: dict[str, Any]) -> list[Any]:
    """Puts messages into the queue, past EventBridge; returns those that the function refuses for good."""
    sqs, dead_letters = hub.cloud.client("sqs"), hub.outputs["ChangesDeadLetterQueueUrl"]
    with hub.retry_after(seconds=1):
        for body in bodies:
            sqs.send_message(QueueUrl=hub.changes_queue, MessageBody=json.dumps(body))
        assert hub.wait_until_idle(seconds=60)
    messages: list[Any] = []
    while answer := sqs.receive_message(QueueUrl=dead_letters, MaxNumberOfMessages=10).get("Messages"):
        messages += answer
        for message in answer:
            sqs.delete_message(QueueUrl=dead_letters, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in messages]


def test_a_message_that_names_another_place_is_refused_and_the_others_are_handled(
    organization: Organization, hub: Deployment, inbox: Inbox
) -> None:
    vpcs = {}
    for account in (SHOP, PAYMENTS):
        ec2 = organization.client("ec2", account)
        with without_events(ec2):
            vpcs[account] = build_shop(ec2)
    forged = [
        event(SHOP, REGION, vpcs[PAYMENTS], recipientAccountId=PAYMENTS),
        event(SHOP, REGION, vpcs[PAYMENTS], awsRegion=ELSEWHERE),
        event(SHOP, "ap-south-1", vpcs[PAYMENTS]),
        {"check": "region", "account": PAYMENTS, "region": REGION},
    ]

    in_dead_letters = refused(hub, *forged, event(SHOP, REGION, vpcs[SHOP]))

    assert sorted(map(json.dumps, in_dead_letters)) == sorted(map(json.dumps, forged))
    assert {message.body["vpc"]["id"] for message in inbox.drain()} == {vpcs[SHOP]}


def test_a_member_cannot_forge_an_event_of_another_account(
    organization: Organization, hub: Deployment, inbox: Inbox
) -> None:
    """What a member sends in its own name has its own account, and never a source of AWS."""
    ec2 = organization.client("ec2", PAYMENTS)
    with without_events(ec2):
        vpc = build_shop(ec2)
    detail = json.dumps(event(PAYMENTS, REGION, vpc)["detail"])
    entry = {"Source": "aws.ec2", "DetailType": "AWS API Call via CloudTrail", "Detail": detail}

    iam = organization.client("iam", SHOP)
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{SHOP}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="hostile", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="hostile", PolicyName="all", PolicyDocument=json.dumps(everything))
    hostile = organization.cloud.client_with("events", organization.assume(role, SHOP))
    answer = hostile.put_events(Entries=[entry])
    with pytest.raises(ClientError) as refusal:
        hostile.put_events(Entries=[entry | {"Source": "mine", "EventBusName": hub.outputs["OrganizationBusArn"]}])

    assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"
    assert refusal.value.response["Error"]["Code"] == "AccessDeniedException"
    assert hub.wait_until_idle(seconds=30)
    assert inbox.drain() == []


def test_the_bus_refuses_an_account_outside_the_organization(
    organization: Organization, hub: Deployment, inbox: Inbox
) -> None:
    organization.enroll(hub, FOREIGN)

    vpc = organization.build(FOREIGN).vpc("foreign", "10.3.0.0/16")

    assert hub.wait_until_idle(seconds=30)
    assert markers(organization, hub) == {}
    assert check(hub, FOREIGN, ELSEWHERE)["notEnrolled"] == {"reason": "access_denied"}
    # Somebody in the account of the hub puts an event of it into the queue.
    assert refused(hub, event(FOREIGN, REGION, vpc)) == []
    assert inbox.drain() == []
    assert markers(organization, hub) == {f"{FOREIGN}#{region}": "access_denied" for region in (REGION, ELSEWHERE)}, (
        "the only trace"
    )
    assert FOREIGN not in {each["account"] for each in hub.invoke({"coverage": True})["accountRegions"]}


def markers(organization: Organization, hub: Deployment) -> dict[str, Any]:
    """Returns the accounts and Regions that have a marker, and why they are not enrolled."""
    rows = map(history.plain, history.items(organization.client("dynamodb"), hub.history_table))
    return {row["sk"]: row.get("notEnrolled") for row in rows if row["pk"] == "markers"}


def test_the_hub_may_enter_only_the_role_of_members(organization: Organization, hub: Deployment) -> None:
    """An account may let everybody in. The hub's own policy still bounds it to one role in its organization."""
    everyone = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everyone]})
    organization.client("iam", MANAGEMENT).create_role(RoleName="administrator", AssumeRolePolicyDocument=document)
    functions = hub.cloud.client("lambda")
    before = functions.get_function_configuration(FunctionName=hub.function)["Environment"]["Variables"]
    with hub.variables(MEMBER_ROLE="administrator"):
        answer = check(hub, MANAGEMENT)

    assert before["MEMBER_ROLE"] == "gatewatch-read"
    assert answer["notEnrolled"] == {"reason": "access_denied"}
    assert "notEnrolled" not in check(hub, MANAGEMENT)


@pytest.mark.parametrize("call", ["CreateVpc", "DeleteVpc", "CreateSubnet", "DeleteSubnet"])
def test_an_event_that_names_a_network_of_another_account_says_nothing_about_it(
    call: str, organization: Organization, hub: Deployment, inbox: Inbox
) -> None:
    ec2 = organization.client("ec2", PAYMENTS)
    with without_events(ec2):
        vpc = build_shop(ec2)
    subnet = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"][0]["SubnetId"]
    check(hub, PAYMENTS)
    assert {message.body["account"] for message in inbox.drain()} == {PAYMENTS}
    before = alerts(organization, hub)
    names = {"vpcId": vpc} if call.endswith("Vpc") else {"subnetId": subnet}
    elements = {"vpc": names} if call == "CreateVpc" else {"subnet": names} if call == "CreateSubnet" else {}
    forged = event(SHOP, REGION, vpc, eventName=call, requestParameters=names, responseElements=elements)

    answer = hub.invoke(forged)
    in_dead_letters = refused(hub, forged)
    check(hub, PAYMENTS)

    assert (answer["account"], answer["region"]) == (SHOP, REGION)
    assert answer["checked"] == {"vpcs": 0, "subnets": 0, "routeTables": 0}
    assert (answer["findings"], answer["exempt"], answer["unassessed"]) == ([], [], [])
    # A deleted resource is not missing.
    assert answer["notFound"] == ([] if call.startswith("Delete") else list(names.values()))
    assert (in_dead_letters, inbox.drain()) == ([], [])
    assert alerts(organization, hub) == before, "the findings of the other account are open as before"


def alerts(organization: Organization, hub: Deployment) -> list[dict[str, Any]]:
    """Returns the alert history of all accounts."""
    return history.alerts(organization.client("dynamodb"), hub.history_table)


def test_the_hub_only_reads_in_a_member_that_allows_everything(
    organization: Organization, hub: Deployment, inbox: Inbox
) -> None:
    ec2, iam = organization.client("ec2", SHOP), organization.client("iam", SHOP)
    with without_events(ec2):
        build_shop(ec2)
        networks.build_endpoints(ec2)
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="gatewatch-read", PolicyName="more", PolicyDocument=json.dumps(everything))
    try:
        with record_calls(organization.cloud.variables["AWS_ENDPOINT_URL_EC2"]) as recorder:
            settings = dict.fromkeys(environment.BESIDE_EC2.values(), recorder.url)
            settings |= {"CHECKS": ",".join(ALL_CHECKS), "REQUIRED_INTERFACES": "ssm"}
            with hub.variables(**settings):
                answer = check(hub, SHOP)
    finally:
        iam.delete_role_policy(RoleName="gatewatch-read", PolicyName="more")

    parameters = {"HubRoleArn": hub.outputs["FunctionRoleArn"], "HubBusArn": hub.outputs["OrganizationBusArn"]}
    of_member = Template(ROOT / "organization" / "roles.yaml", Checks=",".join(ALL_CHECKS), **parameters)
    allowed = of_member.statements("ReadRole")
    may = {action for each in allowed.values() for action in actions(each)}
    assert {call.action for call in recorder.calls} == may - NOT_NEEDED
    assert len({call.key for call in recorder.calls}) == 1, "one session"
    assert answer["findings"]
    assert inbox.drain()


NOT_NEEDED = {
    "ec2:DescribeNatGateways",
    "ec2:GetManagedPrefixListEntries",
    "route53profiles:ListProfileResourceAssociations",
    "route53resolver:ListResolverRules",
}
"""Reads of what the test does not build: tables without a subnet, prefix lists, Profiles, Resolver rules."""


def actions(statement: dict[str, Any]) -> list[str]:
    """Returns the actions of a statement."""
    return [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]


@pytest.mark.parametrize(
    ("output", "allowed"),
    [
        pytest.param("FunctionRoleArn", {"update markers", "get accounts", "batch any"}, id="function"),
        pytest.param("SweepStateMachineArn", {"batch accounts"}, id="sweep"),
    ],
)
def test_a_role_of_the_hub_reaches_its_own_rows_only(
    output: str, allowed: set[str], organization: Organization, hub: Deployment
) -> None:
    states, table = organization.client("stepfunctions"), hub.history_table
    arn = hub.outputs[output]
    if output == "SweepStateMachineArn":
        arn = states.describe_state_machine(stateMachineArn=arn)["roleArn"]
    made_up = {"pk": {"S": ""}, "sk": {"S": "made-up"}}
    calls: dict[str, Callable[[Any, str], Any]] = {
        "get": lambda db, pk: db.get_item(TableName=table, Key=made_up | {"pk": {"S": pk}}),
        "put": lambda db, pk: db.put_item(TableName=table, Item=made_up | {"pk": {"S": pk}}),
        "update": lambda db, pk: db.update_item(TableName=table, Key=made_up | {"pk": {"S": pk}}),
        "delete": lambda db, pk: db.delete_item(TableName=table, Key=made_up | {"pk": {"S": pk}}),
        "batch": lambda db, pk: db.batch_write_item(
            RequestItems={table: [{"DeleteRequest": {"Key": made_up | {"pk": {"S": pk}}}}]}
        ),
    }

    with entered(organization, arn) as credentials:
        dynamodb = organization.cloud.client_with("dynamodb", credentials)
        done = {f"{name} {pk}" for name in calls for pk in ROWS if is_allowed(calls[name], dynamodb, pk)}

    organization.client("dynamodb").delete_item(TableName=table, Key=made_up | {"pk": {"S": "markers"}})
    # The function stores alerts of every account in batches, so no condition bounds these.
    expected = {each.replace("any", pk) for each in allowed for pk in ROWS}
    assert done == expected


ROWS = ("accounts", "markers", f"{SHOP}#{REGION}")
"""Partition keys of the table."""


def is_allowed(call: Callable[[Any, str], Any], dynamodb: Any, partition: str) -> bool:
    """Returns whether a call is allowed."""
    try:
        call(dynamodb, partition)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return False
    return True


@contextmanager
def entered(organization: Organization, role: str) -> Iterator[dict[str, str]]:
    """Assumes a role that otherwise only a service may assume."""
    iam, name = organization.client("iam"), role.rpartition("/")[2]
    before = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    own = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{HUB}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps(before | {"Statement": [*before["Statement"], own]})
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)
    try:
        yield organization.assume(role)
    finally:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(before))


# --- Options of a hub -------------------------------------------------------------------------------------------------

LISTER = "list-accounts"
OPTIONS = {
    "ExcludeAccounts": ARCHIVE,
    "EventBus": "findings",
    "ListAccountsRole": f"arn:aws:iam::{MANAGEMENT}:role/{LISTER}",
}


@pytest.fixture
def hub_with_options(organization: Organization, inbox: Inbox) -> Iterator[Deployment]:
    """The hub with all options on. Only a role of the management account lets it list the accounts."""
    assert inbox, "the hub is there"
    iam, events = organization.client("iam", MANAGEMENT), organization.client("events")
    machine = {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{HUB}:role/gatewatch-SweepStateMachineRole-*"}}
    own = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{HUB}:root"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [own | {"Condition": machine}]})
    lists = {"Effect": "Allow", "Action": "organizations:ListAccounts", "Resource": "*"}
    iam.create_role(RoleName=LISTER, AssumeRolePolicyDocument=trust)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [lists]})
    iam.put_role_policy(RoleName=LISTER, PolicyName="list", PolicyDocument=policy)
    events.create_event_bus(Name=OPTIONS["EventBus"])
    try:
        with organization.without_delegation():
            yield organization.deploy_hub(**OPTIONS)
    finally:
        organization.deploy_hub(**dict.fromkeys(OPTIONS, ""))


def test_a_hub_with_all_options(organization: Organization, hub_with_options: Deployment, inbox: Inbox) -> None:
    """Excludes an account, lists with another role, sends to the bus of teams, and writes metrics."""
    hub = hub_with_options
    vpcs = {}
    for account in (SHOP, PAYMENTS, ARCHIVE):
        ec2 = organization.client("ec2", account)
        with without_events(ec2):
            vpcs[account] = build_shop(ec2)
    with record_events(organization.cloud, "team-shop", OPTIONS["EventBus"], {"detail": {"account": [SHOP]}}) as team:
        summary = organization.sweep(hub)
        of_team = team.take(at_least=1, seconds=10)
    overview = hub.invoke({"coverage": True})

    places = PLACES - len(REGIONS)
    messages = [message.body for message in inbox.drain()]
    assert {body["vpc"]["id"] for body in messages} == {vpcs[SHOP], vpcs[PAYMENTS]}
    assert {name: summary["sweep"][name] for name in ("checked", "notEnrolled", "failed")} == {
        "checked": places,
        "notEnrolled": 0,
        "failed": 0,
    }
    checked = {(each["account"], each["region"]) for each in overview["accountRegions"]}
    assert checked == {(each.id, region) for each in ACCOUNTS if each.id != ARCHIVE for region in REGIONS}
    rows = map(history.plain, history.items(organization.client("dynamodb"), hub.history_table))
    assert {row["sk"]: row["accountState"] for row in rows if row["pk"] == "accounts"} == {
        each.id: "EXCLUDED" if each.id == ARCHIVE else "ACTIVE" for each in ACCOUNTS
    }

    [of_shop] = [body for body in messages if body["account"] == SHOP]
    envelope = {"source": "gatewatch", "detail-type": "gatewatch finding", "account": HUB, "region": REGION}
    assert [{name: each[name] for name in envelope} for each in of_team] == [envelope] * len(of_shop["findings"])
    found = [finding for each in of_team for finding in schemas.validate("notification", each["detail"])["findings"]]
    assert sorted(found, key=json.dumps) == sorted(of_shop["findings"], key=json.dumps)

    metrics = written_metrics(hub)
    assert 0 <= metrics.pop("OldestCheckAge") < 600
    open_findings = {f"OpenFindings{each.capitalize()}": count for each, count in summary["totals"]["open"].items()}
    counts = {"AccountRegions": places, "NotEnrolled": 0, "Stale": 0, "FailedChecks": 0}
    assert metrics == counts | open_findings
    assert summary["totals"]["open"]["HIGH"] == 2


def written_metrics(hub: Deployment) -> dict[str, float]:
    """Returns the metrics in the last line for CloudWatch in the log of the function."""
    logs = hub.cloud.client("logs")
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=hub.outputs["LogGroupName"])
    lines = [line for page in pages for each in page["events"] for line in each["message"].splitlines()]
    *_, last = (json.loads(line) for line in lines if "CloudWatchMetrics" in line)
    [directive] = last.pop("_aws")["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("gatewatch", [[]])
    assert {each["Name"] for each in directive["Metrics"]} == last.keys()
    return dict(last)


# --- From one account to a hub, and back ------------------------------------------------------------------------------


def test_an_account_becomes_a_hub_and_back_without_repeating_or_losing_an_alert(organization: Organization) -> None:
    name, ec2 = "grows", organization.client("ec2")
    organization.empty()
    alone = organization.deploy_alone(name, SettleSeconds=0)
    inbox = Inbox(alone, "inbox-grows")
    vpc = organization.build().vpc("grows", "10.4.0.0/16")
    opened = inbox.wait_for(vpc, 30)
    assert opened
    assert alone.wait_until_idle(seconds=30)

    hub = organization.deploy_hub(name, SettleSeconds=0)
    assert hub.outputs["LedgerTableName"] == alone.outputs["LedgerTableName"]
    hub.invoke({"check": "region"})
    assert inbox.drain() == [], "the hub knows what was sent before"
    second = organization.build().vpc("second", "10.5.0.0/16")
    assert inbox.wait_for(second, 30)
    assert hub.wait_until_idle(seconds=30)

    again = organization.deploy_alone(name, SettleSeconds=0)
    again.invoke({"check": "region"})
    assert inbox.drain() == [], "and so does the single account afterwards"
    ec2.delete_vpc(VpcId=vpc)
    assert again.wait_until_idle(seconds=30)
    changes = {finding["change"] for message in inbox.drain() for finding in message.body["findings"]}
    assert changes == {"resolved"}
    organization.client("cloudformation").delete_stack(StackName=name)
