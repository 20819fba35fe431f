"""Names that break things: the message is sent, and its JSON contains the names unchanged.

People see them in quotes, without invisible characters. Commands, subjects and logs do not contain them.
"""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from local.cloud import Cloud
from local.deployment import Deployment
from local.environment import REGION
from local.inbox import Message
from local.networks import EXECUTE_API, Builder
from tests.local_cloud.support.endpoint_problems import create_private_api, create_zone, forward
from tests.local_cloud.support.messages import as_reported
from tests.local_cloud.support.sandbox import Sandbox

NAMES = {
    "emoji": "prod 🔥👩‍👩‍👧 🇨🇭 é ß",
    "newlines": "first\nsecond\n\nSubject: forged\tend",
    "right-to-left": "\u202egnp.exe\u202c \u200f\u200eשלום \u2066x\u2069",  # noqa: RUF001
    "mention": "<!channel> <@U012AB3CD> @here <https://example.com|click>",
    "256-characters": "ü" * 256,
    "256-emoji": "🔥" * 256,
    "quotes": "\"'`\\\" ' \\n \\u0022 $(reboot) ${HOME} ; rm -rf / | & <b>&amp;</b> ]]>",
    "json": '{"severity":"LOW"}, "findings": []}',
    "line-separators": "a\u2028b\u2029c\u00a0d\ufeffe",
}


MESSAGES = 3
"""One on each channel."""
OF_OTHER_SERVICES = {
    "CHECKS": "endpoint-private-dns,required-endpoints,private-api",
    "REQUIRED_INTERFACES": "ssm,ecr.dkr",
}
"""The settings with the checks that read Route 53, its Profiles and Resolver, and API Gateway."""
REGISTRY = f"com.amazonaws.{REGION}.ecr.dkr"
"""A service whose private DNS name begins with `*.`."""


@pytest.mark.parametrize("kind", NAMES)
def test_a_hostile_name_arrives_unchanged_and_only_in_name_fields(
    kind: str, build: Builder, stack: Deployment, cloud: Cloud
) -> None:
    name, sandbox = NAMES[kind], Sandbox(cloud, f"hostile-{kind}")
    with stack.without_events(), sandbox.function() as function:
        network = Network.named(name, build)
        report = function.invoke({"check": {"vpcIds": [network.vpc]}})
        log = function.log.read_text()
    received = sandbox.received()
    [message], [email], [card] = (received[channel] for channel in ("json", "text", "chat"))

    assert report["published"] == MESSAGES
    assert as_reported(message.body["findings"]) == report["findings"]
    # For each table a finding for S3 and one for DynamoDB, and one about the endpoint.
    assert {as_named(finding) for finding in message.body["findings"]} == network.expected(name)
    assert len(message.body["findings"]) == 5
    [failed] = [finding for finding in message.body["findings"] if finding["check"] == "endpoint-state"]
    assert failed["evidence"] == {"state": "failed", "lastError": f"Failed: {name}", "failureReason": None}
    assert message.body["vpc"] == {"id": network.vpc, "name": name}
    assert message.subject == f"[MEDIUM] gatewatch: 5 findings in {network.vpc}, eu-west-1"
    assert message.subject.isascii()
    assert message.subject.isprintable()
    assert len(message.subject) < 100
    in_attributes = {key: value for key, value in message.attributes.items() if key != "services"}
    assert name not in json.dumps([in_attributes, message.body["summary"]], ensure_ascii=False)
    for finding in message.body["findings"]:
        remediation = dict(finding["remediation"])
        words = [finding["reason"], *remediation.pop("cautions"), *remediation.values()]
        assert [word for word in words if not word.isascii() or name in word] == []
    assert_safe_for_people(email, [email.body])
    assert_safe_for_people(card, texts_in(card.body))
    assert_not_logged(name, log)


@pytest.mark.parametrize("kind", NAMES)
def test_hostile_names_of_other_services_change_no_verdict_and_arrive_unchanged(
    kind: str, build: Builder, stack: Deployment, cloud: Cloud
) -> None:
    name, sandbox = NAMES[kind], Sandbox(cloud, f"hostile-api-{kind}", OF_OTHER_SERVICES)
    with stack.without_events(), sandbox.function() as function:
        others = Others.named(name, build, cloud)
        report = function.invoke({"check": "region"})
        log = function.log.read_text()
    received = sandbox.received()

    assert report["published"] == 2 * MESSAGES, "about the VPC, and about the REST APIs"
    assert sorted(report["unassessed"], key=lambda each: str(each["check"])) == others.unassessed(name)
    of_apis, of_vpc = sorted(received["json"], key=lambda message: str(message.body["vpc"]["id"]))
    for message, findings in ((of_apis, others.of_apis(name)), (of_vpc, others.of_vpc(name))):
        assert {as_found(finding) for finding in message.body["findings"]} == findings
        assert len(message.body["findings"]) == len(findings)
        assert message.subject.isascii()
        assert message.subject.isprintable()
        assert name not in json.dumps([message.attributes, message.body["summary"]], ensure_ascii=False)
        for finding in message.body["findings"]:
            remediation = dict(finding["remediation"])
            words = [finding["reason"], *remediation.pop("cautions"), *remediation.values()]
            assert [word for word in words if word is not None and (not word.isascii() or name in word)] == []
    for email in received["text"]:
        assert_safe_for_people(email, [email.body])
    for card in received["chat"]:
        assert_safe_for_people(card, texts_in(card.body))
    assert_not_logged(name, log)


@dataclass(frozen=True)
class Others:
    """Resources of other services than EC2, all with the same name."""

    vpc: str
    """Has no endpoint for SSM, which is required, and one for the registry without private DNS names."""
    endpoint: str
    below: str
    """Has a hosted zone and a Resolver rule below the wildcard name of the registry, so both may serve it."""
    domains: list[str]
    """The names of both."""
    open_api: str
    bounded_api: str
    unreadable_api: str

    @classmethod
    def named(cls, name: str, build: Builder, cloud: Cloud) -> "Others":
        """Builds them."""
        vpc, below = build.vpc(name, "10.96.0.0/16"), build.vpc("below", "10.97.0.0/16")
        subnet = build.subnet(name, vpc, "10.96.0.0/24", "a")
        build.subnet(name, below, "10.97.0.0/24", "a")
        tags = [{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "Name", "Value": name}]}]
        endpoint = build.interface_endpoint(REGISTRY, vpc, subnet, PrivateDnsEnabled=False, TagSpecifications=tags)
        create_zone(cloud, name, vpc)
        forward(cloud, name, vpc)
        create_zone(cloud, f"ssm.{REGION}.amazonaws.com", below)
        domain = f"{name[:200]}.dkr.ecr.{REGION}.amazonaws.com."
        create_zone(cloud, domain, below)
        forward(cloud, f"rule.{domain[:-1]}", below)

        statement = {"Effect": "Allow", "Principal": {"AWS": name}, "Action": "execute-api:Invoke", "Resource": "*"}
        condition = {"StringEquals": {"aws:SourceVpc": [name, vpc]}}
        policies = [
            [statement, statement | {"Principal": "*", "Sid": name}],
            [statement | {"Condition": condition}],
            [statement | {"Condition": {name: {"aws:SourceVpc": name}}}, name],
        ]
        apis = [
            create_private_api(cloud, name, endpoint, json.dumps({"Version": "2012-10-17", "Statement": each}))
            for each in policies
        ]
        return cls(vpc, endpoint, below, sorted([domain, f"rule.{domain}"]), *apis)

    def of_vpc(self, name: str) -> set[tuple[str, str, str, str]]:
        """Returns what is found about the VPC, as `as_found` has it."""
        return {
            ("endpoint-private-dns", "private_dns_off", self.endpoint, name),
            ("required-endpoints", "endpoint_missing", self.vpc, name),
        }

    def of_apis(self, name: str) -> set[tuple[str, str, str, str]]:
        """Returns what is found about the REST APIs."""
        return {("private-api", "policy_without_source_vpc", self.open_api, name)}

    def unassessed(self, name: str) -> list[dict[str, Any]]:
        """Returns what the report says about the two that cannot be judged."""
        return [
            {
                "check": "private-api",
                "subject": {"type": "rest_api", "id": self.unreadable_api, "name": name},
                "service": EXECUTE_API,
                "vpcId": None,
                "reason": "unreadable_policy",
                "inDoubt": [],
            },
            {
                "check": "required-endpoints",
                "subject": {"type": "vpc", "id": self.below, "name": "below"},
                "service": REGISTRY,
                "vpcId": self.below,
                "reason": "may_be_served_centrally",
                "inDoubt": self.domains,
            },
        ]


def as_found(finding: dict[str, Any]) -> tuple[str, str, str, str]:
    """Returns check, defect, and id and name of the subject."""
    return finding["check"], finding["defect"], finding["subject"]["id"], finding["subject"]["name"]


@dataclass(frozen=True)
class Network:
    """A VPC and a subnet with its own table, and a failed endpoint. All have the same name."""

    vpc: str
    main: str
    private: str
    endpoint: str
    service: str
    """Ends with the name as well. EC2 has no such service, but its answer is not ours to trust."""

    @classmethod
    def named(cls, name: str, build: Builder) -> "Network":
        """Builds it. The error of the endpoint and its security group have the name too."""
        vpc = build.vpc(name, "10.95.0.0/16")
        main, private = build.main_table(vpc), build.table(name, vpc)
        build.ec2.create_tags(Resources=[main], Tags=[{"Key": "Name", "Value": name}])
        subnet = build.subnet(name, vpc, "10.95.0.0/24", "a")
        build.associate(private, subnet)
        service = f"com.amazonaws.{REGION}.{name}"
        endpoint = build.interface_endpoint(
            service,
            vpc,
            subnet,
            SecurityGroupIds=[build.group_admitting_vpc(vpc, name)],
            TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "Name", "Value": name}]}],
            state="failed",
            error={"Code": "Failed", "Message": name},
        )
        return cls(vpc, main, private, endpoint, service)

    def expected(self, name: str) -> set[tuple[str, str, str, tuple[str, ...]]]:
        """Returns service, subject, name of the subject and names of the subnets of each finding."""
        tables = ((self.main, name, ()), (self.private, name, (name,)))
        of_tables = {(service, *table) for service in ("s3", "dynamodb") for table in tables}
        return of_tables | {(self.service, self.endpoint, name, (name,))}


def as_named(finding: dict[str, Any]) -> tuple[str, str, str, tuple[str, ...]]:
    """Returns a finding as `Network.expected` has it."""
    subject = finding["subject"]
    return finding["service"], subject["id"], subject["name"], tuple(each["name"] for each in finding["subnets"])


def assert_safe_for_people(message: Message, texts: list[str]) -> None:
    """Asserts that names cannot forge lines, hide text or mention people in an e-mail or a card."""
    assert message.subject.isascii()
    lines = [line for text in texts for line in text.split("\n")]
    assert [line for line in lines if not line.isprintable()] == []
    assert [line for line in lines if line.startswith("Subject:")] == []


def texts_in(card: Any) -> list[str]:
    """Returns every text in a card. Names must not mention anybody there."""
    if isinstance(card, dict):
        return [text for value in card.values() for text in texts_in(value)]
    if isinstance(card, list):
        return [text for value in card for text in texts_in(value)]
    assert "<!" not in card
    assert "<@" not in card
    return [card]


def assert_not_logged(name: str, log: str) -> None:
    """Asserts that the log has whole lines of JSON and not the name."""
    lines = [json.loads(line) for line in log.splitlines()]
    assert lines != []
    assert name not in json.dumps(lines, ensure_ascii=False)
    assert json.dumps(name)[1:-1] not in json.dumps(lines)
