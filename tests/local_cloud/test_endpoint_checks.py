"""The checks of endpoints: a change opens a finding, its message arrives, the advised command resolves it."""

import json
import subprocess
import time
from collections import Counter
from typing import Any

import pytest

from local import networks
from local.cloud import Cloud
from local.deployment import Deployment
from local.environment import REGION
from local.inbox import Inbox, Message
from local.networks import Builder
from tests.local_cloud.support.endpoint_problems import (
    ALL_CHECKS,
    PROBLEMS,
    Expected,
    Problem,
    Site,
    Spokes,
    api_policy,
    create_private_api,
)
from tests.local_cloud.support.messages import rest_api_event
from tests.local_cloud.support.stack import SETTLE_SECONDS

SOON = SETTLE_SECONDS + 30


@pytest.fixture(scope="module")
def inboxes(stack: Deployment) -> dict[str, Inbox]:
    """A subscriber of each topic."""
    return {channel: Inbox(stack, f"endpoints-{channel}", channel) for channel in ("json", "text", "chat")}


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_a_change_opens_findings_and_their_commands_resolve_them(
    problem: Problem, build: Builder, stack: Deployment, cloud: Cloud, inboxes: dict[str, Inbox]
) -> None:
    with stack.variables(**problem.settings):
        with stack.without_events():
            site = Site.built(build)
            problem.prepare(site)
        assert stack.invoke({"check": {"vpcIds": [site.vpc]}, "publish": False})["findings"] == []
        for inbox in inboxes.values():
            inbox.drain()

        expected = problem.change(site)

        message = inboxes["json"].wait_for(site.vpc, SOON)
        assert message is not None
        findings = message.body["findings"]
        assert [as_expected(finding) for finding in findings] == sorted(expected, key=lambda each: each.endpoint)
        assert {(f["check"], f["defect"], f["severity"], f["change"]) for f in findings} == {
            (problem.check, problem.defect, problem.severity, "opened")
        }
        assert (message.body["severity"], message.attributes["severity"]) == (problem.severity, problem.severity)
        assert message.attributes["checks"] == f'["{problem.check}"]'
        assert message.body["trigger"]["eventName"] == problem.event
        commands = [finding["remediation"]["awsCli"] for finding in findings]
        assert (commands == [None] * len(findings)) == (problem.fix is not None)
        for_people_have(message, [command for command in commands if command], site.vpc, inboxes)

        # Two endpoints with the same defect can have the same fix.
        for command in sorted({command for command in commands if command}):
            run(command, cloud)
        if problem.fix:
            problem.fix(site)

        open_findings = {finding["id"] for finding in findings}
        assert until_resolved(inboxes["json"], site.vpc, set(open_findings)) == {
            (finding, problem.severity, problem.cause) for finding in open_findings
        }
        assert stack.invoke({"check": {"vpcIds": [site.vpc]}, "publish": False})["findings"] == []


def test_the_exempting_command_of_an_e_mail_resolves_the_finding(
    build: Builder, stack: Deployment, cloud: Cloud, inboxes: dict[str, Inbox]
) -> None:
    with stack.without_events():
        vpc, endpoint = networks.build_archive(build.ec2)
        for inbox in inboxes.values():
            inbox.drain()
        stack.invoke({"check": {"vpcIds": [vpc]}})
    message, email = (inboxes[channel].wait_for(vpc, 10) for channel in ("json", "text"))
    assert message is not None
    assert email is not None
    [finding] = message.body["findings"]
    [command] = [line for line in email.body.splitlines() if line.startswith("aws ec2 create-tags ")]

    run(command, cloud)

    assert until_resolved(inboxes["json"], vpc, {finding["id"]}) == {(finding["id"], "HIGH", "exempt")}
    report = stack.invoke({"check": {"vpcIds": [vpc]}, "publish": False})
    assert (report["findings"], report["unassessed"]) == ([], [])
    assert report["exempt"] == [
        {
            "check": "dns-bypass",
            "subject": {"type": "vpc_endpoint", "id": endpoint, "name": None},
            "service": networks.S3,
            "vpcId": vpc,
            "exemptedBy": [endpoint],
        }
    ]


def test_a_private_api_is_found_when_its_endpoint_is_deleted_and_resolved_by_the_advised_command(
    build: Builder, stack: Deployment, cloud: Cloud, inboxes: dict[str, Inbox]
) -> None:
    with stack.variables(CHECKS="private-api"):
        with stack.without_events():
            site = Site.built(build)
            endpoint = build.interface_endpoint(networks.EXECUTE_API, site.vpc, site.subnet_in("10.60.1.0/24"))
            policy = api_policy(**{"aws:SourceVpc": site.vpc})
            api = create_private_api(cloud, "orders", endpoint, policy)
        report = stack.invoke({"check": "region", "publish": False})
        assert (report["findings"], report["unassessed"]) == ([], [])
        for inbox in inboxes.values():
            inbox.drain()

        build.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])

        [finding] = findings_about_apis(inboxes["json"], "DeleteVpcEndpoints")
        assert as_expected(finding) == Expected(
            api,
            [],
            {"vpcEndpointIds": [], "missingVpcEndpointIds": [endpoint], "hasSourceCondition": True},
            kind="rest_api",
        )
        assert [finding[key] for key in ("check", "defect", "severity", "change", "vpcId")] == [
            "private-api",
            "associated_endpoint_gone",
            "MEDIUM",
            "opened",
            None,
        ]

        command = finding["remediation"]["awsCli"]
        [email], [card] = (inboxes[channel].receive(1, 10) for channel in ("text", "chat"))
        assert email.subject == f"[MEDIUM] API names a missing endpoint: {api}, {REGION}"
        assert command in email.body.splitlines()
        assert command in "\n".join(card.body["content"]["nextSteps"])

        run(command, cloud)
        deliver_api_event(stack, cloud, "update-rest-api")

        assert_fixed(finding, inboxes["json"])


def test_an_open_policy_of_a_private_api_is_found_and_resolved_when_it_is_bounded(
    build: Builder, stack: Deployment, cloud: Cloud, inboxes: dict[str, Inbox]
) -> None:
    with stack.variables(CHECKS="private-api"), stack.without_events():
        site = Site.built(build)
        endpoint = build.interface_endpoint(networks.EXECUTE_API, site.vpc, site.subnet_in("10.60.1.0/24"))
        for inbox in inboxes.values():
            inbox.drain()

        api = create_private_api(cloud, "orders", endpoint, api_policy())
        deliver_api_event(stack, cloud, "create-rest-api")

        [finding] = findings_about_apis(inboxes["json"], "CreateRestApi")
        assert as_expected(finding) == Expected(
            api,
            [],
            {"vpcEndpointIds": [endpoint], "missingVpcEndpointIds": [], "hasSourceCondition": False},
            kind="rest_api",
        )
        assert [finding["defect"], finding["change"], finding["remediation"]["awsCli"]] == [
            "policy_without_source_vpc",
            "opened",
            None,
        ]

        bounded = api_policy(**{"aws:SourceVpc": site.vpc})
        patch = {"op": "replace", "path": "/policy", "value": bounded}
        cloud.client("apigateway").update_rest_api(restApiId=api, patchOperations=[patch])
        deliver_api_event(stack, cloud, "update-rest-api")

        assert_fixed(finding, inboxes["json"])


def assert_fixed(finding: dict[str, Any], inbox: Inbox) -> None:
    """Asserts that the event `UpdateRestApi` resolved the finding, and only it."""
    [resolved] = findings_about_apis(inbox, "UpdateRestApi")
    assert [resolved["id"], resolved["change"], resolved["resolution"]["cause"]] == [
        finding["id"],
        "resolved",
        "fixed",
    ]


def test_a_sweep_with_all_checks_finds_what_is_wrong_and_nothing_else(
    build: Builder, stack: Deployment, cloud: Cloud
) -> None:
    with stack.without_events(), stack.variables(CHECKS=",".join(ALL_CHECKS), REQUIRED_INTERFACES="ssm"):
        shop = networks.build_shop(build.ec2)
        endpoints = networks.build_endpoints(build.ec2)
        spokes = Spokes.built(build, cloud)
        report = stack.invoke({"check": "region", "publish": False})

    services = {each["VpcEndpointId"]: each for each in all_endpoints(build)}
    of_shop = [each for each in services if services[each]["VpcId"] == shop]
    expected = [
        ("gateway-route", "not_associated", "HIGH", "private-b", "s3"),
        ("gateway-route", "not_associated", "LOW", "public", "s3"),
        ("gateway-route", "not_associated", "LOW", None, "s3"),
        *(("endpoint-policy", "default_policy", "LOW", each, services[each]["ServiceName"]) for each in of_shop),
        *(
            (check, defect, severity, endpoints[check], services[endpoints[check]]["ServiceName"])
            for check, defect, severity in (
                ("dns-bypass", "private_dns_for_all_requests", "HIGH"),
                ("endpoint-dns", "vpc_dns_host_names_off", "HIGH"),
                ("endpoint-access", "default_group_only_members", "MEDIUM"),
                ("endpoint-state", "endpoint_failed", "MEDIUM"),
                ("endpoint-zones", "single_zone", "MEDIUM"),
                ("endpoint-policy", "default_policy", "LOW"),
                ("endpoint-private-dns", "private_dns_off", "LOW"),
            )
        ),
        ("required-endpoints", "endpoint_missing", "MEDIUM", shop, networks.SSM),
        ("private-api", "policy_without_source_vpc", "MEDIUM", spokes.open_api, networks.EXECUTE_API),
    ]
    assert Counter(in_short(finding) for finding in report["findings"]) == Counter(expected)
    rest = {name: value for name, value in report.items() if name != "findings"}
    assert rest == {
        "scope": "region",
        "checked": {"vpcs": 7, "subnets": 11, "routeTables": 10, "endpoints": 24},
        "exempt": [],
        "unassessed": [
            {
                "check": "required-endpoints",
                "subject": {"type": "vpc", "id": spokes.forwarded, "name": "forwarded"},
                "service": networks.SSM,
                "vpcId": spokes.forwarded,
                "reason": "may_be_served_centrally",
                "inDoubt": ["amazonaws.com."],
            }
        ],
        "notFound": [],
        "unreadableExemptions": [],
        "ledger": "on",
        "published": 0,
    }


def findings_about_apis(inbox: Inbox, event: str) -> list[dict[str, Any]]:
    """Returns the findings of the next message, which is about REST APIs and names this call as its trigger."""
    [message] = inbox.receive(1, SOON)
    assert "vpcId" not in message.attributes
    assert message.body["vpc"] == {"id": "", "name": None}
    assert message.body["trigger"]["eventName"] == event
    findings: list[dict[str, Any]] = message.body["findings"]
    return findings


def deliver_api_event(stack: Deployment, cloud: Cloud, name: str) -> None:
    """Delivers an event of API Gateway from `events/`, as the rule of the template does if `private-api` runs."""
    cloud.client("sqs").send_message(QueueUrl=stack.changes_queue, MessageBody=json.dumps(rest_api_event(name)))


def in_short(finding: dict[str, Any]) -> tuple[str, str, str, str | None, str]:
    """Returns check, gap or defect, severity, the table's name or the endpoint's id, and the service."""
    is_table = finding["check"] == "gateway-route"
    problem = finding["gap" if is_table else "defect"]
    subject = finding["subject"]["name" if is_table else "id"]
    return finding["check"], problem, finding["severity"], subject, finding["service"]


def all_endpoints(build: Builder) -> list[dict[str, Any]]:
    """Returns all endpoints of the Region."""
    return list(build.ec2.get_paginator("describe_vpc_endpoints").paginate().search("VpcEndpoints[]"))


def as_expected(finding: dict[str, Any]) -> Expected:
    """Returns what a finding says about its subject."""
    subject, subnets = finding["subject"], [each["id"] for each in finding["subnets"]]
    return Expected(subject["id"], subnets, finding["evidence"], subject["type"])


def for_people_have(message: Message, commands: list[str], vpc: str, inboxes: dict[str, Inbox]) -> None:
    """Asserts that e-mail and card say what the JSON says, and hold the commands word for word."""
    email, card = inboxes["text"].wait_for(vpc, 10), inboxes["chat"].wait_for(vpc, 10)
    assert email is not None
    assert card is not None
    assert email.subject.startswith(f"[{message.body['severity']}] ")
    assert email.attributes == card.attributes == message.attributes
    assert [command for command in commands if command not in email.body.splitlines()] == []
    # In a chat, each step is one command.
    single = [part for command in commands for part in command.split(" && ")]
    steps = "\n".join(card.body["content"].get("nextSteps", []))
    assert [command for command in single if command not in steps] == []


def run(command: str, cloud: Cloud) -> None:
    """Runs the command of a finding in a shell, as a person would."""
    done = subprocess.run(command, shell=True, env=cloud.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stderr}"


def until_resolved(inbox: Inbox, vpc: str, findings: set[str]) -> set[tuple[str, str, str]]:
    """Returns id, severity and cause of each finding that is sent as resolved, in one message or in several."""
    resolved: set[tuple[str, str, str]] = set()
    deadline = time.monotonic() + SOON
    while findings and time.monotonic() < deadline:
        message = inbox.wait_for(vpc, 5)
        for finding in message.body["findings"] if message else []:
            assert finding["change"] == "resolved"
            findings.discard(finding["id"])
            resolved.add((finding["id"], finding["severity"], finding["resolution"]["cause"]))
    return resolved
