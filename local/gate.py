"""A gate before AWS: it counts the calls that pass, and stops those that a test wants stopped.

microburst makes faults, and a fault is over when it was answered. Who wants to kill a caller in the middle of a call
needs to know when that is, and that it lasts. What passes is handed on byte by byte: its signature holds.
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
from typing import Any

from local.cloud import Cloud


@dataclass(frozen=True)
class Stop:
    """A call that is held, and for good: whoever made it gets no answer from this gate."""

    operation: str
    having: str = ""
    """What is in the body of such a call."""
    arrived: bool = False
    """Whether the call is handed on first, so that only its answer is held."""
    _held: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def wait_for(self, calls: int, seconds: float) -> bool:
        """Waits until so many more such calls are held; whether they were in time."""
        return all(self._held.acquire(timeout=seconds) for _ in range(calls))

    def hold(self, end: threading.Event) -> None:
        """Holds a call until then."""
        self._held.release()
        end.wait()


class Gate:
    """A running gate, for every service of ministack."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.calls: Counter[str] = Counter()
        """How many calls of each operation came, those that were stopped included."""
        self.stops: list[Stop] = []
        self.halves = 0
        """Of so many BatchWriteItem only the first half is still to be taken."""
        self.closed = threading.Event()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self, operation: str, having: str = "", arrived: bool = False) -> Stop:
        """From now on holds these calls."""
        self.stops.append(Stop(operation, having, arrived))
        return self.stops[-1]

    def close(self) -> None:
        """Lets go of what is held, without an answer."""
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def gate_before(cloud: Cloud) -> Iterator[Gate]:
    """A gate. It passes everything on as long as nothing is to be stopped."""
    gate = Gate(cloud)
    try:
        yield gate
    finally:
        gate.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, gate: Gate) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.gate = gate
        self.upstream = urllib.parse.urlsplit(gate.cloud.variables["AWS_ENDPOINT_URL"]).netloc
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, *_: Any) -> None:
        """Says nothing: a caller that was killed breaks off."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        gate = self.server.gate
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self._operation(body)
        with self.server.lock:
            gate.calls[operation] += 1
            halved = operation == "BatchWriteItem" and gate.halves > 0
            gate.halves -= halved
        stop = next((s for s in gate.stops if s.operation == operation and s.having.encode() in body), None)
        if stop and not stop.arrived:
            self._hold(stop)
            return
        answer = self._half_of(body) if halved else self._handed_on(body)
        if stop:
            self._hold(stop)
        else:
            self._reply(*answer)

    def _operation(self, body: bytes) -> str:
        """Some services name it in a header, some in a form."""
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        return target or urllib.parse.parse_qs(body.decode()).get("Action", [""])[0]

    def _hold(self, stop: Stop) -> None:
        stop.hold(self.server.gate.closed)
        self.close_connection = True

    def _handed_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.server.upstream, timeout=60)
        try:
            # With the caller's own Host header, which the signature is over.
            connection.request("POST", self.path, body, dict(self.headers.items()))
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _half_of(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        """As DynamoDB does that lacks capacity: writes some of a batch and gives the rest back, under HTTP 200."""
        [(table, requests)] = json.loads(body)["RequestItems"].items()
        taken, rest = requests[: (len(requests) + 1) // 2], requests[(len(requests) + 1) // 2 :]
        self.server.gate.cloud.client("dynamodb").batch_write_item(RequestItems={table: taken})
        answer = json.dumps({"UnprocessedItems": {table: rest} if rest else {}})
        return 200, [("Content-Type", "application/x-amz-json-1.0")], answer.encode()

    def _reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        # Of one hop, not of the answer.
        left_out = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in left_out:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""
