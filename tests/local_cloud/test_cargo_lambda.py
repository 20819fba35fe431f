"""What `make local` is for: `cargo lambda watch` runs the function, and `cargo lambda invoke` sends it the events.

The answers must be those of the deployed function: test_events.py compares them, and can write them anew.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import environment, schemas
from local.cloud import Cloud
from local.inbox import subscribe_queue
from local.networks import build_network_of_events
from local.processes import Server, free_port
from tests.local_cloud.test_events import ANSWERS, EVENTS


@pytest.fixture(scope="module")
def port(cloud: Cloud) -> Iterator[int]:
    """The port of `cargo lambda watch`, in a cloud with the network of events/."""
    cloud.empty_the_region()
    build_network_of_events(cloud.client("ec2"))
    topic = cloud.client("sns").create_topic(Name="watched")["TopicArn"]
    subscribe_queue(cloud, topic, "watched")
    listening = free_port()
    command = ["cargo", "lambda", "watch", "--wait", "--invoke-address", "127.0.0.1", "--invoke-port", str(listening)]
    watch = Server("watch", command, cloud.env | {"TOPIC_ARN": topic}, environment.ROOT, cloud.logs / "watch.log")
    try:
        # It answers when the function is compiled.
        watch.wait_until_it_answers(f"http://127.0.0.1:{listening}/", seconds=900)
        yield listening
    finally:
        watch.stop()


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_answer(path: Path, port: int, cloud: Cloud) -> None:
    expected = json.loads((ANSWERS / path.name).read_text())
    command = ["cargo", "lambda", "invoke", "--invoke-address", "127.0.0.1", "--invoke-port", str(port)]

    done = subprocess.run(
        [*command, "--data-file", str(path)],
        env=cloud.env,
        cwd=environment.ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    if "answer" in expected:
        assert done.returncode == 0, done.stderr
        assert schemas.validate("answer", json.loads(done.stdout)) == expected["answer"]
    else:
        assert done.returncode != 0
        assert expected["error"]["errorType"] in done.stderr
