"""The sweep: what the deployed schedule starts, and what it finds."""

import json
from pathlib import Path

from local.cloud import Cloud
from local.deployment import Deployment
from local.environment import ROOT
from local.inbox import Inbox
from local.networks import Builder


def test_the_schedule_starts_the_function(cloud: Cloud, stack: Deployment) -> None:
    events = cloud.client("events")
    schedules = [rule for rule in events.list_rules()["Rules"] if rule.get("ScheduleExpression")]

    assert [(rule["ScheduleExpression"], rule["State"]) for rule in schedules] == [("rate(1 day)", "ENABLED")]
    [target] = events.list_targets_by_rule(Rule=schedules[0]["Name"])["Targets"]
    assert target["Arn"] == stack.outputs["FunctionArn"]
    assert {"Input", "InputPath"}.isdisjoint(target), "the function knows the schedule's own payload"


def test_the_sweep_finds_gaps_without_events(build: Builder, cloud: Cloud, stack: Deployment, inbox: Inbox) -> None:
    with stack.without_events():
        vpc = build.vpc("without-events", "10.60.0.0/16")
    assert stack.wait_until_idle(seconds=10)
    assert [message for message in inbox.drain() if message.attributes["vpcId"] == vpc] == []

    # Asynchronously, as EventBridge does.
    sweep = json.loads(Path(ROOT / "events" / "schedule.json").read_text())
    cloud.client("lambda").invoke(FunctionName=stack.function, InvocationType="Event", Payload=json.dumps(sweep))

    message = inbox.wait_for(vpc, 30)
    assert message is not None
    assert message.body["trigger"]["kind"] == "schedule"
