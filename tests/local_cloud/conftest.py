"""One local cloud for all tests, with template.yaml deployed into it by SAM; for each test an empty Region.

What is deployed is what users deploy: with the ledger, and with the topics for e-mail and chat. How it is without them
test_smallest_stack.py says. What a test expects to be told must not have been told before: a finding is told once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local import deployment, ledger
from local.cloud import Cloud, interruptible, local_cloud
from local.deployment import Deployment
from local.inbox import Inbox
from local.networks import Builder

SETTLE_SECONDS = 2
ADDRESS = "alex@example.com"
TOPICS = 3
"""A notice makes a message on each: JSON, text, chat."""


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
    return deployment.deploy(cloud, SettleSeconds=SETTLE_SECONDS, ConfigItems="on", EmailAddress=ADDRESS, Chat="on")


@pytest.fixture(scope="session")
def inbox(stack: Deployment) -> Inbox:
    """What a subscriber of the topic for JSON receives."""
    return Inbox(stack)


@pytest.fixture(scope="session")
def emails(stack: Deployment) -> Inbox:
    """What a person with an e-mail address receives."""
    return Inbox(stack, "inbox-of-emails", stack.text_topic, read=str)


@pytest.fixture(scope="session")
def cards(stack: Deployment) -> Inbox:
    """What a chat channel receives."""
    return Inbox(stack, "inbox-of-cards", stack.chat_topic)


@pytest.fixture
def ec2(cloud: Cloud, stack: Deployment) -> Any:
    """EC2 in an empty Region, of which nothing has been told."""
    cloud.empty_the_region()
    ledger.forget(cloud.client("dynamodb"), stack.ledger)
    return cloud.client("ec2")


@pytest.fixture
def build(ec2: Any) -> Builder:
    """EC2 in an empty Region, in larger steps."""
    return Builder(ec2)


@dataclass
class Notes:
    """Figures for who reads pytest's output."""

    file: str
    lines: list[str]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Called by pytest."""
        for line in self.lines:
            terminalreporter.write_line(f"{self.file}: {line}")


@pytest.fixture(scope="module")
def notes(request: pytest.FixtureRequest) -> list[str]:
    """Lines for the end of pytest's output, under the name of the file."""
    notes = Notes(request.path.name, [])
    request.config.pluginmanager.register(notes)
    return notes.lines
