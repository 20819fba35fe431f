"""The local cloud treats an organization as AWS does: accounts, roles, buses and state machines.

`local/organization_gaps.py`, `event_bus_gaps.py`, `state_machine_gaps.py` and `ec2_server/accounts.py` close these gaps
of the emulators. The templates here are much smaller than the project's own; test_organization.py deploys those.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.environment import REGION
from local.organization import (
    ACCOUNTS,
    ARCHIVE,
    FOREIGN,
    HUB,
    ID,
    MANAGEMENT,
    PAYMENTS,
    SHOP,
    Organization,
    local_organization,
)
from local.waiting import wait_until

ELSEWHERE = "eu-central-1"


@pytest.fixture(scope="module")
def organization() -> Iterator[Organization]:
    """The organization of this file."""
    with local_organization("test-local-organization") as running:
        yield running


# --- Accounts and Regions of EC2 --------------------------------------------------------------------------------------


def test_accounts_and_regions_have_networks_of_their_own(organization: Organization) -> None:
    places = [(HUB, REGION), (SHOP, REGION), (SHOP, ELSEWHERE), (ARCHIVE, REGION)]

    vpcs = {place: organization.build(*place).vpc("own", "10.1.0.0/16") for place in places}

    for place, vpc in vpcs.items():
        [found] = organization.client("ec2", *place).describe_vpcs()["Vpcs"]
        assert (found["VpcId"], found["OwnerId"]) == (vpc, place[0])
    organization.empty()


# --- Roles ------------------------------------------------------------------------------------------------------------

READER = "gatewatch-read"
TRUSTED = "arn:aws:iam::123456789012:role/the-hub"


def trust_policy(*actions: str, **condition: Any) -> str:
    """Returns a trust policy for the hub's account under a condition: `trust_policy(action, ArnEquals={…})`."""
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{HUB}:root"}, "Action": list(actions)}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | {"Condition": condition}]})


ONLY_THE_HUB = {"ArnEquals": {"aws:PrincipalArn": TRUSTED}, "StringEquals": {"aws:PrincipalOrgID": ID}}
BOTH_ACTIONS = ("sts:AssumeRole", "sts:SetSourceIdentity")


@contextmanager
def role(
    organization: Organization, account: str, name: str, trust: str, *allowed: dict[str, Any], path: str = "/"
) -> Iterator[str]:
    """Creates a role for a while; yields its ARN."""
    iam = organization.client("iam", account)
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Path=path)["Role"]["Arn"]
    try:
        for number, statement in enumerate(allowed):
            document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow"} | statement]})
            iam.put_role_policy(RoleName=name, PolicyName=f"own-{number}", PolicyDocument=document)
        yield arn
    finally:
        for number in range(len(allowed)):
            iam.delete_role_policy(RoleName=name, PolicyName=f"own-{number}")
        iam.delete_role(RoleName=name)


@pytest.fixture(scope="module")
def hub(organization: Organization) -> Iterator[Any]:
    """STS, called with the role that trust policies name. It may assume one role in each account."""
    may_assume = {
        "Action": list(BOTH_ACTIONS),
        "Resource": f"arn:aws:iam::*:role/{READER}",
        "Condition": {"StringEquals": {"aws:ResourceOrgID": ID}},
    }
    trust = trust_policy("sts:AssumeRole")
    with role(organization, HUB, "the-hub", trust, may_assume) as arn:
        assert arn == TRUSTED
        yield organization.cloud.client_with("sts", organization.assume(arn))


def assumed(sts: Any, account: str, name: str = READER, **arguments: str) -> dict[str, str]:
    """Assumes a member's role as the hub does; returns the credentials."""
    arn = f"arn:aws:iam::{account}:role/{name}"
    answer = sts.assume_role(RoleArn=arn, RoleSessionName="gatewatch", **arguments)["Credentials"]
    names = {"aws_access_key_id": "AccessKeyId", "aws_secret_access_key": "SecretAccessKey"}
    return {name: answer[key] for name, key in (names | {"aws_session_token": "SessionToken"}).items()}


def code_of(failure: pytest.ExceptionInfo[ClientError]) -> str:
    return str(failure.value.response["Error"]["Code"])


def test_a_trust_policy_names_a_role_and_an_organization(organization: Organization, hub: Any) -> None:
    trust = trust_policy(*BOTH_ACTIONS, **ONLY_THE_HUB)
    with role(organization, SHOP, READER, trust):
        assert assumed(hub, SHOP)
        assert assumed(hub, SHOP, SourceIdentity="gatewatch")
        with pytest.raises(ClientError) as other_caller:
            organization.assume(f"arn:aws:iam::{SHOP}:role/{READER}")

    assert code_of(other_caller) == "AccessDenied"


@pytest.mark.parametrize(
    "trust",
    [
        pytest.param(trust_policy(*BOTH_ACTIONS, ArnEquals={"aws:PrincipalArn": f"{TRUSTED}-2"}), id="another-role"),
        pytest.param(
            trust_policy(*BOTH_ACTIONS, StringEquals={"aws:PrincipalOrgID": "o-another001"}), id="another-org"
        ),
        pytest.param(trust_policy("sts:AssumeRole", **ONLY_THE_HUB), id="no-source-identity"),
        pytest.param(
            trust_policy(*BOTH_ACTIONS, StringEquals={"sts:SourceIdentity": "somebody"}), id="another-source-identity"
        ),
    ],
)
def test_a_trust_policy_refuses(organization: Organization, hub: Any, trust: str) -> None:
    with role(organization, SHOP, READER, trust), pytest.raises(ClientError) as refusal:
        assumed(hub, SHOP, SourceIdentity="gatewatch")

    assert code_of(refusal) == "AccessDenied"


def test_a_role_with_another_path_is_another_role(organization: Organization, hub: Any) -> None:
    trust = trust_policy("sts:AssumeRole", **ONLY_THE_HUB)
    with role(organization, SHOP, READER, trust, path="/copies/"), pytest.raises(ClientError) as refusal:
        assumed(hub, SHOP)

    assert code_of(refusal) == "AccessDenied"


def test_the_callers_own_policy_bounds_roles_to_the_organization(organization: Organization, hub: Any) -> None:
    trust = trust_policy("sts:AssumeRole")
    refusals = []
    for account, name in ((FOREIGN, READER), (SHOP, "administrator")):
        with role(organization, account, name, trust), pytest.raises(ClientError) as refusal:
            assumed(hub, account, name)
        refusals.append(code_of(refusal))

    assert refusals == ["AccessDenied", "AccessDenied"]


def test_a_suspended_account_admits_nobody_and_a_region_can_be_disabled(organization: Organization, hub: Any) -> None:
    trust = trust_policy("sts:AssumeRole", **ONLY_THE_HUB)
    codes = []
    with role(organization, SHOP, READER, trust):
        changes: list[dict[str, Any]] = [{"state": "SUSPENDED"}, {"disabled_regions": (REGION,)}]
        for change in changes:
            with organization.changed(SHOP, **change), pytest.raises(ClientError) as refusal:
                assumed(hub, SHOP)
            codes.append(code_of(refusal))
        assert assumed(hub, SHOP)

    assert codes == ["AccessDenied", "RegionDisabledException"]


# --- Roles in EC2 -----------------------------------------------------------------------------------------------------


def test_credentials_of_a_role_lead_to_its_account_in_ec2_and_allow_what_the_role_allows(
    organization: Organization, hub: Any
) -> None:
    vpc = organization.build(SHOP, ELSEWHERE).vpc("shop", "10.2.0.0/16")
    in_one_region = {"StringEquals": {"aws:RequestedRegion": ELSEWHERE}}
    may_read = {"Action": "ec2:DescribeVpcs", "Resource": "*", "Condition": in_one_region}
    with role(organization, SHOP, READER, trust_policy("sts:AssumeRole", **ONLY_THE_HUB), may_read):
        credentials = assumed(hub, SHOP)

        ec2 = organization.cloud.client_with("ec2", credentials, ELSEWHERE)
        assert [each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"]] == [vpc]

        refusals = []
        for call in (ec2.describe_subnets, organization.cloud.client_with("ec2", credentials, REGION).describe_vpcs):
            with pytest.raises(ClientError) as refusal:
                call()
            refusals.append(code_of(refusal))
    organization.empty()

    assert refusals == ["UnauthorizedOperation", "UnauthorizedOperation"]


def test_ec2_refuses_one_account_without_another(organization: Organization, hub: Any) -> None:
    trust, may_read = trust_policy("sts:AssumeRole", **ONLY_THE_HUB), {"Action": "ec2:DescribeVpcs", "Resource": "*"}
    with role(organization, SHOP, READER, trust, may_read), role(organization, PAYMENTS, READER, trust, may_read):
        shop, payments = (organization.cloud.client_with("ec2", assumed(hub, each)) for each in (SHOP, PAYMENTS))
        codes = []
        changes: list[dict[str, Any]] = [{"throttled": True}, {"disabled_regions": (REGION,)}]
        for change in changes:
            with organization.changed(SHOP, **change):
                with pytest.raises(ClientError) as refusal:
                    shop.describe_vpcs()
                codes.append(code_of(refusal))
                assert payments.describe_vpcs()["Vpcs"] == []
        assert shop.describe_vpcs()["Vpcs"] == []

    assert codes == ["RequestLimitExceeded", "AuthFailure"]


# --- Organizations ----------------------------------------------------------------------------------------------------


def test_accounts_are_listed_in_pages_with_their_state(organization: Organization) -> None:
    organizations = organization.client("organizations")

    with organization.changed(SHOP, state="SUSPENDED"):
        pages = list(organizations.get_paginator("list_accounts").paginate(PaginationConfig={"PageSize": 2}))

    assert [len(page["Accounts"]) for page in pages] == [2, 2, 1]
    states = {each["Id"]: (each["Name"], each["State"], each["Status"]) for page in pages for each in page["Accounts"]}
    assert states[SHOP] == ("shop", "SUSPENDED", "SUSPENDED")
    assert states[ARCHIVE] == ("archive", "ACTIVE", "ACTIVE")
    assert [each.id for each in ACCOUNTS] == list(states)


def test_only_some_accounts_may_list_the_others(organization: Organization) -> None:
    assert organization.client("organizations", MANAGEMENT).list_accounts()["Accounts"]
    for account in (SHOP, FOREIGN):
        with pytest.raises(ClientError) as refusal:
            organization.client("organizations", account).list_accounts()
        assert code_of(refusal) == "AccessDeniedException"


# --- Events -----------------------------------------------------------------------------------------------------------

BUS = f"arn:aws:events:{REGION}:{HUB}:event-bus/hub"
FORWARDER = "gatewatch-forward"

MEMBER = """
Parameters:
  Bus: {Type: String}
Resources:
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [aws.ec2]}
      Targets:
        - {Id: hub, Arn: !Ref Bus, RoleArn: !Sub "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/gatewatch-forward"}
"""

CENTRAL = """
Parameters:
  OrganizationId: {Type: String}
Resources:
  Bus:
    Type: AWS::Events::EventBus
    Properties:
      Name: hub
      Policy:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: "*"
            Action: events:PutEvents
            Resource: !Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/hub
            Condition:
              StringEquals: {aws:PrincipalOrgID: !Ref OrganizationId}
              ArnLike: {aws:PrincipalArn: "arn:*:iam::*:role/gatewatch-forward"}
  Queue: {Type: AWS::SQS::Queue}
  Policy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Queue]
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal: {Service: events.amazonaws.com}
            Action: sqs:SendMessage
            Resource: !GetAtt Queue.Arn
            Condition: {ArnEquals: {aws:SourceArn: !GetAtt Rule.Arn}}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Bus
      EventPattern: {source: [{prefix: ""}]}
      Targets: [{Id: queue, Arn: !GetAtt Queue.Arn}]
Outputs:
  Queue: {Value: !Ref Queue}
"""


class Arrivals:
    """The events that arrive at the hub's bus."""

    def __init__(self, organization: Organization, queue: str) -> None:
        self._organization, self._queue = organization, queue
        self._sqs = organization.client("sqs")

    def take(self) -> list[Any]:
        """Returns the events of all changes so far."""
        assert self._organization.cloud.wait_until_events_are_sent(30)
        events = []
        while messages := self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
                events.append(json.loads(message["Body"]))
        return events


@pytest.fixture(scope="module")
def arrivals(organization: Organization) -> Arrivals:
    """A bus of the hub, and rules in three accounts that send to it."""
    outputs = organization.deploy("hub-bus", CENTRAL, HUB, REGION, OrganizationId=ID)
    for account, region in (
        (SHOP, REGION),
        (SHOP, ELSEWHERE),
        (ARCHIVE, ELSEWHERE),
        (FOREIGN, REGION),
        (HUB, ELSEWHERE),
    ):
        organization.deploy("member-rules", MEMBER, account, region, Bus=BUS)
    return Arrivals(organization, outputs["Queue"])


def forwarder(organization: Organization, account: str, name: str = FORWARDER) -> Any:
    """Creates the role with which EventBridge sends events of an account to the hub."""
    condition = {"StringEquals": {"aws:SourceAccount": account}}
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement | {"Condition": condition}]})
    return role(organization, account, name, trust, {"Action": "events:PutEvents", "Resource": BUS})


def test_an_event_keeps_the_account_and_region_where_it_happened(
    organization: Organization, arrivals: Arrivals
) -> None:
    places = [(SHOP, REGION), (SHOP, ELSEWHERE), (ARCHIVE, ELSEWHERE), (HUB, ELSEWHERE)]
    with forwarder(organization, SHOP), forwarder(organization, ARCHIVE), forwarder(organization, HUB):
        for place in places:
            organization.build(*place).vpc("event", "10.3.0.0/16")
        events = arrivals.take()
    organization.empty()

    assert [(event["account"], event["region"]) for event in events] == places
    for event in events:
        assert (event["detail"]["recipientAccountId"], event["detail"]["awsRegion"]) == (
            event["account"],
            event["region"],
        )


def test_an_event_needs_a_role_that_the_bus_admits(organization: Organization, arrivals: Arrivals) -> None:
    organization.build(SHOP).vpc("no-role", "10.4.0.0/16")
    with forwarder(organization, FOREIGN):
        organization.build(FOREIGN).vpc("foreign", "10.4.0.0/16")
    with role(organization, SHOP, FORWARDER, trust_policy("sts:AssumeRole")):
        organization.build(SHOP).vpc("no-trust", "10.5.0.0/16")

        assert arrivals.take() == []
    organization.empty()


def test_put_events_reaches_the_bus_only_as_the_policy_says(organization: Organization, arrivals: Arrivals) -> None:
    entry = {"Source": "made.up", "DetailType": "test", "Detail": "{}", "EventBusName": BUS}
    may_put = {"Action": "events:PutEvents", "Resource": BUS}
    trust = trust_policy("sts:AssumeRole")
    with role(organization, SHOP, "somebody", trust, may_put) as somebody, pytest.raises(ClientError) as refusal:
        organization.cloud.client_with("events", organization.assume(somebody)).put_events(Entries=[entry])
    with role(organization, SHOP, FORWARDER, trust, may_put) as admitted:
        events = organization.cloud.client_with("events", organization.assume(admitted))
        answers = [events.put_events(Entries=[entry | {"Source": source}]) for source in ("made.up", "aws.ec2")]

    assert code_of(refusal) == "AccessDeniedException"
    assert [answer["Entries"][0].get("ErrorCode") for answer in answers] == [None, "NotAuthorizedForSourceException"]
    [event] = arrivals.take()
    assert (event["source"], event["account"]) == ("made.up", SHOP)


@pytest.mark.parametrize("path", ["/copies/", "/x:role/"])
def test_the_bus_refuses_the_role_below_a_path(path: str, organization: Organization, arrivals: Arrivals) -> None:
    """A path may contain a colon. The account in the policy of the bus is a wildcard, which must not match it."""
    entry = {"Source": "made.up", "DetailType": "test", "Detail": "{}", "EventBusName": BUS}
    may_put = {"Action": "events:PutEvents", "Resource": BUS}
    trust = trust_policy("sts:AssumeRole")
    with role(organization, SHOP, FORWARDER, trust, may_put, path=path) as copy:
        assert copy == f"arn:aws:iam::{SHOP}:role{path}{FORWARDER}"
        events = organization.cloud.client_with("events", organization.assume(copy))
        with pytest.raises(ClientError) as refusal:
            events.put_events(Entries=[entry])

    assert code_of(refusal) == "AccessDeniedException"
    assert arrivals.take() == []


@contextmanager
def queue_of_rules(organization: Organization, name: str, *rules: str) -> Iterator[tuple[str, str]]:
    """Creates a queue that admits these rules of the default bus for a while; yields its URL and its ARN."""
    sqs, arn = organization.client("sqs"), f"arn:aws:sqs:{REGION}:{HUB}:{name}"
    condition = {"ArnEquals": {"aws:SourceArn": [f"arn:aws:events:{REGION}:{HUB}:rule/{rule}" for rule in rules]}}
    admits = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [admits | {"Resource": arn, "Condition": condition}]}
    url = sqs.create_queue(QueueName=name, Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
    try:
        yield url, arn
    finally:
        sqs.delete_queue(QueueUrl=url)


@pytest.mark.parametrize(
    ("target", "kept_by", "delivered", "kept"),
    [
        pytest.param("open", ["tried"], 1, [], id="delivered"),
        pytest.param("closed", ["tried"], 0, ["NO_PERMISSIONS"], id="refused"),
        pytest.param("missing", ["tried"], 0, ["NO_RESOURCE"], id="no-queue"),
        pytest.param("closed", ["another"], 0, [], id="both-refuse"),
    ],
)
def test_what_a_queue_refuses_goes_to_the_dead_letter_queue_of_the_target(
    target: str, kept_by: list[str], delivered: int, kept: list[str], organization: Organization
) -> None:
    events, sqs = organization.client("events"), organization.client("sqs")
    with (
        queue_of_rules(organization, "open", "tried") as (opened, _),
        queue_of_rules(organization, "closed", "another") as (closed, _),
        queue_of_rules(organization, "dead-letters", *kept_by) as (dead_letters, dead_letters_arn),
    ):
        arn = f"arn:aws:sqs:{REGION}:{HUB}:{target}"
        rule = events.put_rule(Name="tried", EventPattern=json.dumps({"source": ["tried"]}))["RuleArn"]
        config = {"Id": "queue", "Arn": arn, "DeadLetterConfig": {"Arn": dead_letters_arn}}
        events.put_targets(Rule="tried", Targets=[config])
        events.put_events(Entries=[{"Source": "tried", "DetailType": "test", "Detail": '{"n": 1}'}])
        received, refused, letters = (
            sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages", [])
            for url in (opened, closed, dead_letters)
        )
        events.remove_targets(Rule="tried", Ids=["queue"])
        events.delete_rule(Name="tried")

    assert (len(received), refused) == (delivered, [])
    assert [json.loads(each["Body"])["detail"] for each in [*received, *letters]] == [{"n": 1}] * (
        delivered + len(kept)
    )
    attributes = [
        {name: each["StringValue"] for name, each in letter["MessageAttributes"].items()} for letter in letters
    ]
    assert [each.pop("ERROR_CODE") for each in attributes] == kept
    assert all(each.pop("ERROR_MESSAGE") for each in attributes)
    assert attributes == [{"RULE_ARN": rule, "TARGET_ARN": arn}] * len(kept)


# --- Rows of a table --------------------------------------------------------------------------------------------------

TABLE = "rows"
TABLE_ARN = f"arn:aws:dynamodb:{REGION}:{HUB}:table/{TABLE}"
ROW_ACTIONS = [f"dynamodb:{action}Item" for action in ("BatchGet", "BatchWrite", "Delete", "Get", "Put", "Update")]


def only_rows(operator: str, *keys: str) -> dict[str, Any]:
    """Returns a statement that allows these partition keys."""
    condition = {f"ForAllValues:{operator}": {"dynamodb:LeadingKeys": list(keys)}}
    return {"Action": [*ROW_ACTIONS, "dynamodb:Query"], "Resource": TABLE_ARN, "Condition": condition}


def row(partition: str) -> dict[str, Any]:
    return {"pk": {"S": partition}, "sk": {"S": "1"}}


ROW_CALLS: dict[str, Callable[[Any, list[str]], Any]] = {
    "get": lambda table, keys: [table.get_item(TableName=TABLE, Key=row(key)) for key in keys],
    "put": lambda table, keys: [table.put_item(TableName=TABLE, Item=row(key)) for key in keys],
    "update": lambda table, keys: [table.update_item(TableName=TABLE, Key=row(key)) for key in keys],
    "delete": lambda table, keys: [table.delete_item(TableName=TABLE, Key=row(key)) for key in keys],
    "query": lambda table, keys: [
        table.query(
            TableName=TABLE,
            KeyConditionExpression="sk = :sk AND #p = :pk",
            ExpressionAttributeNames={"#p": "pk"},
            ExpressionAttributeValues={":pk": {"S": key}, ":sk": {"S": key}},
        )
        for key in keys
    ],
    "batch get": lambda table, keys: table.batch_get_item(RequestItems={TABLE: {"Keys": [row(key) for key in keys]}}),
    "batch put": lambda table, keys: table.batch_write_item(
        RequestItems={TABLE: [{"PutRequest": {"Item": row(key)}} for key in keys]}
    ),
    "batch delete": lambda table, keys: table.batch_write_item(
        RequestItems={TABLE: [{"DeleteRequest": {"Key": row(key)}} for key in keys]}
    ),
    "transaction": lambda table, keys: table.transact_write_items(
        TransactItems=[{"Put": {"TableName": TABLE, "Item": row(key)}} for key in keys]
    ),
}
"""Calls that name rows by their partition keys."""


@pytest.fixture(scope="module")
def table(organization: Organization) -> str:
    """A table with the keys of gatewatch's own."""
    keys = {"pk": "HASH", "sk": "RANGE"}
    organization.client("dynamodb").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
    )
    return TABLE


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("call", ROW_CALLS)
def test_a_role_reaches_only_the_rows_that_its_condition_names(call: str, organization: Organization) -> None:
    with role(
        organization, HUB, "rows", trust_policy("sts:AssumeRole"), only_rows("StringEquals", "mine", "too")
    ) as arn:
        dynamodb = organization.cloud.client_with("dynamodb", organization.assume(arn))
        ROW_CALLS[call](dynamodb, ["mine", "too"])
        refusals = []
        for keys in (["other"], ["mine", "other"], ["min*"]):
            with pytest.raises(ClientError) as refusal:
                ROW_CALLS[call](dynamodb, keys)
            refusals.append(code_of(refusal))

    assert refusals == ["AccessDeniedException"] * 3


@pytest.mark.usefixtures("table")
def test_a_condition_on_rows_may_have_a_wildcard(organization: Organization) -> None:
    with role(organization, HUB, "rows", trust_policy("sts:AssumeRole"), only_rows("StringLike", "mine-*")) as arn:
        dynamodb = organization.cloud.client_with("dynamodb", organization.assume(arn))
        ROW_CALLS["put"](dynamodb, ["mine-1"])
        with pytest.raises(ClientError) as refusal:
            ROW_CALLS["put"](dynamodb, ["mine"])

    assert code_of(refusal) == "AccessDeniedException"


# --- The state machine ------------------------------------------------------------------------------------------------

STUB = """
class Ec2ReadFailed(Exception):
    pass

def handler(event, context):
    if event.get("account") == "444455556666":
        raise Ec2ReadFailed("always")
    return {"asked": event}
"""
"""A function that fails for one account."""

DEFINITION = {
    "StartAt": "List",
    "States": {
        "List": {
            "Type": "Task",
            "QueryLanguage": "JSONata",
            "Resource": "arn:aws:states:::aws-sdk:organizations:listAccounts",
            "Arguments": {},
            "Output": "{% $states.result.Accounts.Id %}",
            "Next": "Check",
        },
        "Check": {
            "Type": "Map",
            "Label": "Accounts",
            "ToleratedFailurePercentage": 50,
            "ItemSelector": {"account.$": "$$.Map.Item.Value"},
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
                "StartAt": "Invoke",
                "States": {
                    "Invoke": {
                        "Type": "Task",
                        "Resource": "arn:aws:states:::lambda:invoke",
                        "Parameters": {"FunctionName": "stub", "Payload.$": "$"},
                        "Retry": [{"ErrorEquals": ["Ec2ReadFailed"], "MaxAttempts": 1}],
                        "OutputPath": "$.Payload.asked.account",
                        "End": True,
                    }
                },
            },
            "End": True,
        },
    },
}

LIST = {"Action": "organizations:ListAccounts", "Resource": "*"}
INVOKE = {"Action": "lambda:InvokeFunction", "Resource": f"arn:aws:lambda:{REGION}:{HUB}:function:stub"}
START = {"Action": "states:StartExecution", "Resource": f"arn:aws:states:{REGION}:{HUB}:stateMachine:sweep"}


@pytest.fixture(scope="module")
def stub(organization: Organization) -> None:
    """The function that the state machine invokes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("stub.py", STUB)
    service = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}]})
    arn = organization.client("iam").create_role(RoleName="stub", AssumeRolePolicyDocument=service)["Role"]["Arn"]
    organization.client("lambda").create_function(
        FunctionName="stub", Runtime="python3.11", Role=arn, Handler="stub.handler", Code={"ZipFile": file.getvalue()}
    )


def execution(organization: Organization, definition: dict[str, Any], *allowed: dict[str, Any]) -> dict[str, Any]:
    """Runs a state machine with a role of its own; returns the execution as DescribeExecution shows it."""
    states = organization.client("stepfunctions")
    statement = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    with role(organization, HUB, "sweep", trust, *allowed) as arn:
        machine = states.create_state_machine(name="sweep", definition=json.dumps(definition), roleArn=arn)
        try:
            started = states.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]

            def ended() -> Any:
                answer = states.describe_execution(executionArn=started)
                return answer if answer["status"] != "RUNNING" else None

            done = wait_until(ended, 30)
            assert done
            return dict(done)
        finally:
            states.delete_state_machine(stateMachineArn=machine["stateMachineArn"])


@pytest.mark.usefixtures("stub")
def test_a_state_machine_checks_all_accounts_and_tolerates_one_that_fails(organization: Organization) -> None:
    done = execution(organization, DEFINITION, LIST, INVOKE, START)

    assert done["status"] == "SUCCEEDED"
    assert json.loads(done["output"]) == [each.id if each.id != PAYMENTS else None for each in ACCOUNTS]


@pytest.mark.usefixtures("stub")
@pytest.mark.parametrize("allowed", [(INVOKE, START), (LIST, START), (LIST, INVOKE)], ids=["list", "invoke", "start"])
def test_the_role_of_a_state_machine_bounds_it(organization: Organization, allowed: tuple[dict[str, Any], ...]) -> None:
    done = execution(organization, DEFINITION, *allowed)

    assert done["status"] == "FAILED"


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(("keys", "status"), [(["mine"], "SUCCEEDED"), (["mine", "other"], "FAILED")])
def test_a_state_writes_only_the_rows_that_the_condition_names(
    keys: list[str], status: str, organization: Organization
) -> None:
    writes = {TABLE: [{"PutRequest": {"Item": row(key)}} for key in keys]}
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:dynamodb:batchWriteItem",
        "Parameters": {"RequestItems": writes},
        "End": True,
    }

    done = execution(organization, {"StartAt": "Write", "States": {"Write": state}}, only_rows("StringEquals", "mine"))

    assert done["status"] == status
    assert ("AccessDeniedException" in done.get("cause", "")) == (status == "FAILED")


def test_a_state_can_list_accounts_with_a_role_of_the_management_account(organization: Organization) -> None:
    lister = f"arn:aws:iam::{MANAGEMENT}:role/lister"
    state = DEFINITION["States"]["List"] | {"Credentials": {"RoleArn": lister}, "End": True}  # type: ignore[index]
    del state["Next"]
    definition = {"StartAt": "List", "States": {"List": state}}
    assume = {"Action": "sts:AssumeRole", "Resource": lister}

    with role(organization, MANAGEMENT, "lister", trust_policy("sts:AssumeRole"), LIST):
        done = execution(organization, definition, assume)
        without_permission = execution(organization, definition, LIST)
    with role(organization, MANAGEMENT, "lister", trust_policy("sts:AssumeRole", **ONLY_THE_HUB), LIST):
        without_trust = execution(organization, definition, assume)

    assert json.loads(done["output"]) == [each.id for each in ACCOUNTS]
    assert (without_permission["status"], without_trust["status"]) == ("FAILED", "FAILED")
