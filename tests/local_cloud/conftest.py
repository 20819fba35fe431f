"""One local cloud for each worker of pytest-xdist, with template.yaml deployed by SAM; an empty Region for each test.

The tests deploy what users deploy: with the alert history, and with topics for e-mail and chat. test_minimal_stack.py
shows the stack without them. Before each test the alert history is cleared, because a finding is sent only once.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from local.cloud import Cloud, interruptible, local_cloud
from local.deployment import Deployment
from local.inbox import Inbox
from local.networks import Builder
from tests.local_cloud.support import figures, history, stack
from tests.local_cloud.support.figures import AddFigure


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--update`, which writes the answers anew instead of comparing them. Read the difference before a commit."""
    parser.addoption("--update", action="store_true", help="write tests/local_cloud/answers anew")


def pytest_configure(config: pytest.Config) -> None:
    """Registers the summary of figures."""
    config.pluginmanager.register(figures.Summary())


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    """The local cloud of this worker."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    with interruptible(), local_cloud(f"test-{worker}" if worker else "test") as running:
        yield running


@pytest.fixture(scope="session", name="stack")
def deployed_stack(cloud: Cloud) -> Deployment:
    """The deployed template."""
    return stack.deploy(cloud)


@pytest.fixture(scope="session")
def inbox(stack: Deployment) -> Inbox:
    """What a subscriber of the topic for JSON receives."""
    return Inbox(stack)


@pytest.fixture
def ec2(cloud: Cloud, stack: Deployment) -> Any:
    """EC2 in an empty Region, of which nothing has been sent."""
    cloud.empty_the_region()
    history.clear(cloud.client("dynamodb"), stack.history_table)
    return cloud.client("ec2")


@pytest.fixture
def build(ec2: Any) -> Builder:
    """EC2 in an empty Region, in larger steps."""
    return Builder(ec2)


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> AddFigure:
    """Adds a line to the end of pytest's output."""
    return figures.adder(request)
