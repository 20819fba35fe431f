"""Medians, their spread, and the table."""

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

RUNS = int(os.environ.get("RUNS", "20"))
"""How often each measurement is repeated."""


@dataclass(frozen=True)
class Figure:
    """A measured quantity."""

    median: float
    p10: float
    p90: float


@dataclass(frozen=True)
class Row:
    """A line of the table: a measurement, and what it is compared with."""

    what: str
    figure: Figure
    unit: str
    reference: str = ""
    ratio: float | None = None

    def markdown(self) -> str:
        """The line."""
        spread = f"{number(self.figure.p10)} to {number(self.figure.p90)}"
        spread = "" if self.figure.p10 == self.figure.p90 else spread
        ratio = "" if self.ratio is None else quotient(self.ratio)
        return f"| {self.what} | {number(self.figure.median)} {self.unit} | {spread} | {self.reference} | {ratio} |"


def figure(samples: Sequence[float]) -> Figure:
    """The median of some samples, and the range of all but the lowest and the highest tenth."""
    if len(samples) == 1:
        return Figure(samples[0], samples[0], samples[0])
    tenths = statistics.quantiles(samples, n=10, method="inclusive")
    return Figure(statistics.median(samples), tenths[0], tenths[-1])


def exactly(value: float) -> Figure:
    """A quantity that is the same each time."""
    return Figure(value, value, value)


def compared(what: str, samples: Sequence[float], unit: str, with_what: str, reference: float, target: str = "") -> Row:
    """A row with the ratio to a reference, and what the ratio should be at most."""
    found = figure(samples)
    text = f"{with_what}: {number(reference)} {unit}".rstrip() + (f"; target: {target}" if target else "")
    return Row(what, found, unit, text, found.median / reference if reference else None)


def quotient(ratio: float) -> str:
    """A ratio. A small one is written as a fraction, which says how many times less it is."""
    return f"1/{number(1 / ratio)}" if 0 < ratio < 0.67 else f"{ratio:.2f}"


def number(value: float) -> str:
    """Three significant digits, and all digits before the point."""
    digits = 0 if abs(value) >= 100 or value == round(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def table(rows: Sequence[Row]) -> str:
    """The table in Markdown."""
    head = ["| measurement | median | p10 to p90 | compared with | ratio |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(row.markdown() for row in rows)])
