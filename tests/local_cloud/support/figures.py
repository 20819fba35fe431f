"""Lines at the end of pytest's output: what the tests have measured."""

from collections.abc import Callable
from typing import Any

import pytest

KEY = "figures"
"""The user property of a test that holds its lines. pytest-xdist transfers it from a worker to the main process."""

AddFigure = Callable[[str], None]


def adder(request: pytest.FixtureRequest) -> AddFigure:
    """Returns a function that adds a line under the name of the test's file."""

    def add(line: str) -> None:
        request.node.user_properties.append((KEY, f"{request.path.name}: {line}"))

    return add


class Summary:
    """A pytest plugin: prints the lines of all tests at the end."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Called by pytest for each phase of each test."""
        if report.when == "teardown":
            self.lines += [line for key, line in report.user_properties if key == KEY]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Called by pytest at its end."""
        for line in sorted(self.lines):
            terminalreporter.write_line(line)
