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
from local.inbox import READERS, Inbox
from local.networks import Builder
from tests.local_cloud.support import figures, history, stack
from tests.local_cloud.support.figures import AddFigure


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--update`, which writes the answers anew instead of comparing them. Read the difference before a commit."""
    parser.addoption("--update", action="store_true", help="write tests/local_cloud/answers anew")


def pytest_configure(config: pytest.Config) -> None:
    """Registers the summary of figures."""
    config.pluginmanager.register(figures.Summary())


SLOW_FILES = [
    "test_organization.py",
    "test_ec2_and_sns_faults.py",
    "test_alert_lifecycle.py",
    "test_queue_retries.py",
    "test_dynamodb_faults.py",
    "test_large_sweep.py",
    "test_event_order.py",
    "test_leases.py",
]
"""The slowest first: a slow file that begins last would keep one worker busy while the others have ended."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts the tests, so that pytest-xdist hands out slow files first (with `--no-loadscope-reorder`)."""
    order = {name: number for number, name in enumerate(SLOW_FILES)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    """The local cloud of this worker."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    with interruptible(), local_cloud(f"test-{worker}" if worker else "test") as running:
        yield running


@pytest.fixture(scope="session", name="stack")
def deployed_stack(cloud: Cloud) -> Deployment:
    """The deployed template. Each topic has a subscriber."""
    deployed = stack.deploy(cloud)
    for channel in READERS:
        Inbox(deployed, f"subscriber-{channel}", channel)
    return deployed


@pytest.fixture(scope="session")
def inbox(stack: Deployment) -> Inbox:
    """What a subscriber of the topic for JSON receives."""
    return Inbox(stack)


@pytest.fixture
def ec2(cloud: Cloud, stack: Deployment) -> Any:
    """EC2 in an empty Region, of which nothing has been sent."""
    # The function handles the changes of the test before while their resources still exist. Later it would search for
    # them for ten seconds, and send alerts in the middle of this test.
    stack.wait_until_idle(seconds=30)
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
