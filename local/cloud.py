"""The local cloud as a context: both servers up on entry, both down on exit, whatever happened in between."""

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

from local import environment
from local.networks import remove_default_vpc
from local.processes import Server, free_port


@dataclass(frozen=True)
class Cloud:
    """A running local cloud."""

    variables: dict[str, str]
    """What leads a client there; all that another terminal needs."""
    logs: Path
    """Where the servers write."""
    _clients: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    @property
    def env(self) -> dict[str, str]:
        """The whole environment for a child process."""
        return dict(os.environ) | self.variables

    def client(self, service: str) -> Any:
        """A boto3 client that talks to the local cloud.

        Those of EC2 are one each, as wishes are hung on them (see `local.networks`). The others are shared: a test may
        want hundreds, and to make one costs more than to use it.
        """
        if service == "ec2":
            return self._new_client(service)
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._new_client(service)
            return self._clients[service]

    def _new_client(self, service: str) -> Any:
        session = boto3.session.Session(
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
            region_name=environment.REGION,
        )
        endpoint = self.variables["AWS_ENDPOINT_URL_EC2" if service == "ec2" else "AWS_ENDPOINT_URL"]
        return session.client(service, endpoint_url=endpoint, config=Config(max_pool_connections=50))

    def empty_the_region(self) -> None:
        """An EC2 in which nobody has done anything yet; not even the default VPC is there."""
        reset = urllib.request.Request(f"{self.variables['AWS_ENDPOINT_URL_EC2']}/moto-api/reset", method="POST")
        urllib.request.urlopen(reset, timeout=30).close()
        remove_default_vpc(self.client("ec2"))


@contextlib.contextmanager
def local_cloud(name: str) -> Iterator[Cloud]:
    """Starts the local cloud; `name` is the folder of its logs."""
    environment.forget_real_accounts()
    ec2_port, aws_port = free_port(), free_port()
    cloud = Cloud(environment.local_cloud(ec2_port, aws_port), environment.LOGS / name)

    with contextlib.ExitStack() as cleanup:
        # ministack unpacks functions into the temporary folder. One of its own goes away with it.
        scratch = tempfile.mkdtemp(prefix="gatewatch-")
        cleanup.callback(shutil.rmtree, scratch, ignore_errors=True)

        def start(module: str, *arguments: str) -> Server:
            python = environment.TOOLS / "cloud" / "bin" / "python"
            command = [str(python), "-m", f"local.{module}", *arguments]
            server = Server(
                module, command, cloud.env | {"TMPDIR": scratch}, environment.ROOT, cloud.logs / f"{module}.log"
            )
            cleanup.callback(server.stop)
            return server

        aws = start("rest_of_aws", "--port", str(aws_port))
        ec2 = start("ec2_peer", "--port", str(ec2_port), "--events-url", cloud.variables["AWS_ENDPOINT_URL"])
        ec2.wait_until_it_answers(f"http://127.0.0.1:{ec2_port}/moto-api/")
        aws.wait_until_it_answers(f"http://127.0.0.1:{aws_port}/_ministack/ready")
        cloud.empty_the_region()
        yield cloud


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Any wish to end the program ends it by an exception, so that every context is left in order.

    Only the first one counts: a second Ctrl-C while the cloud is being stopped must not leave half of it running.
    """
    wishes = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(*_: Any) -> None:
        for number in wishes:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in wishes:
        signal.signal(number, interrupt)
    yield
