"""Child processes that never outlive this one: each has its own process group, which is ended as a whole."""

import contextlib
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.waiting import wait_until


class ProcessFailed(Exception):
    """A child process did not do what it was started for. The message says why and where its log is."""


def free_port() -> int:
    """Returns a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(command: list[str], env: dict[str, str], cwd: Path, log: Path | None = None) -> int:
    """Runs a command to its end; its output goes to `log` or to our own. An interrupt ends it and all its children."""
    with _output(log) as output:
        process = _start(command, env, cwd, output)
    try:
        return process.wait()
    finally:
        _end_group(process)


class Server:
    """A server in the background."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], cwd: Path, log: Path) -> None:
        self.name, self.log = name, log
        with _output(log) as output:
            # The pipe tells the server when this process is gone: see `local.exit_with_parent`.
            self._process = _start(command, env, cwd, output, stdin=subprocess.PIPE)

    def wait_until_it_answers(self, url: str, seconds: float = 60) -> None:
        """Returns once `url` gives any HTTP answer."""

        def answers() -> bool:
            if self._process.poll() is not None:
                raise ProcessFailed(f"{self.name} ended with exit code {self._process.returncode}; its log: {self.log}")
            try:
                urllib.request.urlopen(url, timeout=10).close()
            except urllib.error.HTTPError:
                return True
            except OSError:
                return False
            return True

        if not wait_until(answers, seconds):
            raise ProcessFailed(f"{self.name} gave no answer within {seconds:.0f} s; its log: {self.log}")

    @property
    def peak_memory(self) -> int:
        """Returns how many bytes of memory the process itself has had at most, its code included."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        [kilobytes] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(kilobytes) * 1024

    def kill(self) -> None:
        """Kills the server and all its children at once."""
        _signal_group(self._process, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Ends the server and all its children. May be called twice."""
        _end_group(self._process)


@contextlib.contextmanager
def _output(log: Path | None) -> Iterator[Any]:
    """Opens the log file, and creates its folder. Without a log the child writes to our own output."""
    if log is None:
        yield None
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        yield file


def _start(
    command: list[str], env: dict[str, str], cwd: Path, output: Any, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    # A session of its own: a Ctrl-C in the terminal reaches only this process, which then decides when each child ends.
    return subprocess.Popen(
        command,
        env=env,
        cwd=cwd,
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        start_new_session=True,
    )


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Asks the group to end, waits for its leader, and then kills what is left of the group."""
    _signal_group(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=5)
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # The group keeps its leader's number after the leader has ended, as long as one member lives.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
