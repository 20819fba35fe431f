"""The policies of the deployed queues and topics: no plain HTTP, and who may use a dead-letter queue."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cloud import Cloud, new_client
from local.deployment import TOPIC_OUTPUTS, Deployment
from local.environment import ACCOUNT

QUEUE_OUTPUTS = ("ChangesQueueUrl", "ChangesDeadLetterQueueUrl", "DeliveryDeadLetterQueueUrl")

OWNER_ACTIONS = {
    "AddPermission",
    "DeleteTopic",
    "GetTopicAttributes",
    "ListSubscriptionsByTopic",
    "Publish",
    "RemovePermission",
    "SetTopicAttributes",
    "Subscribe",
}
"""What SNS's default policy lets the owner of a topic do."""


def without_tls(cloud: Cloud, service: str) -> Any:
    """Returns a client whose calls count as made over plain HTTP (see local/ministack_server.py)."""
    client = new_client(service, cloud.variables["AWS_ENDPOINT_URL"])

    def mark(request: Any, **_: Any) -> None:
        request.headers["X-Forwarded-Proto"] = "http"

    client.meta.events.register("before-sign", mark)
    return client


def attributes_of(cloud: Cloud, queue: str) -> dict[str, str]:
    """Returns the attributes of a queue."""
    answer = cloud.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])
    attributes: dict[str, str] = answer["Attributes"]
    return attributes


def statements(policy: str) -> dict[str, dict[str, Any]]:
    """Returns the statements of a policy by their ids."""
    return {each["Sid"]: each for each in json.loads(policy)["Statement"]}


@pytest.mark.parametrize("output", QUEUE_OUTPUTS)
def test_a_queue_refuses_plain_http(output: str, cloud: Cloud, stack: Deployment) -> None:
    queue = stack.outputs[output]
    calls: list[tuple[str, dict[str, Any]]] = [
        ("send_message", {"MessageBody": "{}"}),
        ("receive_message", {}),
        ("get_queue_attributes", {"AttributeNames": ["All"]}),
    ]

    # No change of another test is in the queue.
    with stack.without_events():
        before = attributes_of(cloud, queue)["ApproximateNumberOfMessages"]
        for call, arguments in calls:
            with pytest.raises(ClientError) as failure:
                getattr(without_tls(cloud, "sqs"), call)(QueueUrl=queue, **arguments)
            assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403, call
        after = attributes_of(cloud, queue)["ApproximateNumberOfMessages"]
    assert after == before, "with TLS the owner is allowed, and nothing was sent"

    attributes = attributes_of(cloud, queue)
    denied = statements(attributes["Policy"])["DenyPlainHttp"]
    assert (denied["Effect"], denied["Principal"], denied["Action"]) == ("Deny", "*", "sqs:*")
    assert denied["Resource"] == attributes["QueueArn"]


@pytest.mark.parametrize("output", TOPIC_OUTPUTS.values())
def test_a_topic_refuses_plain_http(output: str, cloud: Cloud, stack: Deployment) -> None:
    topic, plain = stack.outputs[output], without_tls(cloud, "sns")

    calls: list[tuple[str, dict[str, Any]]] = [("publish", {"Message": "plain"}), ("get_topic_attributes", {})]
    for call, arguments in calls:
        with pytest.raises(ClientError) as failure:
            getattr(plain, call)(TopicArn=topic, **arguments)
        assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403, call


@pytest.mark.parametrize("output", TOPIC_OUTPUTS.values())
def test_a_topic_lets_its_own_account_do_what_the_default_policy_lets_it_do(
    output: str, cloud: Cloud, stack: Deployment
) -> None:
    topic = stack.outputs[output]

    policy = statements(cloud.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])

    actions = sorted(f"sns:{each}" for each in OWNER_ACTIONS)
    assert policy == {
        "OwnerUses": {
            "Sid": "OwnerUses",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": actions,
            "Resource": topic,
            "Condition": {"StringEquals": {"AWS:SourceOwner": ACCOUNT}},
        },
        "DenyPlainHttp": {
            "Sid": "DenyPlainHttp",
            "Effect": "Deny",
            "Principal": "*",
            "Action": actions,
            "Resource": topic,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    }


def test_only_the_changes_queue_may_use_a_dead_letter_queue(cloud: Cloud, stack: Deployment) -> None:
    changes, of_changes, of_delivery = (attributes_of(cloud, stack.outputs[output]) for output in QUEUE_OUTPUTS)

    assert json.loads(changes["RedrivePolicy"])["deadLetterTargetArn"] == of_changes["QueueArn"]
    assert json.loads(of_changes["RedriveAllowPolicy"]) == {
        "redrivePermission": "byQueue",
        "sourceQueueArns": [changes["QueueArn"]],
    }
    assert json.loads(of_delivery["RedriveAllowPolicy"]) == {"redrivePermission": "denyAll"}
