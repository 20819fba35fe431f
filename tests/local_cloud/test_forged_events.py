"""Events that somebody in the account puts into the queue: they can lie about a person, and not about a verdict."""

import json
from typing import Any

from local.cloud import Cloud
from local.deployment import Deployment
from local.environment import ROOT
from local.inbox import Inbox
from local.networks import DYNAMODB, S3, Builder

INNOCENT = "arn:aws:iam::123456789012:user/innocent"


def test_a_forged_event_names_a_person_and_does_not_change_the_verdict(
    build: Builder, cloud: Cloud, stack: Deployment, inbox: Inbox
) -> None:
    with stack.without_events():
        vpc = build.vpc("forged", "10.96.0.0/16")
        covered, uncovered = build.main_table(vpc), build.table("uncovered", vpc)
        for service in (S3, DYNAMODB):
            build.gateway_endpoint(service, vpc, [covered])
        inbox.drain()

        for table, calls in ((covered, ("DeleteRoute", "DeleteRouteTable")), (uncovered, ("CreateRoute",))):
            for call in calls:
                send(cloud, stack, forged(call, table))

        message = inbox.wait_for(vpc, 30)
        assert stack.wait_until_idle(seconds=30)
        later = inbox.drain()
        report = stack.invoke({"check": {"vpcIds": [vpc]}, "publish": False})

    assert message is not None
    found = {(each["routeTable"]["id"], each["service"], each["change"]) for each in message.body["findings"]}
    assert found == {(uncovered, service, "opened") for service in ("s3", "dynamodb")}
    assert later == []
    assert {each["routeTable"]["id"] for each in report["findings"]} == {uncovered}
    # Nobody made this call.
    assert message.body["trigger"]["principal"] == INNOCENT


def forged(call: str, table: str) -> dict[str, Any]:
    """Returns an event about a call that nobody made."""
    event: dict[str, Any] = json.loads((ROOT / "events" / "create-route.json").read_text())
    event["detail"] |= {"eventName": call, "userIdentity": {"type": "IAMUser", "arn": INNOCENT}}
    event["detail"]["requestParameters"] = {"routeTableId": table}
    return event


def send(cloud: Cloud, stack: Deployment, event: dict[str, Any]) -> None:
    """Puts an event into the queue, past EventBridge."""
    cloud.client("sqs").send_message(QueueUrl=stack.changes_queue, MessageBody=json.dumps(event), DelaySeconds=0)
