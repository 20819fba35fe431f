"""The local cloud as a context manager: both servers run inside it, and are always stopped at its end."""

import contextlib
import os
import shutil
import signal
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local import environment, organization_file
from local.networks import remove_default_vpc
from local.processes import Server, free_port
from local.waiting import wait_until


@dataclass(frozen=True)
class Cloud:
    """A running local cloud."""

    variables: dict[str, str]
    """The variables that lead a client there: all that another terminal needs."""
    logs: Path
    """The folder of the servers' logs."""
    _clients: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    @property
    def env(self) -> dict[str, str]:
        """The whole environment for a child process."""
        return dict(os.environ) | self.variables

    def client(self, service: str) -> Any:
        """Returns a boto3 client of the local cloud.

        Each caller gets its own EC2 client, because headers are attached to it (see `local.networks`). Other clients
        are shared: a test may want hundreds, and creating one costs more than using it.
        """
        if service == "ec2":
            return self._new_client(service)
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._new_client(service)
            return self._clients[service]

    def client_in(self, account: str, region: str, service: str) -> Any:
        """Returns a client of another account or Region of an organization. It may do everything there."""
        return self._new_client(service, region=region, key=account)

    def client_with(self, service: str, credentials: dict[str, str], region: str = environment.REGION) -> Any:
        """Returns a client with other credentials, as boto3 names them. It does not try anything again."""
        client: Any = boto3.session.Session().client
        return client(
            service, region, endpoint_url=self._url(service), config=Config(retries={"max_attempts": 0}), **credentials
        )

    def _new_client(self, service: str, **scope: str) -> Any:
        return new_client(service, self._url(service), **scope)

    def _url(self, service: str) -> str:
        return self.variables[environment.BESIDE_EC2.get(service, "AWS_ENDPOINT_URL")]

    def empty_the_region(self) -> None:
        """Removes everything from EC2 and the services beside it, the default VPC included."""
        reset = urllib.request.Request(f"{self.variables['AWS_ENDPOINT_URL_EC2']}/moto-api/reset", method="POST")
        urllib.request.urlopen(reset, timeout=30).close()
        remove_default_vpc(self.client("ec2"))

    def unsent_events(self) -> int:
        """Returns how many changes in EC2 EventBridge has not received yet."""
        with urllib.request.urlopen(f"{self.variables['AWS_ENDPOINT_URL_EC2']}/unsent-events", timeout=30) as answer:
            return int(answer.read())

    def wait_until_events_are_sent(self, seconds: float) -> bool:
        """Waits until EventBridge has received every change in EC2; returns whether it has."""
        return wait_until(lambda: self.unsent_events() == 0, seconds)


def new_client(service: str, url: str, region: str = environment.REGION, key: str = "test", **config: Any) -> Any:
    """Creates a boto3 client that talks to a server of this machine.

    `key` is the access key: twelve digits act as that account, and `test` as the account in `environment`.
    """
    # One session each: boto3's default session must not be shared by threads.
    client: Any = boto3.session.Session().client
    return client(
        service,
        region,
        endpoint_url=url,
        aws_access_key_id=key,
        aws_secret_access_key="test",
        config=Config(max_pool_connections=50, **config),
    )


@contextlib.contextmanager
def local_cloud(name: str, organization: Path | None = None) -> Iterator[Cloud]:
    """Starts the local cloud; `name` is the folder of its logs.

    `organization` is the file of its organization: see `organization_file`. Without it there is a single account.
    """
    environment.forget_real_accounts()
    ec2_port, aws_port = free_port(), free_port()
    cloud = Cloud(environment.local_cloud(ec2_port, aws_port), environment.LOGS / name)

    with contextlib.ExitStack() as cleanup:
        # ministack unpacks functions into the temporary folder. This one is removed with it.
        scratch = tempfile.mkdtemp(prefix="gatewatch-")
        cleanup.callback(shutil.rmtree, scratch, ignore_errors=True)
        own = {"TMPDIR": scratch} | ({organization_file.VARIABLE: str(organization)} if organization else {})

        def start(module: str, *arguments: str) -> Server:
            python = environment.TOOLS / "cloud" / "bin" / "python"
            command = [str(python), "-m", f"local.{module}", *arguments]
            server = Server(module, command, cloud.env | own, environment.ROOT, cloud.logs / f"{module}.log")
            cleanup.callback(server.stop)
            return server

        aws = start("ministack_server", "--port", str(aws_port))
        ec2 = start("ec2_server", "--port", str(ec2_port), "--events-url", cloud.variables["AWS_ENDPOINT_URL"])
        ec2.wait_until_it_answers(f"http://127.0.0.1:{ec2_port}/moto-api/")
        aws.wait_until_it_answers(f"http://127.0.0.1:{aws_port}/_ministack/ready")
        cloud.empty_the_region()
        yield cloud


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turns every signal that ends the program into an exception, so that every context manager cleans up.

    Only the first signal counts: a second Ctrl-C while the cloud is being stopped must not leave half of it running.
    """
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(*_: Any) -> None:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in signals:
        signal.signal(number, interrupt)
    yield
