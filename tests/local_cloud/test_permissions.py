"""The function runs with the role of the template, and says so plainly when that role may not do something.

That the role may do enough all other tests show: the local cloud checks the calls to SNS, SQS and DynamoDB against IAM.
(Not those to EC2: moto is a cloud of its own.)
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from conftest import TOPICS
from local.cloud import Cloud
from local.deployment import Deployment, InvocationFailed
from local.inbox import Inbox
from local.networks import Builder


def test_a_refused_publish_fails_the_invocation(build: Builder, cloud: Cloud, stack: Deployment) -> None:
    with stack.untold():
        vpc = build.vpc("unheard", "10.70.0.0/16")
        request = {"check": {"vpcIds": [vpc]}}

        with denied(cloud, stack, "sns:Publish"), pytest.raises(InvocationFailed) as failure:
            stack.invoke(request)

        assert failure.value.error["errorType"] == "PublishFailed"
        assert "AuthorizationError" in failure.value.error["errorMessage"]
        assert stack.invoke(request)["published"] == TOPICS
        assert stack.invoke(request)["published"] == 0, "it has been told"


@pytest.mark.parametrize("action", ["dynamodb:Query", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem"])
def test_a_refusal_of_the_ledger_fails_the_invocation_and_keeps_nobody_from_hearing(
    action: str, build: Builder, cloud: Cloud, stack: Deployment, inbox: Inbox
) -> None:
    with stack.untold():
        vpc = build.vpc("unremembered", "10.71.0.0/16")

        with denied(cloud, stack, action), pytest.raises(InvocationFailed) as failure:
            stack.invoke({"check": {"vpcIds": [vpc]}})

        assert failure.value.error["errorType"] == "LedgerFailed"
        assert "AccessDeniedException" in failure.value.error["errorMessage"]
        assert inbox.wait_for(vpc, 10) is not None


def test_the_role_may_do_three_things_to_one_table(cloud: Cloud, stack: Deployment) -> None:
    role = cloud.client("lambda").get_function_configuration(FunctionName=stack.function)["Role"].rpartition("/")[2]
    document = cloud.client("iam").get_role_policy(RoleName=role, PolicyName="gatewatch")["PolicyDocument"]
    document = json.loads(document) if isinstance(document, str) else document
    about_tables = [each for each in document["Statement"] if any("dynamodb:" in action for action in each["Action"])]

    table = cloud.client("dynamodb").describe_table(TableName=stack.ledger)["Table"]["TableArn"]
    actions = ["dynamodb:BatchWriteItem", "dynamodb:Query", "dynamodb:UpdateItem"]
    assert [(each["Action"], each["Resource"]) for each in about_tables] == [(actions, table)]


@contextmanager
def denied(cloud: Cloud, stack: Deployment, action: str) -> Iterator[None]:
    """Denies the function's role an action. (Taking the leave away is not enough: a topic lets in its account.)"""
    iam = cloud.client("iam")
    role = cloud.client("lambda").get_function_configuration(FunctionName=stack.function)["Role"].rpartition("/")[2]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": action, "Resource": "*"}]}
    iam.put_role_policy(RoleName=role, PolicyName="denied", PolicyDocument=json.dumps(document))
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="denied")
