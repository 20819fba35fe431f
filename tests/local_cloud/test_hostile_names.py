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
from local.networks import Builder
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
