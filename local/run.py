"""Runs one command inside a local cloud of its own: `python -m local.run cargo test -- --ignored`."""

import sys

from local.cloud import interruptible, local_cloud
from local.environment import ROOT
from local.processes import run


def main() -> int:
    """Starts the cloud, runs the command in its environment, stops the cloud; returns the command's exit code."""
    with interruptible(), local_cloud("run") as cloud:
        return run(sys.argv[1:], cloud.env, ROOT)


if __name__ == "__main__":
    sys.exit(main())
