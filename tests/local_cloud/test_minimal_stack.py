"""Without ledger, e-mail address and chat the stack has no table, no second topic, and no permission for either."""

import json
from collections.abc import Iterator

import pytest

from local import deployment
from local.cloud import Cloud
from local.deployment import Deployment
from local.inbox import Inbox
from local.networks import Builder
from tests.local_cloud.support import role
from tests.local_cloud.support.rules import RELEVANT_CALLS

ONLY_RESOLVE = {"DeleteRouteTable", "DeleteSubnet", "DeleteVpc"}
"""These calls open no finding. They can only resolve one, which needs the alert history."""


@pytest.fixture(scope="module")
def minimal(cloud: Cloud, stack: Deployment) -> Iterator[Deployment]:
    """A second stack, of what was built for the first. At the end it is deleted: it receives the same changes."""
    assert stack, "the function is built"
    name = "minimal"
    yield deployment.deploy(cloud, name, Ledger="off", SweepSchedule="off", SettleSeconds=0)
    cloud.client("cloudformation").delete_stack(StackName=name)


def test_the_stack_has_only_the_requested_resources(minimal: Deployment, cloud: Cloud) -> None:
    assert {"TextTopicArn", "ChatTopicArn", "LedgerTableName"} & minimal.outputs.keys() == set()

    resources = cloud.client("cloudformation").describe_stack_resources(StackName="minimal")["StackResources"]
    kinds = [each["ResourceType"] for each in resources]
    assert (kinds.count("AWS::SNS::Topic"), kinds.count("AWS::DynamoDB::Table")) == (1, 0)


def test_the_function_has_no_settings_and_permissions_for_them(minimal: Deployment, cloud: Cloud) -> None:
    function = cloud.client("lambda").get_function_configuration(FunctionName=minimal.function)
    assert function["Environment"]["Variables"].keys() == {
        "TOPIC_ARN",
        "CHECKS",
        "ORGANIZATION_ID",
        "REQUIRED_INTERFACES",
        "REQUIRED_SERVICES",
        "MIN_SEVERITY",
        "EXEMPT_TAG",
    }

    statements = {each["Sid"]: each for each in role.statements(cloud, minimal)}
    assert statements.keys() == {"ReadNetwork", "SendFindings", "TakeChanges", "HandOverFailedInvocations", "WriteLog"}
    assert statements["SendFindings"]["Resource"] == [minimal.topic_of("json")]


def test_calls_that_only_resolve_findings_are_not_let_in(minimal: Deployment, cloud: Cloud) -> None:
    rule = cloud.client("events").describe_rule(Name=minimal.outputs["ChangesRuleName"])

    assert set(json.loads(rule["EventPattern"])["detail"]["eventName"]) == RELEVANT_CALLS - ONLY_RESOLVE


def test_a_finding_is_sent_each_time(minimal: Deployment, stack: Deployment, build: Builder) -> None:
    inbox = Inbox(minimal, "inbox-of-minimal")
    with stack.without_events(), minimal.without_events():
        vpc = build.vpc("sent-twice", "10.75.0.0/16")
        for _ in range(2):
            report = minimal.invoke({"check": {"vpcIds": [vpc]}})
            assert (report["ledger"], report["published"]) == ("off", 1)
            message = inbox.wait_for(vpc, 10)
            assert message is not None
            assert message.body["ledger"] == "off"
            assert {finding["change"] for finding in message.body["findings"]} == {"reported"}
