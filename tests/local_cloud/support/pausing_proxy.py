"""A proxy before ministack or a fault proxy: it counts calls, and pauses the calls that a test chooses.

microburst makes faults, and a fault is over once it has been answered. A test that kills a function in the middle of a
call must know when the call is made, and the call must last. The proxy forwards calls unchanged: their signatures stay
valid.
"""

import http.client
import json
import threading
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from local.cloud import Cloud
from local.waiting import wait_until

Answer = tuple[int, list[tuple[str, str]], bytes]


@dataclass(frozen=True)
class Pause:
    """Calls that never get an answer from this proxy."""

    operation: str
    having: str = ""
    """Text that the body of such a call contains."""
    forwarded: bool = False
    """Whether the call is forwarded first, so that only its answer is held back."""
    skipped: list[None] = field(default_factory=list)
    """One item for each such call that is still to pass."""
    _held: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def wait_for(self, calls: int, seconds: float) -> bool:
        """Waits until so many more calls are paused; returns whether they came in time."""
        return all(self._held.acquire(timeout=seconds) for _ in range(calls))

    def hold(self, end: threading.Event) -> None:
        """Holds a call until the proxy ends."""
        self._held.release()
        end.wait()


class PausingProxy:
    """A running proxy, for every service of ministack. `upstream` is the URL of another proxy before ministack."""

    def __init__(self, cloud: Cloud, upstream: str | None = None) -> None:
        self.cloud = cloud
        self.upstream = upstream or cloud.variables["AWS_ENDPOINT_URL"]
        self.calls: Counter[str] = Counter()
        """How many calls of each operation arrived, paused ones included."""
        self.queries: list[bytes] = []
        """The bodies of all Query calls: one for each page."""
        self.pauses: list[Pause] = []
        self.halves = 0
        """Of so many BatchWriteItem calls only the first half is still to be written."""
        self.forwarding = 0
        """How many calls have been forwarded and not been answered yet."""
        self.closed = threading.Event()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def pause(self, operation: str, having: str = "", forwarded: bool = False, skipped: int = 0) -> Pause:
        """Pauses these calls from now on, except for the first ones."""
        self.pauses.append(Pause(operation, having, forwarded, [None] * skipped))
        return self.pauses[-1]

    def close(self) -> None:
        """Ends the proxy. Drops paused calls, and waits for those that it has forwarded."""
        with self._server.lock:
            self.closed.set()
        wait_until(lambda: self.forwarding == 0, seconds=60, interval=0.005)
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def pausing_proxy(cloud: Cloud) -> Iterator[PausingProxy]:
    """Starts a proxy. It forwards everything as long as nothing is paused."""
    proxy = PausingProxy(cloud)
    try:
        yield proxy
    finally:
        proxy.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: PausingProxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy
        self.upstream = urllib.parse.urlsplit(proxy.upstream).netloc
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Prints nothing: a caller that is killed aborts its request."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        """Answers a ping of the warm-up, which is no call."""
        self._reply(200, [], b"healthy")

    def do_POST(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self._operation(body)
        with self.server.lock:
            proxy.calls[operation] += 1
            if operation == "Query":
                proxy.queries.append(body)
            halved = operation == "BatchWriteItem" and proxy.halves > 0
            proxy.halves -= halved
        pause = next((p for p in proxy.pauses if p.operation == operation and p.having.encode() in body), None)
        with self.server.lock:
            if pause and pause.skipped:
                pause.skipped.pop()
                pause = None
        if pause and not pause.forwarded:
            self._hold(pause)
            return
        answer = self._half_of(body) if halved else self._forward(body)
        if pause:
            self._hold(pause)
        else:
            self._reply(*answer)

    def _operation(self, body: bytes) -> str:
        """Reads the operation from a header or, for some services, from the form."""
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        return target or urllib.parse.parse_qs(body.decode()).get("Action", [""])[0]

    def _hold(self, pause: Pause) -> None:
        pause.hold(self.server.proxy.closed)
        self.close_connection = True

    def _forward(self, body: bytes) -> Answer:
        connection = http.client.HTTPConnection(self.server.upstream, timeout=60)
        self._count_forwarded(1)
        try:
            # With the caller's own Host header, because the signature covers it.
            connection.request("POST", self.path, body, dict(self.headers.items()))
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()
            self._count_forwarded(-1)

    def _count_forwarded(self, change: int) -> None:
        with self.server.lock:
            if change > 0 and self.server.proxy.closed.is_set():
                raise ConnectionAbortedError("the proxy is closed")
            self.server.proxy.forwarding += change

    def _half_of(self, body: bytes) -> Answer:
        """Acts like DynamoDB without enough capacity: writes half of a batch and returns the rest, under HTTP 200."""
        [(table, requests)] = json.loads(body)["RequestItems"].items()
        half = (len(requests) + 1) // 2
        written, rest = requests[:half], requests[half:]
        self.server.proxy.cloud.client("dynamodb").batch_write_item(RequestItems={table: written})
        answer = json.dumps({"UnprocessedItems": {table: rest} if rest else {}})
        return 200, [("Content-Type", "application/x-amz-json-1.0")], answer.encode()

    def _reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        # These headers describe the connection, not the answer.
        omitted = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in omitted:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Prints nothing."""
