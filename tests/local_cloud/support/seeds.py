"""The seeds of random tests: fixed, unless `GATEWATCH_SEEDS=random`. `GATEWATCH_SEED="1 2 3"` sets them.

A test that uses a seed prints it: at the end of pytest's output, and when it fails.
"""

import os
import random


def seeds(fixed: list[int], always: tuple[int, ...] = ()) -> list[int]:
    """Returns the seeds of one test: as many as `fixed` has, and before them those that are used in every run."""
    if chosen := os.environ.get("GATEWATCH_SEED", "").split():
        return [int(seed) for seed in chosen]
    kind = os.environ.get("GATEWATCH_SEEDS", "fixed")
    if kind not in ("fixed", "random"):
        raise ValueError(f"GATEWATCH_SEEDS is {kind!r}; allowed are 'fixed' and 'random'")
    # Not `random.sample`: the workers of pytest-xdist must collect the same tests, so they share one source.
    chance = random.Random(os.environ.get("PYTEST_XDIST_TESTRUNUID")) if kind == "random" else None
    return [*always, *([chance.randrange(1_000_000) for _ in fixed] if chance else fixed)]
