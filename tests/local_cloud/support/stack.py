"""The stack that the tests deploy: with the alert history, and with topics for e-mail and chat."""

import fcntl
import os
from typing import Any

from local import deployment, environment
from local.cloud import Cloud
from local.deployment import Deployment

SETTLE_SECONDS = 2
EMAIL_ADDRESS = "alex@example.com"
TOPICS = 3
"""An alert makes one message for each channel: JSON, text and chat."""

PARAMETERS: dict[str, Any] = {
    "SettleSeconds": SETTLE_SECONDS,
    "ConfigItems": "on",
    "EmailAddress": EMAIL_ADDRESS,
    "Chat": "on",
}


def build_once(cloud: Cloud) -> None:
    """Runs `sam build` in one worker of the test run; the other workers wait for it."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    environment.TOOLS.mkdir(exist_ok=True)
    with (environment.TOOLS / "sam-build.lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.seek(0)
        if lock.read() != run:
            deployment.build(cloud)
            lock.truncate(0)
            lock.write(run)


def deploy(cloud: Cloud) -> Deployment:
    """Builds and deploys the template."""
    build_once(cloud)
    return deployment.deploy(cloud, **PARAMETERS)
