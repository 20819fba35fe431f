"""The function runs with the role of the template, and reports a clear error when the role lacks a permission.

The other tests show that the role has enough permissions: the local cloud checks the calls to SNS, SQS and DynamoDB
against IAM. (It does not check those to EC2, Route 53, Resolver and API Gateway, because moto is a separate server. An
organization checks those to EC2: see test_local_organization.py.)
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from local.cloud import Cloud
from local.deployment import Deployment, InvocationFailed
from local.inbox import Inbox
from local.networks import Builder
from tests.local_cloud.support import role
from tests.local_cloud.support.stack import TOPICS


def test_a_refused_publish_fails_the_invocation(build: Builder, cloud: Cloud, stack: Deployment) -> None:
    with stack.without_events():
        vpc = build.vpc("refused", "10.70.0.0/16")
        request = {"check": {"vpcIds": [vpc]}}

        with denied(cloud, stack, "sns:Publish"), pytest.raises(InvocationFailed) as failure:
            stack.invoke(request)

        assert failure.value.error["errorType"] == "PublishFailed"
        assert "AuthorizationError" in failure.value.error["errorMessage"]
        assert stack.invoke(request)["published"] == TOPICS
        assert stack.invoke(request)["published"] == 0, "it has been sent"


@pytest.mark.parametrize("action", ["dynamodb:Query", "dynamodb:UpdateItem", "dynamodb:PutItem"])
def test_a_refused_call_to_dynamodb_fails_the_invocation_after_the_message_is_sent(
    action: str, build: Builder, cloud: Cloud, stack: Deployment, inbox: Inbox
) -> None:
    with stack.without_events():
        vpc = build.vpc("not-stored", "10.71.0.0/16")

        with denied(cloud, stack, action), pytest.raises(InvocationFailed) as failure:
            stack.invoke({"check": {"vpcIds": [vpc]}})

        assert failure.value.error["errorType"] == "LedgerFailed"
        assert "AccessDeniedException" in failure.value.error["errorMessage"]
        assert inbox.wait_for(vpc, 10) is not None


def test_the_role_allows_five_actions_on_one_table_and_three_of_them_only_in_transactions(
    cloud: Cloud, stack: Deployment
) -> None:
    statements = role.statements(cloud, stack)
    about_tables = [each for each in statements if any("dynamodb:" in action for action in each["Action"])]

    table = cloud.client("dynamodb").describe_table(TableName=stack.history_table)["Table"]["TableArn"]
    within_a_transaction = {"ForAnyValue:StringEquals": {"dynamodb:EnclosingOperation": ["TransactWriteItems"]}}
    assert [(each["Action"], each["Resource"], each.get("Condition")) for each in about_tables] == [
        (["dynamodb:BatchWriteItem", "dynamodb:Query"], table, None),
        (["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], table, within_a_transaction),
    ]


@contextmanager
def denied(cloud: Cloud, stack: Deployment, action: str) -> Iterator[None]:
    """Denies the function's role an action. (Removing the permission is not enough: a topic accepts its account.)"""
    iam, role_name = cloud.client("iam"), role.name_of(cloud, stack)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": action, "Resource": "*"}]}
    iam.put_role_policy(RoleName=role_name, PolicyName="denied", PolicyDocument=json.dumps(document))
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role_name, PolicyName="denied")
