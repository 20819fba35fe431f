"""An organization in the local cloud: five accounts in three Regions, one of them with the hub."""

import contextlib
import dataclasses
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local import deployment
from local.cloud import Cloud, local_cloud
from local.deployment import Deployment
from local.environment import ACCOUNT, REGION, ROOT
from local.networks import Builder
from local.organization_file import Account, OrganizationFile
from local.waiting import wait_until

TEMPLATES = ROOT / "organization"
ROLES, RULES = "gatewatch-roles", "gatewatch-rules"
"""The names of a member's stacks."""

ID = "o-gatewatch01"
HUB = ACCOUNT
MANAGEMENT = "210987654321"
SHOP, PAYMENTS, ARCHIVE = "111122223333", "444455556666", "012345678901"
FOREIGN = "777788889999"
"""An account that is not in the organization."""

REGIONS = (REGION, "eu-central-1", "us-east-1")
"""The first is the hub's own."""

ACCOUNTS = (
    Account(HUB, "security", "security"),
    Account(MANAGEMENT, "management"),
    Account(SHOP, "shop", "workloads/prod"),
    Account(PAYMENTS, "payments", "workloads/prod"),
    # An account number may begin with zero.
    Account(ARCHIVE, "archive", "workloads"),
)


class SweepFailed(Exception):
    """The state machine failed. The text is its cause: the summary, if too much could not be checked."""


class Organization:
    """The running organization."""

    def __init__(self, cloud: Cloud, file: Path, content: OrganizationFile) -> None:
        self.cloud, self._file, self.content = cloud, file, content
        self._clients: dict[tuple[str, str, str], Any] = {}

    def client(self, service: str, account: str = HUB, region: str = REGION) -> Any:
        """Returns a client that acts as an account, in a Region."""
        key = (service, account, region)
        if key not in self._clients:
            self._clients[key] = self.cloud.client_in(account, region, service)
        return self._clients[key]

    def build(self, account: str = HUB, region: str = REGION) -> Builder:
        """Builds networks in an account and Region."""
        return Builder(self.client("ec2", account, region))

    def empty(self) -> None:
        """Removes everything from EC2 in all accounts and Regions. (The local EC2 gives them no default VPCs.)"""
        self.cloud.empty_the_region()

    @contextlib.contextmanager
    def changed(self, account: str, **changes: Any) -> Iterator[None]:
        """Changes an account, for example its `state`. The fields are those of `organization_file.Account`."""
        before = self.content
        accounts = tuple(
            dataclasses.replace(each, **changes) if each.id == account else each for each in before.accounts
        )
        self._write(dataclasses.replace(before, accounts=accounts))
        try:
            yield
        finally:
            self._write(before)

    @contextlib.contextmanager
    def without_delegation(self) -> Iterator[None]:
        """Lets only the management account list the accounts."""
        before = self.content
        self._write(dataclasses.replace(before, delegated_administrators=()))
        try:
            yield
        finally:
            self._write(before)

    def deploy(self, name: str, template: str, account: str, region: str, **parameters: str) -> dict[str, str]:
        """Deploys a plain CloudFormation template in an account and Region; returns its outputs."""
        cloudformation = self.client("cloudformation", account, region)
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=template,
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        )
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}
        )
        [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
        return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}

    def deploy_hub(self, name: str = deployment.STACK, **parameters: Any) -> Deployment:
        """Deploys the project's template as the hub."""
        return deployment.deploy(self.cloud, name, Regions=",".join(REGIONS), OrganizationId=ID, **parameters)

    def deploy_alone(self, name: str, **parameters: Any) -> Deployment:
        """Deploys the project's template for one account and Region, as without an organization."""
        # `sam deploy` keeps the values of an update that are not given.
        return deployment.deploy(self.cloud, name, Regions="", OrganizationId="", **parameters)

    def enroll(self, hub: Deployment, *accounts: str) -> None:
        """Deploys the project's templates for members in these accounts, as the StackSets of AWS do."""
        for account in accounts:
            self.enroll_roles(hub, account)
            self.enroll_rules(hub, account)

    def enroll_roles(self, hub: Deployment, account: str) -> None:
        """Deploys the roles of a member, in one Region."""
        bus, role = hub.outputs["OrganizationBusArn"], hub.outputs["FunctionRoleArn"]
        parameters = {"HubBusArn": bus, "HubRoleArn": role, "OrganizationId": ID, "Regions": ",".join(REGIONS)}
        self.deploy(ROLES, (TEMPLATES / "roles.yaml").read_text(), account, REGION, **parameters)

    def enroll_rules(self, hub: Deployment, account: str) -> None:
        """Deploys the rules of a member, in each Region."""
        template = (TEMPLATES / "rules.yaml").read_text()
        for region in REGIONS:
            self.deploy(RULES, template, account, region, HubBusArn=hub.outputs["OrganizationBusArn"])

    def sweep(self, hub: Deployment) -> dict[str, Any]:
        """Runs the scheduled check of all accounts and Regions; returns its summary."""
        states = self.client("stepfunctions")
        execution = states.start_execution(stateMachineArn=hub.outputs["SweepStateMachineArn"])["executionArn"]

        def ended() -> Any:
            answer = states.describe_execution(executionArn=execution)
            return None if answer["status"] == "RUNNING" else answer

        answer = wait_until(ended, seconds=120, interval=0.1)
        if answer is None or answer["status"] != "SUCCEEDED":
            raise SweepFailed(answer and answer.get("cause"))
        summary: dict[str, Any] = json.loads(answer["output"])
        return summary

    def assume(self, role: str, account: str = HUB, region: str = REGION, **arguments: str) -> dict[str, str]:
        """Assumes a role, called by an account; returns boto3's arguments for its credentials."""
        sts = self.client("sts", account, region)
        credentials = sts.assume_role(RoleArn=role, RoleSessionName="test", **arguments)["Credentials"]
        return {
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
            "aws_session_token": credentials["SessionToken"],
        }

    def _write(self, content: OrganizationFile) -> None:
        content.write(self._file)
        self.content = content


@contextlib.contextmanager
def local_organization(name: str) -> Iterator[Organization]:
    """Starts a local cloud with an organization; `name` is the folder of its logs."""
    content = OrganizationFile(ID, MANAGEMENT, (HUB,), ACCOUNTS)
    folder = Path(tempfile.mkdtemp(prefix="gatewatch-organization-"))
    file = folder / "organization.json"
    content.write(file)
    try:
        with local_cloud(name, file) as cloud:
            yield Organization(cloud, file, content)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
