"""Microburst between the function and a service: it throttles, refuses, resets, truncates answers and hangs.

It speaks AWS's own error formats, so the SDK sees what it would see of AWS. A rule says which calls it is for; the
README of microburst says what else a rule can contain.
"""

import contextlib
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local import environment
from local.cloud import Cloud, new_client
from local.processes import Server, free_port

TRUNCATED: dict[str, Any] = {"response": {"truncate_frac": 0.5}}
"""A rule: the answer ends after its first half, under HTTP 200."""
RESET: dict[str, Any] = {"reset": True}
"""A rule: the connection is reset."""


def error(code: str, status: int, **limit: int) -> dict[str, Any]:
    """Returns a rule: the call is answered with an error."""
    return {"error": {"code": code, "status": status}} | limit


def hang(**limit: int) -> dict[str, Any]:
    """Returns a rule: the call gets no answer for longer than any call of the function may take."""
    return {"timeout_ms": 30_000} | limit


def user_agent(name: str) -> dict[str, str]:
    """Returns the environment that marks all calls of a function with a name. The dot ends the name."""
    return {"AWS_SDK_UA_APP_ID": f"{name}."}


def calls_of(name: str) -> dict[str, str]:
    """Returns the headers by which a rule finds the calls of that function, and no others."""
    return {"user-agent": f"app/{name}."}


@dataclass(frozen=True)
class FaultProxy:
    """A running microburst."""

    url: str

    def inject(self, rule: dict[str, Any]) -> int:
        """Adds a rule; returns its id."""
        [added] = self._control("PATCH", "rules", [rule])
        return int(added["id"])

    @contextlib.contextmanager
    def injecting(self, rule: dict[str, Any]) -> Iterator[int]:
        """Adds a rule for this context; returns its id."""
        try:
            yield self.inject(rule)
        finally:
            self.heal()

    def heal(self, headers: dict[str, str] | None = None) -> None:
        """Removes the rules for calls with these headers; all rules if none are given."""
        self._control("DELETE", "rules", [{"headers": headers}] if headers else [])

    def injected(self, rule: int) -> int:
        """Returns how many faults a rule has made, even if it has been removed."""
        return sum(each["fired"] for each in self._control("GET", "stats")["by_rule"] if each["id"] == rule)

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/_microburst/{path}", data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


@contextlib.contextmanager
def fault_proxy(cloud: Cloud, service: str, *beside: str) -> Iterator[FaultProxy]:
    """Starts a proxy for a service of the local cloud, and for others `beside` it that the same server answers.

    It forwards everything as long as it has no rule.

    It signs what it forwards anew, with the local cloud's own credentials: behind it, no role is denied anything.
    """
    upstream = cloud.client(service).meta.endpoint_url
    port, name = free_port(), f"{service}-faults"
    microburst = str(environment.TOOLS / "cloud" / "bin" / "microburst")
    # A signature covers the host, and the proxy has another host.
    command = [microburst, "--host", "127.0.0.1", "--port", str(port), "--upstream", upstream, "--resign"]
    server = Server(name, command, cloud.env, environment.ROOT, cloud.logs / f"{name}.log")
    try:
        proxy = FaultProxy(f"http://127.0.0.1:{port}")
        server.wait_until_it_answers(f"{proxy.url}/_microburst/health")
        for each in (service, *beside):
            _warm_up(each, proxy)
        yield proxy
    finally:
        server.stop()


WARM_UP_CALL = {
    "apigateway": "get_rest_apis",
    "dynamodb": "list_tables",
    "ec2": "describe_regions",
    "route53": "list_hosted_zones",
    "route53profiles": "list_profiles",
    "route53resolver": "list_resolver_rules",
    "sns": "list_topics",
}


def _warm_up(service: str, proxy: FaultProxy) -> None:
    """Makes one fault. The first takes seconds, because microburst loads AWS's models: the function would time out."""
    client = new_client(service, proxy.url, read_timeout=60, retries={"total_max_attempts": 1})
    proxy.inject(error("InternalError", 500) | {"service": service})
    with contextlib.suppress(ClientError):
        getattr(client, WARM_UP_CALL[service])()
    proxy.heal()
