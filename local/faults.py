"""AWS on a bad day: microburst before an endpoint, which throttles, refuses, resets, cuts answers short and hangs.

It speaks AWS's own error formats, so that the SDK sees what it would see of AWS. A rule says which calls it is for;
microburst's own README tells what else a rule can say.
"""

import contextlib
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local import environment
from local.cloud import Cloud
from local.processes import Server, free_port


def named(name: str) -> dict[str, str]:
    """The environment of a function whose calls are told from those of others. The dot ends the name: none is the
    beginning of another."""
    return {"AWS_SDK_UA_APP_ID": f"{name}."}


def calls_of(name: str) -> dict[str, str]:
    """The headers that such a function's calls have, and no other's: for a rule."""
    return {"user-agent": f"app/{name}."}


@dataclass(frozen=True)
class Proxy:
    """A running microburst."""

    url: str

    def inject(self, rule: dict[str, Any]) -> int:
        """Adds a rule, and gives its number."""
        [added] = self._control("PATCH", "rules", [rule])
        return added["id"]

    def heal(self, headers: dict[str, str] | None = None) -> None:
        """Takes away the rules for calls with these headers; all rules if none are given."""
        self._control("DELETE", "rules", [{"headers": headers}] if headers else [])

    def injected(self, rule: int) -> int:
        """How many faults a rule made, also if it was taken away."""
        return sum(each["fired"] for each in self._control("GET", "stats")["by_rule"] if each["id"] == rule)

    def _control(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/_microburst/{path}", data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


@contextlib.contextmanager
def proxy_before(cloud: Cloud, service: str) -> Iterator[Proxy]:
    """A proxy before this service of the local cloud. It passes everything on as long as it has no rule.

    What it passes on is signed anew, with the local cloud's own credentials: behind it, nothing is denied to a role.
    """
    upstream = cloud.client(service).meta.endpoint_url
    port, name = free_port(), f"{service}-faults"
    microburst = str(environment.TOOLS / "cloud" / "bin" / "microburst")
    # A signature is over the host too, and the host is another one behind the proxy.
    command = [microburst, "--host", "127.0.0.1", "--port", str(port), "--upstream", upstream, "--resign"]
    server = Server(name, command, cloud.env, environment.ROOT, cloud.logs / f"{name}.log")
    try:
        proxy = Proxy(f"http://127.0.0.1:{port}")
        server.wait_until_it_answers(f"{proxy.url}/_microburst/health")
        _warm_up(cloud, service, proxy)
        yield proxy
    finally:
        server.stop()


WARMING_CALL = {"ec2": "describe_regions", "sns": "list_topics", "dynamodb": "list_tables"}


def _warm_up(cloud: Cloud, service: str, proxy: Proxy) -> None:
    """The first fault takes seconds, as microburst loads AWS's models for it: longer than the function waits."""
    config = Config(read_timeout=60, retries={"total_max_attempts": 1})
    client = boto3.client(service, environment.REGION, endpoint_url=proxy.url, config=config,
                          aws_access_key_id="test", aws_secret_access_key="test")
    proxy.inject({"service": service, "error": {"code": "InternalError", "status": 500}})
    with contextlib.suppress(ClientError):
        getattr(client, WARMING_CALL[service])()
    proxy.heal()
