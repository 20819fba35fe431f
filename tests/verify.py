"""The long checks: fuzzing, mutation testing, random tests, a benchmark and a soak test. `make verify` runs it.

    make verify                     every part that has not passed on this tree yet
    make verify PART=fuzz           the parts with this name, or whose names begin with it
    make verify PART=left           runs nothing; prints what is left

Each part can run alone, in any order, on any day. What has passed is kept in .tools/verify for the tree it passed on.
When a file of the tree changes, everything has to run again.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".tools" / "verify"
TREE = ("src", "tests", "local", "fuzz", "events", "schemas", "Cargo.toml", "Cargo.lock", ".cargo", "template.yaml")
"""What the checks depend on."""

FUZZ_SECONDS = os.environ.get("FUZZ_SECONDS", "1800")
"""For each fuzz target."""
RANDOM_CASES = os.environ.get("RANDOM_CASES", "20000")
"""For each random test."""


@dataclass(frozen=True)
class Part:
    """One check that can run alone."""

    name: str
    run: Callable[[], str]
    """Runs the check and says what it did. Raises if the check found something."""


class Found(Exception):
    """A check found something: a crash, a surviving mutant, a failing case."""


def fuzz(target: str, max_len: int, *options: str) -> Callable[[], str]:
    """Fuzzes one target. New inputs stay in .tools/fuzz; those worth keeping are copied to fuzz/corpus by hand."""

    def run() -> str:
        found, corpus = ROOT / ".tools" / "fuzz" / target, ROOT / "fuzz" / "corpus" / target
        found.mkdir(parents=True, exist_ok=True)
        seeds = [str(ROOT / "events")] if target == "payload_to_scope" else []
        command = [
            "cargo",
            "+nightly",
            "fuzz",
            "run",
            "--target-dir",
            "target/fuzz",
            target,
            str(found),
            str(corpus),
            *seeds,
        ]
        limits = [f"-max_total_time={FUZZ_SECONDS}", f"-max_len={max_len}", "-print_final_stats=1", *options]
        output = call([*command, "--", *limits])
        [executions] = [
            line.split()[-1] for line in output.splitlines() if line.startswith("stat::number_of_executed_units")
        ]
        return f"{int(executions):,} executions in {FUZZ_SECONDS} s, no crash"

    return run


def mutants(name: str, *globs: str, tests: tuple[str, ...] = ("--lib",)) -> Callable[[], str]:
    """Changes the code of a folder in small ways. Each change must fail a test."""

    def run() -> str:
        output = STATE / f"mutants-{name}"
        files = [option for glob in globs for option in ("--file", glob)]
        command = ["cargo", "mutants", "--jobs", "2", "--output", str(output), *files]
        # For building, too: without it each mutant would build every integration test.
        for test in tests:
            command += ["--cargo-arg", test]
        failed = None
        try:
            call(command)
        except Found as failure:
            failed = failure
        counts = {
            kind: lines(output / "mutants.out" / f"{kind}.txt") for kind in ("caught", "unviable", "missed", "timeout")
        }
        summary = ", ".join(f"{len(found)} {kind}" for kind, found in counts.items())
        if failed or counts["missed"] or counts["timeout"]:
            raise Found("\n".join([summary, *counts["missed"], *counts["timeout"]]))
        return summary

    return run


def random_tests() -> str:
    """The random tests of the pure part, with seeds and many cases that no run had before."""
    variables = {"GATEWATCH_SEEDS": "random", "PROPTEST_CASES": RANDOM_CASES}
    command = ["cargo", "test", "--release", "--no-default-features", "--test", "oracle", "--test", "alert_lifecycle"]
    call([*command, "--", "--nocapture"], variables)
    return f"{int(RANDOM_CASES):,} cases of each random test"


def random_networks() -> str:
    """The random tests on the local cloud, with seeds that no run had before."""
    python = str(ROOT / ".tools" / "dev" / "bin" / "python")
    files = [f"tests/local_cloud/test_{name}.py" for name in ("cloud_custodian", "natpath", "event_order")]
    call([python, "-m", "pytest", "-n", "2", *files], {"GATEWATCH_SEEDS": "random"})
    return "random networks and orders on the local cloud"


def soak() -> str:
    """Four processes on one alert history, with changes, kills and faults; tests/soak.py names its variables."""
    output = call([str(ROOT / ".tools" / "dev" / "bin" / "python"), "-m", "tests.soak"])
    return output.splitlines()[-1]


def history_benchmark() -> str:
    """Memory and pages with 100,000 resolved findings; tests/history_benchmark.py names its bounds and variables."""
    output = call([str(ROOT / ".tools" / "dev" / "bin" / "python"), "-m", "tests.history_benchmark"])
    return output.splitlines()[-1]


PARTS = (
    Part("fuzz-payload", fuzz("payload_to_scope", 8192)),
    Part("fuzz-messages", fuzz("findings_to_message", 2048, "-len_control=0")),
    Part("mutants-network", mutants("network", "src/network/*.rs", "src/settings.rs")),
    Part("mutants-events", mutants("events", "src/events/*.rs", tests=("--lib", "--test=events", "--test=template"))),
    Part("mutants-checks", mutants("checks", "src/checks/**/*.rs")),
    Part("mutants-alerts", mutants("alerts", "src/alerts/*.rs")),
    Part("mutants-messages", mutants("messages", "src/messages/**/*.rs")),
    Part("mutants-app", mutants("app", "src/app/report.rs", "src/app/response.rs")),
    Part("random-tests", random_tests),
    Part("random-networks", random_networks),
    Part("history-benchmark", history_benchmark),
    Part("soak", soak),
)


def call(command: list[str], variables: dict[str, str] | None = None) -> str:
    """Runs a command, shows its output as it comes, and returns it."""
    print("+", " ".join(command), flush=True)
    environment = os.environ | (variables or {})
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        output = "".join(show(process))
    if process.returncode != 0:
        raise Found(f"exit code {process.returncode}: {' '.join(command)}")
    return output


def show(process: subprocess.Popen[str]) -> Iterator[str]:
    """The lines of a process, printed as they come."""
    for line in process.stdout or ():
        print(line, end="", flush=True)
        yield line


def lines(file: Path) -> list[str]:
    """The lines of a file; none if there is no file."""
    return file.read_text().splitlines() if file.exists() else []


def tree() -> str:
    """A hash of everything that the checks depend on."""
    names = subprocess.run(
        ["git", "ls-files", "-z", *TREE], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    digest = hashlib.sha256()
    for name in sorted(filter(None, names.split("\0"))):
        if (ROOT / name).is_file():
            digest.update(name.encode() + b"\0" + (ROOT / name).read_bytes())
    return digest.hexdigest()


def passed(part: Part, here: str) -> str | None:
    """What a part said when it passed on this tree."""
    file = STATE / f"{part.name}.json"
    state = json.loads(file.read_text()) if file.exists() else {}
    said: str | None = state.get("said") if state.get("tree") == here else None
    return said


def main(wanted: str) -> int:
    """Runs the parts that are wanted and have not passed yet, and prints what is left."""
    here = tree()
    chosen = [part for part in PARTS if wanted in ("all", part.name) or part.name.startswith(wanted)]
    if not chosen and wanted != "left":
        names = ", ".join(part.name for part in PARTS)
        print(f"PART is {wanted!r}; allowed are left, all, {names}, and the beginning of a name")
        return 2
    STATE.mkdir(parents=True, exist_ok=True)
    found: dict[str, str] = {}
    for part in chosen:
        if wanted == "all" and passed(part, here):
            continue
        began = time.monotonic()
        try:
            said = part.run()
        except Found as failure:
            found[part.name] = str(failure)
            continue
        said = f"{said} ({time.monotonic() - began:.0f} s)"
        (STATE / f"{part.name}.json").write_text(json.dumps({"tree": here, "said": said}))
    print()
    for part in PARTS:
        said_before = passed(part, here)
        if part.name in found:
            print(f"FOUND   {part.name}: {found[part.name]}")
        else:
            print(f"passed  {part.name}: {said_before}" if said_before else f"left    {part.name}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "all"))
