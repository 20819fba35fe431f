"""Nothing that gatewatch does starts gatewatch, so that it can never chase itself."""

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
from local.recorder import recorder

CHANGE = json.loads(Path(ROOT / "events" / "create-vpc.json").read_text())
"""A change as EventBridge delivers it; the frame of all records below."""

DONE_FOR_IT = ["lambda:Invoke", "sts:AssumeRole", "kms:GenerateDataKey", "kms:Decrypt", "cloudwatch:PutMetricData"]
"""What AWS does on gatewatch's behalf and may log: running it, and encrypting what goes through its topic."""


def own_actions(cloud: Cloud, stack: Deployment) -> list[str]:
    """All that the function's role may do, as deployed: it can do nothing else."""
    iam = cloud.client("iam")
    role = cloud.client("lambda").get_function_configuration(FunctionName=stack.function)["Role"].rpartition("/")[2]
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    actions: set[str] = set()
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        for statement in (json.loads(document) if isinstance(document, str) else document)["Statement"]:
            wanted = statement["Action"]
            actions.update([wanted] if isinstance(wanted, str) else wanted)
    return sorted(actions)


def record(action: str, stack: Deployment) -> dict[str, Any]:
    """The call as CloudTrail would tell it, with the function as the caller."""
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
        "readOnly": name.startswith(("Describe", "Get", "Receive")),
        "requestParameters": None,
        "responseElements": None,
    }
    return CHANGE | {"source": f"aws.{service}", "detail": CHANGE["detail"] | detail}


def rules_that_let_in(event: dict[str, Any], cloud: Cloud) -> list[str]:
    """The deployed rules whose pattern takes the event, as EventBridge's TestEventPattern says."""
    events = cloud.client("events")
    patterns = {rule["Name"]: rule["EventPattern"] for rule in events.list_rules()["Rules"] if rule.get("EventPattern")}
    return [
        name for name, pattern in patterns.items()
        if events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]
    ]


def test_no_rule_lets_in_what_gatewatch_does(cloud: Cloud, stack: Deployment) -> None:
    actions = own_actions(cloud, stack)
    assert {"ec2:DescribeVpcs", "ec2:DescribeVpcEndpoints", "sns:Publish", "sqs:ReceiveMessage"} <= set(actions)

    let_in = {action: rules_that_let_in(record(action, stack), cloud) for action in actions + DONE_FOR_IT}

    assert let_in == {action: [] for action in actions + DONE_FOR_IT}


def test_the_same_record_of_a_change_is_let_in(cloud: Cloud, stack: Deployment) -> None:
    """Else the test above would pass whatever the rules say."""
    assert rules_that_let_in(record("ec2:CreateVpc", stack), cloud) == [stack.outputs["ChangesRuleName"]]


def test_a_check_that_tells_something_leaves_nothing_to_check(
    build: Builder, cloud: Cloud, stack: Deployment, inbox: Inbox
) -> None:
    shop = networks.build_shop(build.ec2)
    assert inbox.wait_for(shop, 60) is not None
    wait_until_empty(cloud, stack)
    inbox.all_within(seconds=1, at_least=0)  # the build may have made several messages, and other tests too

    with recorder(cloud, "no-feedback") as ears:
        answer = stack.invoke({"check": "region"})
        assert answer["published"] == 1
        assert inbox.wait_for(shop, 10) is not None

        assert ears.take(at_least=0, seconds=3) == [], "nobody told EventBridge of anything"
    assert waiting(cloud, stack) == 0
    assert inbox.all_within(seconds=1, at_least=0) == []


def waiting(cloud: Cloud, stack: Deployment) -> int:
    """How many changes are in the queue, in whatever state."""
    names = [f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed")]
    queue = stack.outputs["ChangesQueueUrl"]
    attributes = cloud.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


def wait_until_empty(cloud: Cloud, stack: Deployment) -> None:
    """Waits until all changes are worked off."""
    deadline = time.monotonic() + 30
    while waiting(cloud, stack):
        assert time.monotonic() < deadline, "changes are still waiting"
        time.sleep(0.2)
