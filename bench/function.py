"""A process of a function that is measured: gatewatch, its twin in Python, or the floor."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.build import RESULTS, Binaries
from bench.stand_in import Answer, MeasurementFailed, StandIn, cpu_ms
from local.environment import ROOT, TOOLS

LOG = RESULTS / "function.log"


@dataclass(frozen=True)
class Program:
    """A function that can be started."""

    name: str
    command: tuple[str, ...]
    folder: Path
    variables: tuple[tuple[str, str], ...] = ()


def programs(binaries: Binaries) -> dict[str, Program]:
    """The three functions."""
    python = str(TOOLS / "bench" / "bin" / "python")
    twin = ROOT / "bench" / "twin"
    twin_variables = (("LAMBDA_TASK_ROOT", str(twin)), ("PATH", os.environ["PATH"]), ("_HANDLER", "twin.handler"))
    all_programs = (
        Program("gatewatch", (str(binaries.gatewatch),), ROOT),
        Program("twin", (python, "-m", "awslambdaric", "twin.handler"), twin, twin_variables),
        Program("floor", (str(binaries.floor),), ROOT),
    )
    return {program.name: program for program in all_programs}


class Function:
    """A running function. A context manager, which returns when the function waits for its first event."""

    def __init__(
        self,
        program: Program,
        stand_in: StandIn,
        history: bool,
        after_start: Callable[[int], None] | None = None,
        is_one_of_many: bool = False,
    ) -> None:
        self._stand_in, self._name = stand_in, program.name
        self._log = LOG.open("ab" if is_one_of_many else "wb")
        env = stand_in.variables(history) | dict(program.variables)
        started_at = time.time_ns()
        self._process = subprocess.Popen(
            program.command, cwd=program.folder, env=env, stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL
        )
        try:
            if after_start:
                after_start(self.pid)
            self.init_ms = (stand_in.ready() - started_at) / 1e6
        except BaseException:
            self.__exit__()
            raise

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def __enter__(self) -> "Function":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()
        self._stand_in.forget()

    def invoke(self, event: Mapping[str, Any]) -> Answer:
        """Sends an event. The answer must not be an error."""
        answer = self._stand_in.invoke(event)
        if answer.failed or '"batchItemFailures":[{' in answer.text.replace(" ", ""):
            raise MeasurementFailed(f"{self._name} failed: {answer.text}")
        # The function is done when it asks for the next event. Its CPU time counts until then.
        self._stand_in.ready()
        return answer

    def cpu_ms(self) -> float:
        """The CPU time of all threads so far."""
        return cpu_ms(self.pid)

    def peak_mb(self) -> float:
        """The most memory that was resident so far, with the pages of the binary."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        [peak] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
        return int(peak) / 1024
