"""Caches whole lists, to cut their later pages from them.

moto makes the whole list for each page, which takes a second where there are thousands of route tables. The cache is
cleared with each change, so no page is older than the network.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from werkzeug.wrappers import Response


class ListCache:
    """Whole lists by the request that they answer."""

    def __init__(self) -> None:
        self._lists: dict[frozenset[tuple[str, str]], Response] = {}
        self._lock = threading.Lock()
        self.version = 0
        """Counts up before and after each change: a list that was made during a change has an old version."""

    def get(self, form: dict[str, str]) -> Response | None:
        """Returns the whole list of which the request asks for a page."""
        known = self._lists.get(self._key(form))
        return known and self._copy(known)

    def put(self, form: dict[str, str], whole: Response, version: int) -> None:
        """Stores a list, unless something has changed since this version."""
        with self._lock:
            if version == self.version:
                self._lists[self._key(form)] = self._copy(whole)

    @contextmanager
    def invalidated(self, changes: bool) -> Iterator[None]:
        """Clears the cache before and after a call that changes something."""
        self._clear(changes)
        try:
            yield
        finally:
            self._clear(changes)

    def _clear(self, changes: bool) -> None:
        if changes:
            with self._lock:
                self.version += 1
                self._lists.clear()

    @staticmethod
    def _copy(answer: Response) -> Response:
        """Copies the headers too: the request id is one of them."""
        return Response(answer.get_data(), answer.status, answer.headers.copy())

    @staticmethod
    def _key(form: dict[str, str]) -> frozenset[tuple[str, str]]:
        return frozenset(each for each in form.items() if each[0] not in ("NextToken", "MaxResults"))
