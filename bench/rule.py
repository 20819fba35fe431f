"""The rule and the planner alone, by `benches/rule.rs`: nothing is read and nothing is sent."""

import json
import os
import subprocess
import sys
from statistics import median

from bench.build import RESULTS, TARGET
from bench.figures import Figure, Row, figure
from bench.session import Session
from local.environment import ROOT


def measure(session: Session) -> list[Row]:
    """Returns the rows of this part."""
    build = ["--locked", "--no-default-features", "--target-dir", str(TARGET / "bench")]
    command = ["cargo", "bench", *build, "--bench", "rule", "--", "--noplot"]
    home = RESULTS / "criterion"
    subprocess.run(command, cwd=ROOT, check=True, env=os.environ | {"CRITERION_HOME": str(home)}, stdout=sys.stderr)
    rows = []
    for file in sorted(home.glob("*/*/new/sample.json"), key=lambda file: int(file.parts[-3])):
        name, size = file.parts[-4], int(file.parts[-3])
        sample = json.loads(file.read_text())
        ms = [time / count / 1e6 for time, count in zip(sample["times"], sample["iters"], strict=True)]
        session.results.setdefault("rule", []).append({"name": name, "size": size, "ms": ms})
        per_second = figure([size / (time / 1e3) for time in ms])
        million = Figure(per_second.median / 1e6, per_second.p10 / 1e6, per_second.p90 / 1e6)
        rows.append(Row(f"{name} {size:,}", figure(ms), "ms", f"{median(ms) / size * 1e6:.0f} ns each"))
        rows.append(Row(f"{name} {size:,}", million, "million per second"))
    return sorted(rows, key=lambda row: row.what.split()[0], reverse=True)
