"""The local cloud treats an organization as AWS does: accounts, roles, buses and state machines.

`local/organization_gaps.py`, `local/state_machine_gaps.py` and `local/ec2_server/accounts.py` close these gaps of the
emulators. The templates here are much smaller than the project's own; test_organization.py deploys those.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.organization import ACCOUNTS, ARCHIVE, FOREIGN, HUB, ID, MANAGEMENT, PAYMENTS, SHOP, Organization
from local.organization import local_organization
from local.environment import REGION

ELSEWHERE = "eu-central-1"


@pytest.fixture(scope="module")
def organization() -> Iterator[Organization]:
    """The organization of this file."""
    with local_organization("test-local-organization") as running:
        yield running


# --- Accounts and Regions of EC2 --------------------------------------------------------------------------------------


def test_accounts_and_regions_have_networks_of_their_own(organization: Organization) -> None:
    places = [(HUB, REGION), (SHOP, REGION), (SHOP, ELSEWHERE), (ARCHIVE, REGION)]

    vpcs = {place: organization.build(*place).vpc("own", "10.1.0.0/16") for place in places}

    for place, vpc in vpcs.items():
        [found] = organization.client("ec2", *place).describe_vpcs()["Vpcs"]
        assert (found["VpcId"], found["OwnerId"]) == (vpc, place[0])
    organization.empty()
