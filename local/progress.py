"""Prints the progress of a program: numbered steps, how long each took, and why one failed."""

import contextlib
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

WIDTH = 100


class Progress:
    """Prints the steps of one program."""

    def __init__(self, steps: int, logs: Path) -> None:
        self._steps, self._logs = steps, logs
        self._step = 0

    @contextlib.contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Prints the title of a step, then its duration. A failure ends the program and names the logs."""
        self._step += 1
        print(f"\n[{self._step}/{self._steps}] {text}", flush=True)
        start = time.monotonic()
        try:
            yield
        except KeyboardInterrupt:
            raise
        except Exception as error:
            print(f"\n    This step failed: {error}\n\n    The logs are in {self._logs}", flush=True)
            raise SystemExit(1) from error
        print(f"      done in {time.monotonic() - start:.1f} s", flush=True)

    def paragraph(self, text: str, indent: int = 6) -> None:
        """Prints text, wrapped."""
        prefix = " " * indent
        wrapped = textwrap.fill(
            text, WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_on_hyphens=False, break_long_words=False
        )
        print(wrapped, flush=True)

    def block(self, text: str, indent: int = 6) -> None:
        """Prints text as it is, line by line."""
        print(textwrap.indent(text, " " * indent), flush=True)
