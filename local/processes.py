"""Child processes that never outlive us: each gets a process group of its own, which is ended as a whole."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class ProcessFailed(Exception):
    """A child process did not do what it was started for; says why and where its log is."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(command: list[str], env: dict[str, str], cwd: Path, log: Path | None = None) -> int:
    """Runs a command to its end, its output in `log` or on our own. An interrupt ends it and all its children."""
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
            # Its standard input is a lifeline: see `local.lifeline`.
            self._process = _start(command, env, cwd, output, stdin=subprocess.PIPE)

    def wait_until_it_answers(self, url: str, seconds: float = 60) -> None:
        """Returns once `url` gives any HTTP answer."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ProcessFailed(f"{self.name} ended with exit code {self._process.returncode}; its log: {self.log}")
            try:
                urllib.request.urlopen(url, timeout=10).close()
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.1)
        raise ProcessFailed(f"{self.name} gave no answer within {seconds:.0f} s; its log: {self.log}")

    def kill(self) -> None:
        """Ends the server and all its children at once, without asking."""
        _signal_group(self._process, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Ends the server and all its children. May be called twice."""
        _end_group(self._process)


@contextlib.contextmanager
def _output(log: Path | None) -> Iterator[Any]:
    """Where a child writes: a file, whose folder is made, or our own output."""
    if log is None:
        yield None
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        yield file


def _start(
    command: list[str], env: dict[str, str], cwd: Path, output: Any, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    # A session of its own: a Ctrl-C in the terminal reaches only us, so that we choose when each child ends.
    return subprocess.Popen(
        command, env=env, cwd=cwd, stdin=stdin, stdout=output,
        stderr=subprocess.STDOUT if output else None, start_new_session=True,
    )


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Asks the group to end, waits for its leader, and then ends whatever is left of it."""
    _signal_group(process, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=5)
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # The group bears its leader's number even after the leader is gone, as long as a member of it lives.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
