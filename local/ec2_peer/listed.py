"""Lists as moto gave them, for their later pages: moto makes the whole list for each, and that takes it a second where
there are thousands of tables. Nothing is kept beyond the next change, so that no page is older than the network.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.wrappers import Response


class Listed:
    """Whole lists, by what was asked for."""

    def __init__(self) -> None:
        self._lists: dict[frozenset[tuple[str, str]], Response] = {}
        self._lock = threading.Lock()
        self.state = 0
        """Counts the changes, before and after each: a list that was made meanwhile is of neither state."""

    def get(self, form: dict[str, str]) -> Response | None:
        """The whole list of which this asks for a page."""
        known = self._lists.get(self._key(form))
        return known and self._copy(known)

    def keep(self, form: dict[str, str], whole: Response, state: int) -> None:
        """Keeps a list, if nothing has changed since this state."""
        with self._lock:
            if state == self.state:
                self._lists[self._key(form)] = self._copy(whole)

    @contextmanager
    def changing(self, changes: bool) -> Iterator[None]:
        """While it holds, something may change."""
        self._forget(changes)
        try:
            yield
        finally:
            self._forget(changes)

    def _forget(self, changes: bool) -> None:
        if changes:
            with self._lock:
                self.state += 1
                self._lists.clear()

    @staticmethod
    def _copy(answer: Response) -> Response:
        """With all headers: the request id is one."""
        return Response(answer.get_data(), answer.status, answer.headers.copy())

    @staticmethod
    def _key(form: dict[str, str]) -> frozenset[tuple[str, str]]:
        return frozenset(each for each in form.items() if each[0] not in ("NextToken", "MaxResults"))
