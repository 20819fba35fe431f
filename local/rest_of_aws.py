"""Everything of AWS but EC2: ministack, started so that it stays on this machine and takes the EC2 peer's events.

Three things of ministack 1.5.33 are changed, all where AWS does otherwise:

- PutEvents refuses sources that begin with `aws.`, as AWS does with everybody but itself. Here the EC2 peer is AWS.
- It gives a function at most 10 messages of a queue at once and never waits for more, whatever the event source mapping
  says about batches. Then one deployment makes several messages where AWS makes one.
- CloudFormation makes a DynamoDB table without its time to live, its point-in-time recovery and its encryption, though
  DynamoDB itself knows all three.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from local.environment import ACCOUNT, REGION
from local.lifeline import end_with_parent

BATCHING_WINDOW_SECONDS = 1.0
"""How long the first message waits for others; in the template it is longer, and nobody wants to wait for a test."""


def settings(port: int) -> dict[str, str]:
    """ministack's own variables. It reads them while it is imported, so they are set before."""
    scratch = Path(tempfile.gettempdir())
    return {
        "GATEWAY_PORT": str(port),
        # It binds every interface unless told otherwise.
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "S3_DATA_DIR": str(scratch / "s3"),
        "STATE_DIR": str(scratch / "state"),
        # Two more listeners that nobody here needs.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # Calls are checked against IAM, so that the function may do only what its role in the template says.
        "AUTH": "true",
        # No containers: a function runs as a process of this machine.
        "LAMBDA_EXECUTOR": "local",
        "DOCKER_HOST": "unix:///nonexistent",
    }


def accept_events_of_aws() -> None:
    """Lets PutEvents take `aws.*` sources: ministack has a parameter for its own emitters."""
    from ministack.services import eventbridge

    eventbridge._put_events.__defaults__ = (True,)


def gather_batches() -> None:
    """Gives a function as many messages as its event source mapping says, after a batching window."""
    from ministack.services import sqs

    receive_at_most_ten = sqs._receive_messages_for_esm

    def receive(queue_url: str, batch_size: int) -> list[dict[str, Any]]:
        now = time.time()
        waiting = [at for message in sqs._queues[queue_url]["messages"] if (at := message["visible_at"]) <= now]
        if len(waiting) < batch_size and now - min(waiting, default=now) < BATCHING_WINDOW_SECONDS:
            return []
        batch: list[dict[str, Any]] = []
        while len(batch) < batch_size and (more := receive_at_most_ten(queue_url, batch_size - len(batch))):
            batch += more
        return batch

    sqs._receive_messages_for_esm = receive


def make_whole_tables() -> None:
    """Gives a table that CloudFormation makes all that its template asks for."""
    from ministack.services import dynamodb
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]
    create = handlers["create"]

    def create_whole(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
        name, attributes = create(logical_id, properties, stack)
        for setting, update in (
            ("TimeToLiveSpecification", dynamodb._update_ttl),
            ("PointInTimeRecoverySpecification", dynamodb._update_continuous_backups),
        ):
            if setting in properties:
                update({"TableName": name, setting: properties[setting]})
        if encryption := properties.get("SSESpecification"):
            # What DynamoDB's own API calls Enabled, CloudFormation calls SSEEnabled.
            asked = {**encryption, "Enabled": encryption["SSEEnabled"]}
            dynamodb._tables[name]["SSEDescription"] = dynamodb._sse_description_from_spec(asked)
        return name, attributes

    handlers["create"] = create_whole


def main() -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    os.environ.update(settings(parser.parse_args().port))
    end_with_parent()

    import ministack.app

    accept_events_of_aws()
    gather_batches()
    make_whole_tables()
    sys.argv = sys.argv[:1]  # ministack parses the command line too
    ministack.app.main()


if __name__ == "__main__":
    main()
