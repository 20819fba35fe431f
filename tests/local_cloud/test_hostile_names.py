"""Names that break things: the message is sent, and its JSON contains the names unchanged."""

import json

import pytest

from local.deployment import Deployment
from local.inbox import Inbox
from local.networks import Builder
from tests.local_cloud.support.messages import as_reported
from tests.local_cloud.support.stack import TOPICS

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


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_a_hostile_name_arrives_unchanged_and_only_in_name_fields(
    name: str, build: Builder, stack: Deployment, inbox: Inbox
) -> None:
    with stack.without_events():
        vpc, main, private = network_named(name, build)
        report = stack.invoke({"check": {"vpcIds": [vpc]}})
        message = inbox.wait_for(vpc, 10)

    assert report["published"] == TOPICS
    assert message is not None
    # A finding for S3 and one for DynamoDB for each table, with the given names of table, subnet and VPC.
    named = {
        (f["service"], f["routeTable"]["id"], f["routeTable"]["name"], tuple(s["name"] for s in f["subnets"]))
        for f in message.body["findings"]
    }
    assert named == {
        (service, *table) for service in ("s3", "dynamodb") for table in ((main, name, ()), (private, name, (name,)))
    }
    assert as_reported(message.body["findings"]) == report["findings"]
    assert message.body["vpc"] == {"id": vpc, "name": name}
    assert message.subject == f"[MEDIUM] gatewatch: 4 findings in {vpc}, eu-west-1"
    assert message.subject.isascii()
    assert message.subject.isprintable()
    assert len(message.subject) < 100
    assert name not in json.dumps([message.attributes, message.body["summary"]], ensure_ascii=False)
    for finding in message.body["findings"]:
        remediation = dict(finding["remediation"])
        words = [finding["reason"], *remediation.pop("cautions"), *remediation.values()]
        assert [word for word in words if not word.isascii() or name in word] == []


def network_named(name: str, build: Builder) -> tuple[str, str, str]:
    """Builds a VPC and a subnet with its own table, all with that name; returns the ids of VPC and tables."""
    vpc = build.vpc(name, "10.95.0.0/16")
    main, private = build.main_table(vpc), build.table(name, vpc)
    build.ec2.create_tags(Resources=[main], Tags=[{"Key": "Name", "Value": name}])
    subnet = build.subnet(name, vpc, "10.95.0.0/24", "a")
    build.associate(private, subnet)
    return vpc, main, private
