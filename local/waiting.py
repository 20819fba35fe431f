"""Waits for a condition, and no longer than needed."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], seconds: float, interval: float = 0.05) -> T:
    """Evaluates the condition until its value is true or the time is over; returns the last value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(interval)
    return value
