"""The function runs with the role of the template, and says so plainly when that role may not do something.

That the role may do enough all other tests show: the local cloud checks the calls to SNS and SQS against IAM. (Not
those to EC2: moto is a cloud of its own.)
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from local.cloud import Cloud
from local.deployment import Deployment, InvocationFailed
from local.networks import Builder


def test_a_refused_publish_fails_the_invocation(build: Builder, cloud: Cloud, stack: Deployment) -> None:
    vpc = build.vpc("unheard", "10.70.0.0/16")
    request = {"check": {"vpcIds": [vpc]}}

    with denied(cloud, stack, "sns:Publish"), pytest.raises(InvocationFailed) as failure:
        stack.invoke(request)

    assert failure.value.error["errorType"] == "PublishFailed"
    assert "AuthorizationError" in failure.value.error["errorMessage"]
    assert stack.invoke(request)["published"] == 1


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
