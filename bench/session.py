"""What every part of the benchmark needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.build import Binaries
from bench.function import Program
from bench.stand_in import StandIn


@dataclass(frozen=True)
class Session:
    """The binaries, the stand-in, and the raw results, which the plots show."""

    binaries: Binaries
    programs: Mapping[str, Program]
    stand_in: StandIn
    results: dict[str, Any] = field(default_factory=dict)
