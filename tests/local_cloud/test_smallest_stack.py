"""Without the ledger, an e-mail address and a chat there is no table, no second topic, and no leave for either."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local import deployment
from local.cloud import Cloud
from local.deployment import Deployment
from local.inbox import Inbox
from local.networks import Builder
from test_rule import CALLS

ONLY_THE_LEDGER_KNOWS = {"DeleteRouteTable", "DeleteSubnet", "DeleteVpc"}


@pytest.fixture(scope="module")
def smallest(cloud: Cloud, stack: Deployment) -> Iterator[Deployment]:
    """A second stack, of what was built for the first. It is gone at the end: it listens to the same changes."""
    name = "smallest"
    yield deployment.deploy(cloud, name, Ledger="off", SweepSchedule="off", SettleSeconds=0)
    cloud.client("cloudformation").delete_stack(StackName=name)


def test_there_is_nothing_that_was_not_asked_for(smallest: Deployment, cloud: Cloud) -> None:
    assert {"TextTopicArn", "ChatTopicArn", "LedgerTableName"} & smallest.outputs.keys() == set()

    resources = cloud.client("cloudformation").describe_stack_resources(StackName="smallest")["StackResources"]
    kinds = [each["ResourceType"] for each in resources]
    assert (kinds.count("AWS::SNS::Topic"), kinds.count("AWS::DynamoDB::Table")) == (1, 0)


def test_the_function_may_and_knows_nothing_of_it(smallest: Deployment, cloud: Cloud) -> None:
    function = cloud.client("lambda").get_function_configuration(FunctionName=smallest.function)
    assert function["Environment"]["Variables"].keys() == {
        "TOPIC_ARN", "REQUIRED_SERVICES", "MIN_SEVERITY", "EXEMPT_TAG"
    }

    role = function["Role"].rpartition("/")[2]
    document: Any = cloud.client("iam").get_role_policy(RoleName=role, PolicyName="gatewatch")["PolicyDocument"]
    document = json.loads(document) if isinstance(document, str) else document
    statements = {each["Sid"]: each for each in document["Statement"]}
    assert statements.keys() == {
        "ReadNetwork", "SendFindings", "TakeChanges", "HandOverFailedInvocations", "WriteLog"
    }
    assert statements["SendFindings"]["Resource"] == [smallest.topic]


def test_the_calls_of_which_only_the_ledger_makes_something_are_not_let_in(smallest: Deployment, cloud: Cloud) -> None:
    rule = cloud.client("events").describe_rule(Name=smallest.outputs["ChangesRuleName"])

    assert set(json.loads(rule["EventPattern"])["detail"]["eventName"]) == CALLS - ONLY_THE_LEDGER_KNOWS


def test_a_finding_is_told_each_time(smallest: Deployment, stack: Deployment, build: Builder) -> None:
    inbox = Inbox(smallest, "inbox-of-smallest")
    with stack.untold(), smallest.untold():
        vpc = build.vpc("told-twice", "10.75.0.0/16")
        for _ in range(2):
            report = smallest.invoke({"check": {"vpcIds": [vpc]}})
            assert (report["ledger"], report["published"]) == ("off", 1)
            message = inbox.wait_for(vpc, 10)
            assert message is not None
            assert message.body["ledger"] == "off"
            assert {finding["change"] for finding in message.body["findings"]} == {"reported"}
