"""The stand-in for EC2, SNS, STS, DynamoDB and the Runtime API: see `bench/stand_in`."""

import http.client
import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.build import RESULTS
from local.environment import ACCOUNT, NO_REAL_ACCOUNT, REGION

SYSTEM_AUTHORITIES = (Path("/etc/pki/tls/certs/ca-bundle.crt"), Path("/etc/ssl/certs/ca-certificates.crt"))
"""The root certificates of the system: in Amazon Linux, and in Debian."""


def cpu_ms(pid: int) -> float:
    """The CPU time of a process. The number of the clock is that of clock_getcpuclockid(3) on Linux."""
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e6


class MeasurementFailed(Exception):
    """The measured function did not do what it should, so there is nothing to measure."""


@dataclass(frozen=True)
class Answer:
    """An answer of the function."""

    ms: float
    """From the event to its answer."""
    failed: bool
    text: str
    """The answer itself. Empty if it is longer than a MiB."""


class StandIn:
    """The running stand-in. A context manager."""

    def __init__(self, binary: Path) -> None:
        own = RESULTS / "authority.pem"
        self._process = subprocess.Popen([str(binary), str(own)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout
        self._ports: dict[str, int] = json.loads(self._process.stdout.readline())
        # On Lambda a function loads the roots of the system, more than a hundred. It has to do so here as well.
        roots = [file.read_text() for file in SYSTEM_AUTHORITIES if file.exists()][:1]
        self.authorities = RESULTS / "authorities.pem"
        self.authorities.write_text("\n".join([*roots, own.read_text()]))

    def __enter__(self) -> "StandIn":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()

    def port(self, service: str) -> int:
        """The port of a service."""
        return self._ports[service]

    def url(self, service: str) -> str:
        """The endpoint of a service."""
        return f"https://localhost:{self.port(service)}"

    def cpu_ms(self) -> float:
        """The CPU time of all threads so far."""
        return cpu_ms(self._process.pid)

    def variables(self, history: bool) -> dict[str, str]:
        """The environment of a function that is to be measured: all of it."""
        urls = {f"AWS_ENDPOINT_URL_{name.upper()}": self.url(name) for name in ("ec2", "sns", "dynamodb")}
        names = {f"AWS_LAMBDA_FUNCTION_{name}": "256" for name in ("NAME", "VERSION", "MEMORY_SIZE")}
        table = {"LEDGER_TABLE": "history"} if history else {}
        return (
            NO_REAL_ACCOUNT
            | urls
            | names
            | table
            | {
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._ports['control']}",
                "AWS_LAMBDA_LOG_FORMAT": "JSON",
                "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/measured",
                "AWS_LAMBDA_LOG_STREAM_NAME": "1",
                "AWS_REGION": REGION,
                "AWS_DEFAULT_REGION": REGION,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_SESSION_TOKEN": "test",
                "TOPIC_ARN": f"arn:aws:sns:{REGION}:{ACCOUNT}:findings",
                # rustls reads this one, boto3 the other.
                "SSL_CERT_FILE": str(self.authorities),
                "AWS_CA_BUNDLE": str(self.authorities),
            }
        )

    def reset(
        self,
        vpcs: int,
        gaps: int = 0,
        latency_ms: int = 0,
        buckets: bool = False,
        keeps_writes: bool = False,
        interface_endpoints: int = 0,
    ) -> None:
        """Sets up the network for the next measurement. The history is empty, the buckets full, the counters zero."""
        settings = {
            "vpcs": vpcs,
            "gaps": gaps,
            "latency_ms": latency_ms,
            "buckets": buckets,
            "keeps_writes": keeps_writes,
            "interface_endpoints": interface_endpoints,
        }
        self._control("reset", settings)

    def zero(self) -> None:
        """Sets the counters to zero and fills the buckets."""
        self._control("zero")

    def set_latency(self, latency_ms: int) -> None:
        """Changes nothing but the time that every call takes."""
        self._control("latency", latency_ms)

    def counters(self) -> dict[str, Any]:
        """What was called since the reset."""
        counters: dict[str, Any] = self._control("counters")
        return counters

    def forget(self) -> None:
        """Forgets a function that was killed."""
        self._control("forget")

    def ready(self, seconds: float = 120) -> int:
        """Waits until the function waits for an event; since when it does, in nanoseconds since 1970."""
        since: int = self._control("ready", timeout=seconds)["since"]
        return since

    def invoke(self, event: Mapping[str, Any], seconds: float = 300) -> Answer:
        """Hands an event over and waits for the answer."""
        answer = self._control("invoke", event, timeout=seconds)
        ms = (answer["answered_at"] - answer["handed_at"]) / 1e6
        return Answer(ms, answer["failed"], answer["text"])

    def _control(self, name: str, content: Mapping[str, Any] | int | None = None, timeout: float = 60) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._ports["control"], timeout=timeout)
        try:
            connection.request("POST", f"/control/{name}", json.dumps({} if content is None else content))
            response = connection.getresponse()
            body = response.read()
        except TimeoutError:
            raise MeasurementFailed(f"no {name} within {timeout:.0f} s; see {RESULTS}/function.log") from None
        finally:
            connection.close()
        if response.status != 200:
            raise MeasurementFailed(f"the stand-in refuses {name}: {body.decode()}")
        return json.loads(body)
