"""A proxy in front of the EC2 server that records who made which call. It forwards every byte as it is."""

import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

PATHS = {
    "/2013-04-01/hostedzonesbyvpc": "route53:ListHostedZonesByVPC",
    "/profileassociations": "route53profiles:ListProfileAssociations",
    "/profileresourceassociations": "route53profiles:ListProfileResourceAssociations",
    "/restapis": "apigateway:GET",
}
"""The read-only calls of services that have a path for each call."""


class Call(NamedTuple):
    """A signed call."""

    key: str
    """The access key: that of a session begins with `ASIA`."""
    region: str
    action: str
    """As IAM names it. A call that is not known here is shown as its method and path."""


@dataclass
class CallRecorder:
    """A running proxy."""

    url: str = ""
    calls: set[Call] = field(default_factory=set)


@contextmanager
def record_calls(upstream: str) -> Iterator[CallRecorder]:
    """Records the calls to a server in this context."""
    recorder = CallRecorder()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if call := _call(self.command, self.path, dict(self.headers), body):
                recorder.calls.add(call)
            request = urllib.request.Request(
                upstream + self.path, body or None, dict(self.headers), method=self.command
            )
            try:
                answer = opener.open(request, timeout=30)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                content = answer.read()
                self.send_response(answer.status)
                for name in ("Content-Type", "x-amzn-RequestId"):
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _forward  # noqa: N815, RUF100

        def log_message(self, *_: object) -> None:
            """The log of the EC2 server is enough."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    recorder.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        server.server_close()


def _call(method: str, path: str, headers: dict[str, str], body: bytes) -> Call | None:
    """Returns the call of a request; nothing if it is not signed."""
    lower = {name.lower(): value for name, value in headers.items()}
    signed = re.search(r"Credential=(\w+)/\d+/([\w-]+)/", lower.get("authorization", ""))
    if not signed:
        return None
    form = urllib.parse.parse_qs(body.decode("utf-8", "replace"))
    bare = path.partition("?")[0]
    if "Action" in form:
        action = f"ec2:{form['Action'][0]}"
    elif target := lower.get("x-amz-target"):
        action = target.replace("Route53Resolver.", "route53resolver:")
    else:
        action = PATHS.get(bare, f"{method} {bare}") if method == "GET" else f"{method} {bare}"
    return Call(signed[1], signed[2], action)
