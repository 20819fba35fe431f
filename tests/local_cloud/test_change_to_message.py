"""From a change in EC2 to what a subscriber reads: rule, queue, settle window, function, topic."""

from local import networks
from local.deployment import Deployment
from local.inbox import Inbox
from local.networks import DYNAMODB, S3, Builder
from tests.local_cloud.support.stack import SETTLE_SECONDS

SOON = SETTLE_SECONDS + 30


def test_a_network_with_gaps_makes_one_message(build: Builder, inbox: Inbox) -> None:
    vpc = networks.build_shop(build.ec2)

    message = inbox.wait_for(vpc, SOON)

    assert message is not None
    findings = [(f["severity"], f["service"], f["gap"], f["routeTable"]["name"]) for f in message.body["findings"]]
    # Sorted by ids, which are random here.
    assert len(findings) == 3
    assert set(findings) == {
        ("HIGH", "s3", "not_associated", "private-b"),
        ("LOW", "s3", "not_associated", "public"),
        ("LOW", "s3", "not_associated", None),  # the main table, which no subnet uses
    }
    assert message.body["schema"] == "gatewatch.notification/v1"
    assert message.body["vpc"] == {"id": vpc, "name": "shop"}
    assert message.body["severity"] == "HIGH"
    assert message.body["trigger"]["kind"] == "api_call"
    assert message.body["trigger"]["principal"] == "arn:aws:sts::123456789012:assumed-role/developer/local"
    assert message.body["triggers"] > 1, "the settle window makes one message of a whole network"
    assert message.attributes["severity"] == "HIGH"
    assert message.attributes["vpcId"] == vpc
    assert vpc in message.subject


def test_a_covered_network_makes_no_message(build: Builder, stack: Deployment, inbox: Inbox) -> None:
    vpc = build.vpc("quiet", "10.30.0.0/16")
    main = build.main_table(vpc)
    build.gateway_endpoint(S3, vpc, [main])
    build.gateway_endpoint(DYNAMODB, vpc, [main])
    build.subnet("quiet-a", vpc, "10.30.0.0/24", "a")

    assert_handled_without_message(vpc, stack, inbox)


def test_removing_a_table_from_its_endpoint_makes_a_message(build: Builder, stack: Deployment, inbox: Inbox) -> None:
    vpc = build.vpc("undone", "10.31.0.0/16")
    main = build.main_table(vpc)
    s3 = build.gateway_endpoint(S3, vpc, [main])
    build.gateway_endpoint(DYNAMODB, vpc, [main])
    assert_handled_without_message(vpc, stack, inbox)

    build.ec2.modify_vpc_endpoint(VpcEndpointId=s3, RemoveRouteTableIds=[main])

    message = inbox.wait_for(vpc, SOON)
    assert message is not None
    assert [(f["service"], f["gap"]) for f in message.body["findings"]] == [("s3", "not_associated")]
    assert message.body["trigger"]["eventName"] == "ModifyVpcEndpoint"


def test_each_vpc_gets_its_own_message(build: Builder, inbox: Inbox) -> None:
    first, second = build.vpc("first", "10.32.0.0/16"), build.vpc("second", "10.33.0.0/16")

    # Both at once: while the inbox waits for one VPC, it drops messages about others.
    found = inbox.wait_for_all({first, second}, SOON)

    assert set(found) == {first, second}
    for vpc, message in found.items():
        assert {f["vpcId"] for f in message.body["findings"]} == {vpc}


def assert_handled_without_message(vpc: str, stack: Deployment, inbox: Inbox) -> None:
    """Waits until the function has handled the changes, which takes at least the settle window."""
    assert stack.queued_changes() > 0 or stack.cloud.unsent_events() > 0, "there is something to handle"
    assert stack.wait_until_idle(SOON)
    assert [message for message in inbox.drain() if message.attributes["vpcId"] == vpc] == []
