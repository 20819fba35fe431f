"""No action of gatewatch starts gatewatch, so that it cannot loop."""

import json
import time
from pathlib import Path
from typing import Any

from local import networks
from local.cloud import Cloud
from local.deployment import Deployment
from local.environment import ACCOUNT, REGION, ROOT
from local.inbox import Inbox
from local.networks import Builder
from tests.local_cloud.support import history, role
from tests.local_cloud.support.event_recorder import record_events
from tests.local_cloud.support.rules import lets_in
from tests.local_cloud.support.stack import TOPICS

CHANGE = json.loads(Path(ROOT / "events" / "create-vpc.json").read_text())
"""A change as EventBridge delivers it; all records below are made from it."""

DONE_BY_AWS = ["lambda:Invoke", "sts:AssumeRole", "kms:GenerateDataKey", "kms:Decrypt", "cloudwatch:PutMetricData"]
"""What AWS does for gatewatch and may log: it runs the function, and encrypts the messages of its topic."""


def own_actions(cloud: Cloud, stack: Deployment) -> list[str]:
    """Returns all actions that the function's deployed role allows."""
    actions: set[str] = set()
    for statement in role.statements(cloud, stack):
        wanted = statement["Action"]
        actions.update([wanted] if isinstance(wanted, str) else wanted)
    return sorted(actions)


def record(action: str, stack: Deployment) -> dict[str, Any]:
    """Returns the CloudTrail event of a call that the function makes."""
    service, name = action.split(":")
    caller = {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{stack.function}/{stack.function}",
        "accountId": ACCOUNT,
    }
    detail = {
        "userIdentity": caller,
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "readOnly": name.startswith(("Describe", "Get", "Query", "Receive")),
        "requestParameters": None,
        "responseElements": None,
    }
    event: dict[str, Any] = CHANGE | {"source": f"aws.{service}", "detail": CHANGE["detail"] | detail}
    return event


def rules_that_let_in(event: dict[str, Any], cloud: Cloud) -> list[str]:
    """Returns the deployed rules that let the event in."""
    events = cloud.client("events")
    patterns = {rule["Name"]: rule["EventPattern"] for rule in events.list_rules()["Rules"] if rule.get("EventPattern")}
    return [name for name, pattern in patterns.items() if lets_in(cloud, pattern, event)]


def test_no_rule_lets_in_the_actions_of_gatewatch(cloud: Cloud, stack: Deployment) -> None:
    actions = own_actions(cloud, stack)
    assert {"ec2:DescribeVpcs", "dynamodb:UpdateItem", "sns:Publish", "sqs:ReceiveMessage"} <= set(actions)

    let_in = {action: rules_that_let_in(record(action, stack), cloud) for action in actions + DONE_BY_AWS}

    assert let_in == {action: [] for action in actions + DONE_BY_AWS}


def test_a_rule_lets_in_the_same_record_of_a_change(cloud: Cloud, stack: Deployment) -> None:
    """Without this the test above could pass for another reason."""
    assert rules_that_let_in(record("ec2:CreateVpc", stack), cloud) == [stack.outputs["ChangesRuleName"]]


def test_a_check_that_sends_something_causes_no_other_check(
    build: Builder, cloud: Cloud, stack: Deployment, inbox: Inbox
) -> None:
    with stack.without_events():
        shop = networks.build_shop(build.ec2)
    assert stack.wait_until_idle(seconds=30)
    inbox.drain()  # messages of other tests
    history.clear(cloud.client("dynamodb"), stack.history_table)

    with record_events(cloud, "no-feedback") as recorder:
        assert stack.invoke({"check": "region"})["published"] == TOPICS
        assert inbox.wait_for(shop, 10) is not None
        assert stack.invoke({"check": "region"})["published"] == 0, "a known finding is not sent again"

        time.sleep(1)  # EventBridge delivers at once, so an event of the function would be there by now
        assert recorder.drain() == [], "EventBridge has received nothing"
    assert stack.queued_changes() == 0, "there is nothing to check"
    assert inbox.drain() == []
