"""Nothing that gatewatch does starts gatewatch, so that it can never chase itself."""

import json
from pathlib import Path
from typing import Any

from conftest import TOPICS
from local import ledger, networks
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
        "readOnly": name.startswith(("Describe", "Get", "Query", "Receive")),
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
    assert {"ec2:DescribeVpcs", "dynamodb:UpdateItem", "sns:Publish", "sqs:ReceiveMessage"} <= set(actions)

    let_in = {action: rules_that_let_in(record(action, stack), cloud) for action in actions + DONE_FOR_IT}

    assert let_in == {action: [] for action in actions + DONE_FOR_IT}


def test_the_same_record_of_a_change_is_let_in(cloud: Cloud, stack: Deployment) -> None:
    """Else the test above would pass whatever the rules say."""
    assert rules_that_let_in(record("ec2:CreateVpc", stack), cloud) == [stack.outputs["ChangesRuleName"]]


def test_a_check_that_tells_something_leaves_nothing_to_check(
    build: Builder, cloud: Cloud, stack: Deployment, inbox: Inbox
) -> None:
    with stack.untold():
        shop = networks.build_shop(build.ec2)
        inbox.all_within(seconds=3, at_least=0)  # other tests made messages too
        ledger.forget(cloud.client("dynamodb"), stack.ledger)  # and what worked on them may have finished just now

    with recorder(cloud, "no-feedback") as ears:
        assert stack.invoke({"check": "region"})["published"] == TOPICS
        assert inbox.wait_for(shop, 10) is not None
        assert stack.invoke({"check": "region"})["published"] == 0, "what is known is not told again"

        assert ears.take(at_least=0, seconds=3) == [], "nobody told EventBridge of anything"
    assert stack.works_off(seconds=0.1), "nothing is to be checked"
    assert inbox.all_within(seconds=1, at_least=0) == []
