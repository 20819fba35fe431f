"""One local cloud for all tests, with template.yaml deployed into it by SAM; for each test an empty Region."""

from collections.abc import Iterator
from typing import Any

import pytest

from local import deployment
from local.cloud import Cloud, interruptible, local_cloud
from local.deployment import Deployment
from local.inbox import Inbox
from local.networks import Builder

SETTLE_SECONDS = 2


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update` writes the answers anew instead of comparing with them. Read the difference before you commit it."""
    parser.addoption("--update", action="store_true", help="write tests/local_cloud/answers anew")


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    """The running cloud."""
    with interruptible(), local_cloud("test") as running:
        yield running


@pytest.fixture(scope="session")
def stack(cloud: Cloud) -> Deployment:
    """The deployed template."""
    deployment.build(cloud)
    return deployment.deploy(cloud, SettleSeconds=SETTLE_SECONDS, ConfigItems="on")


@pytest.fixture(scope="session")
def inbox(stack: Deployment) -> Inbox:
    """What a subscriber of the topic receives."""
    return Inbox(stack)


@pytest.fixture
def ec2(cloud: Cloud) -> Any:
    """EC2 in an empty Region."""
    cloud.empty_the_region()
    return cloud.client("ec2")


@pytest.fixture
def build(ec2: Any) -> Builder:
    """EC2 in an empty Region, in larger steps."""
    return Builder(ec2)
