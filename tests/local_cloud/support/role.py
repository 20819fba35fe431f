"""The deployed role of the function."""

import json
from typing import Any

from local.cloud import Cloud
from local.deployment import Deployment


def name_of(cloud: Cloud, stack: Deployment) -> str:
    """Returns the role's name."""
    arn: str = cloud.client("lambda").get_function_configuration(FunctionName=stack.function)["Role"]
    return arn.rpartition("/")[2]


def statements(cloud: Cloud, stack: Deployment) -> list[dict[str, Any]]:
    """Returns the statements of all the role's policies. It has no managed ones."""
    iam, role = cloud.client("iam"), name_of(cloud, stack)
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    found: list[dict[str, Any]] = []
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        found += (json.loads(document) if isinstance(document, str) else document)["Statement"]
    return found
