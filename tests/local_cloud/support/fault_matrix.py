"""Every fault of every call: runs a test's cases at the same time, because most of their time is waiting."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from tests.local_cloud.support.fault_proxy import calls_of


@dataclass(frozen=True)
class Call:
    """A call that the function makes."""

    name: str
    service: str
    operation: str
    having: str = ""
    """A condition on the body that distinguishes the call from others of the same operation."""


@dataclass(frozen=True)
class Fault:
    """A fault, and how the function must react (see src/aws/clients.rs and src/app/deadline.rs)."""

    name: str
    rule: dict[str, Any]
    """For microburst. `{code}` stands for the service's own error code."""
    injected: tuple[int, int]
    """How often the call fails, at least and at most. Where they differ, the time decides."""
    errors: tuple[str, ...]
    """The errors that the function may report; none if a later attempt succeeds."""
    codes: dict[str, str] = field(default_factory=dict)
    """The error code of each service."""
    seconds: float = 60
    """The deadline of the invocation."""
    arrives: bool = False
    """Whether the service executes the call and only its answer is lost."""


AnyCall = TypeVar("AnyCall", bound=Call)
Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Case(Generic[AnyCall]):
    """A fault of a call."""

    call: AnyCall
    fault: Fault

    @property
    def name(self) -> str:
        """The name of the case, its topics and table, and the function's application in the User-Agent of its calls."""
        return f"{self.call.name}-{self.fault.name}"

    @property
    def headers(self) -> dict[str, str]:
        """The headers by which microburst recognizes the calls of this case."""
        return calls_of(self.name)

    @property
    def rule(self) -> dict[str, Any]:
        """The fault, for the calls of this case alone."""
        rule: dict[str, Any] = json.loads(self._with_code(json.dumps(self.fault.rule)))
        rule |= {"service": self.call.service, "operation": self.call.operation, "headers": self.headers}
        return rule | ({"body": self.call.having} if self.call.having else {})

    @property
    def errors(self) -> tuple[str, ...]:
        """The errors that the function may report."""
        return tuple(map(self._with_code, self.fault.errors))

    def _with_code(self, text: str) -> str:
        return text.replace("{code}", self.fault.codes.get(self.call.service, ""))


def run_cases(cases: list[Case[AnyCall]], at_once: int, run: Callable[[Case[AnyCall]], Outcome]) -> dict[str, Outcome]:
    """Runs all cases, the longest first; returns the outcomes by the names of the cases."""
    longest_first = sorted(cases, key=_expected_duration, reverse=True)
    with ThreadPoolExecutor(at_once) as pool:
        return dict(zip([case.name for case in longest_first], pool.map(run, longest_first), strict=True))


def _expected_duration(case: Case[Any]) -> tuple[bool, int]:
    """Hangs take longest, then faults that do not end."""
    return "timeout_ms" in case.fault.rule, case.fault.injected[1] * ("times" not in case.fault.rule)
