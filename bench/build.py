"""Builds what is measured, as it is deployed: with the release profile."""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from local.environment import ROOT

TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
RESULTS = ROOT / "target" / "bench"
"""Where the results, the plots and the logs go."""


@dataclass(frozen=True)
class Binaries:
    """The release binaries."""

    gatewatch: Path
    floor: Path
    stand_in: Path
    build_seconds: float | None
    """How long the build of gatewatch took, if it was built now."""


def build() -> Binaries:
    """Builds all, unless they are built already. `GATEWATCH_BINARY` names a binary to measure instead."""
    named = os.environ.get("GATEWATCH_BINARY")
    began = time.monotonic()
    gatewatch, is_fresh = (Path(named), True) if named else cargo_build()
    seconds = None if is_fresh else time.monotonic() - began
    # Separately: built together, the floor would get the features that the stand-in needs.
    own = ["--manifest-path", "bench/Cargo.toml", "--target-dir", str(TARGET / "bench")]
    floor, _ = cargo_build(*own, "--package", "floor")
    stand_in, _ = cargo_build(*own, "--package", "stand_in")
    return Binaries(gatewatch, floor, stand_in, seconds)


def cargo_build(*options: str) -> tuple[Path, bool]:
    """Returns the binary of a package, and whether it was there already."""
    command = ["cargo", "build", "--release", "--locked", "--message-format", "json-render-diagnostics", *options]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    artifacts = [json.loads(line) for line in built.splitlines()]
    [artifact] = [artifact for artifact in artifacts if artifact.get("executable")]
    return Path(artifact["executable"]), artifact["fresh"]
