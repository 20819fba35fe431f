"""The function's binary without Lambda: a Runtime API of our own, for as many processes at once as a test needs.

There is one deployed function, and the template sets its deadline. Here each test has its own process, with the
environment and the deadline that it chooses (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
"""

import json
import os
import queue
import re
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from local import environment, schemas
from local.deployment import BUILT, InvocationFailed
from local.processes import ProcessFailed, Server

BINARY = Path(os.environ.get("GATEWATCH_BINARY") or BUILT / "GatewatchFunction" / "bootstrap")
"""The binary that `sam build` built, unless `GATEWATCH_BINARY` names another one."""
ARN = f"arn:aws:lambda:{environment.REGION}:{environment.ACCOUNT}:function:bare"


class BareFunction:
    """A running binary, which handles one payload after the other. A context manager: it is stopped at the end."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        self.log = log
        self._api = _RuntimeApi()
        lambda_variables = {"AWS_LAMBDA_RUNTIME_API": self._api.address, "AWS_LAMBDA_LOG_FORMAT": "JSON"}
        for name in ("NAME", "VERSION", "MEMORY_SIZE"):
            lambda_variables[f"AWS_LAMBDA_FUNCTION_{name}"] = "256"
        self._process = Server("the function", [str(BINARY)], env | lambda_variables, environment.ROOT, log)

    def __enter__(self) -> "BareFunction":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()
        self._api.shutdown()
        self._api.server_close()

    def begin(self, payload: Any, seconds: float = 60) -> None:
        """Hands over a payload without waiting for the answer."""
        self._api.invocations.put((payload, time.time() + seconds))

    def kill(self) -> None:
        """Kills the process, as a power failure would."""
        self._process.kill()

    @property
    def peak_memory(self) -> int:
        """Returns how many bytes of memory the process has had at most, its code included."""
        return self._process.peak_memory

    @property
    def has_answered(self) -> bool:
        """Whether there is an answer that nobody has taken."""
        return not self._api.answers.empty()

    @property
    def request_id(self) -> str:
        """The request id of the last payload that the process has taken."""
        return self._api.request_id

    def invoke(self, payload: Any, seconds: float = 60) -> Any:
        """Returns the answer to a payload, or raises `InvocationFailed`. `seconds` is the function's timeout."""
        self.begin(payload, seconds)
        return self.answer(seconds)

    def answer(self, seconds: float = 60) -> Any:
        """Waits for the answer to a payload that was handed over."""
        try:
            failed, answer = self._api.answers.get(timeout=seconds + 5)
        except queue.Empty:
            raise ProcessFailed(f"no answer within {seconds:.0f} s; the function's log: {self.log}") from None
        if failed:
            raise InvocationFailed(answer)
        return schemas.validate("answer", answer)

    def answer_or_error(self, payload: Any, seconds: float = 60) -> Any:
        """Returns the answer, or the error without the request ids in it."""
        try:
            return self.invoke(payload, seconds)
        except InvocationFailed as failure:
            return {name: without_request_ids(failure.error[name]) for name in ("errorType", "errorMessage")}

    def logged_errors(self) -> list[str]:
        """Returns the errors of failed records from the log, without the request ids in them."""
        lines = [json.loads(line)["fields"] for line in self.log.read_text().splitlines() if line.startswith("{")]
        failures = [line for line in lines if "error_type" in line]
        return [f"{line['error_type']}: {without_request_ids(json.loads(line['error']))}" for line in failures]


def without_request_ids(text: str) -> str:
    """Replaces request ids, so that the text is the same in each run."""
    return re.sub(r"request id [\w-]+", "request id …", text)


class _RuntimeApi(ThreadingHTTPServer):
    """`GET …/next` waits for an invocation, `POST …/response` or `…/error` answers it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.invocations: queue.Queue[tuple[Any, float]] = queue.Queue()
        self.answers: queue.Queue[tuple[bool, Any]] = queue.Queue()
        self.request_id = ""
        self.address = f"127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Prints nothing: a function that is stopped aborts the request in which it waits."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _RuntimeApi

    def do_GET(self) -> None:
        payload, deadline = self.server.invocations.get()
        self.server.request_id = str(uuid.uuid4())
        headers = {
            "Lambda-Runtime-Aws-Request-Id": self.server.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": ARN,
        }
        self._reply(200, json.dumps(payload).encode(), headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._reply(202, b"", {})
        self.server.answers.put((self.path.endswith("/error"), json.loads(body)))

    def _reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Prints nothing."""
