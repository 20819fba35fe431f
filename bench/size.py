"""The size of what is deployed, and how long it takes to build."""

import zipfile

from bench.build import RESULTS
from bench.figures import Row, exactly
from bench.session import Session

MB = 1_000_000


def measure(session: Session) -> list[Row]:
    """Returns the rows of this part."""
    rows = []
    for name, binary in (("gatewatch", session.binaries.gatewatch), ("floor", session.binaries.floor)):
        archive = RESULTS / f"{name}.zip"
        # As `cargo lambda build --output-format zip` packs it, with the usual compression.
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            file.write(binary, "bootstrap")
        rows.append(Row(f"size, {name}: binary", exactly(binary.stat().st_size / MB), "MB"))
        target = "target: 4 MB" if name == "gatewatch" else ""
        rows.append(Row(f"size, {name}: zip", exactly(archive.stat().st_size / MB), "MB", target))
    if session.binaries.build_seconds is not None:
        seconds = exactly(session.binaries.build_seconds)
        rows.append(Row("build: release, what had to be built", seconds, "s"))
    return rows
