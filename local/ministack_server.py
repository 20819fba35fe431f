"""Everything of AWS except EC2: ministack, which stays on this machine and accepts the EC2 server's events.

Eight functions below each close a gap of ministack 1.5.33. A function first looks for its gap. If ministack has closed
it, the function fails: then remove it. For an organization `organization_gaps`, `event_bus_gaps` and
`state_machine_gaps` close more of them.
"""

import argparse
import inspect
import os
import re
import socketserver
import sys
import tempfile
import threading
import time
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from local import event_bus_gaps, organization_gaps, state_machine_gaps
from local.environment import ACCOUNT, REGION
from local.exit_with_parent import exit_with_parent
from local.ministack_gap import GapClosed
from local.organization_file import OrganizationReader

BATCHING_WINDOW_SECONDS = 1.0
"""How long the first message waits for others. The template has a longer window, for which no test should wait."""
POLL_SECONDS = 0.1
"""How often a queue is polled for a function, and how soon an invocation ends after its answer."""


def settings(port: int) -> dict[str, str]:
    """Returns ministack's own variables. ministack reads them while it is imported, so they must be set before."""
    scratch = Path(tempfile.gettempdir())
    return {
        "GATEWAY_PORT": str(port),
        # By default it binds every interface.
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "S3_DATA_DIR": str(scratch / "s3"),
        "STATE_DIR": str(scratch / "state"),
        # Two more listeners that nobody needs here.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # Calls are checked against IAM, so that the function may do only what its role in the template allows.
        "AUTH": "true",
        # A state machine waits a twentieth of what it says before it tries again.
        "SFN_WAIT_SCALE": "0.05",
        # No containers: a function runs as a process of this machine.
        "LAMBDA_EXECUTOR": "local",
        "DOCKER_HOST": "unix:///nonexistent",
    }


def accept_events_of_aws() -> None:
    """Gap: PutEvents refuses `aws.*` sources, as AWS does for its customers. Here the EC2 server acts for AWS."""
    from ministack.services import eventbridge

    if eventbridge._put_events.__defaults__ != (False,):
        raise GapClosed("PutEvents does not refuse `aws.*` sources by default")
    eventbridge._put_events.__defaults__ = (True,)


def gather_batches() -> None:
    """Gap: a function receives at most 10 messages at once, without a batching window, whatever its mapping says.

    One deployment would then make several notifications, where AWS makes one.
    """
    from ministack.services import sqs

    receive_at_most_ten = sqs._receive_messages_for_esm
    if "min(int(max_number or 1), 10)" not in inspect.getsource(receive_at_most_ten):
        raise GapClosed("a batch is not limited to 10 messages")

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


def create_whole_tables() -> None:
    """Gap: CloudFormation creates a table without its time to live, point-in-time recovery and encryption.

    DynamoDB itself knows all three.
    """
    from ministack.services import dynamodb
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]
    create = handlers["create"]

    def create_whole(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
        name, attributes = create(logical_id, properties, stack)
        known = (dynamodb._ttl_settings.get(name), dynamodb._pitr_settings.get(name), dynamodb._tables[name])
        if known[0] or known[1] or known[2].get("SSEDescription"):
            raise GapClosed("CloudFormation creates a table with its time to live, backups or encryption")
        for setting, update in (
            ("TimeToLiveSpecification", dynamodb._update_ttl),
            ("PointInTimeRecoverySpecification", dynamodb._update_continuous_backups),
        ):
            if setting in properties:
                update({"TableName": name, setting: properties[setting]})
        if encryption := properties.get("SSESpecification"):
            # DynamoDB's own API calls this Enabled, CloudFormation calls it SSEEnabled.
            specification = {**encryption, "Enabled": encryption["SSEEnabled"]}
            dynamodb._tables[name]["SSEDescription"] = dynamodb._sse_description_from_spec(specification)
        return name, attributes

    handlers["create"] = create_whole


LARGE_PARTITION = 2_000
"""In smaller partitions a query is fast enough as it is."""
KEY_CONDITION = re.compile(r"pk = (:\w+)(?: AND begins_with\(sk, (:\w+)\))?")
"""The queries of gatewatch: a partition, or the rows of a VPC in it."""
READING = {
    "TableName",
    "KeyConditionExpression",
    "ExpressionAttributeValues",
    "ConsistentRead",
    "ExclusiveStartKey",
}
"""The parameters of these queries. A query with others is left as it is."""


def read_only_a_page() -> None:
    """Gap: a query sorts and checks its whole partition for each page: three seconds for 100,000 rows.

    DynamoDB starts at a key and stops after 1 MB. The function waits two seconds for a page.
    """
    from ministack.services import dynamodb

    query = dynamodb._query
    if 'candidates = list(table["items"].get(pk_val, {}).values())' not in inspect.getsource(query):
        raise GapClosed("a query does not read its whole partition for each page")

    def query_near_the_page(request: dict[str, Any]) -> Any:
        condition = KEY_CONDITION.fullmatch(request.get("KeyConditionExpression", ""))
        table = dynamodb._tables.get(request.get("TableName"))
        if not table or not condition or not request.keys() <= READING:
            return query(request)
        partition, prefix = (
            request["ExpressionAttributeValues"][name]["S"] if name else "" for name in condition.groups()
        )
        rows = table["items"].get(partition, {})
        if len(rows) < LARGE_PARTITION:
            return query(request)
        keys = sorted(rows)
        first = bisect_left(keys, prefix)
        if "ExclusiveStartKey" in request:
            first = max(first, bisect_right(keys, request["ExclusiveStartKey"]["sk"]["S"]))
        near: dict[str, Any] = {}
        size = 0
        for key in keys[first:]:
            near[key] = rows[key]
            size += dynamodb._item_size_bytes(rows[key])
            if size > 2 * dynamodb._DDB_PAGE_SIZE_BYTES:
                break
        # Handlers run one after the other; only the thread that expires rows has to wait.
        with dynamodb._lock:
            table["items"][partition] = near
            try:
                return query(request)
            finally:
                table["items"][partition] = rows

    dynamodb._query = query_near_the_page


def poll_queues_often() -> None:
    """Gap: an idle queue is polled once a second. Lambda polls all the time."""
    from ministack.core.concurrency import esm_wake
    from ministack.services import lambda_svc

    if "_esm_wake.wait(1 if" not in inspect.getsource(lambda_svc._poll_loop):
        raise GapClosed("an idle queue is not polled once a second")

    def wake() -> None:
        while True:
            time.sleep(POLL_SECONDS)
            esm_wake.set()

    threading.Thread(target=wake, daemon=True).start()


def end_invocations_at_once() -> None:
    """Gap: an invocation ends up to half a second after its answer, because its server polls for its own end."""
    defaults = socketserver.BaseServer.serve_forever.__defaults__
    if defaults != (0.5,):
        raise GapClosed(f"a server looks for its end every {defaults} s")
    socketserver.BaseServer.serve_forever.__defaults__ = (POLL_SECONDS,)


PROTOCOL_HEADER = b"x-forwarded-proto"
"""With the value `http`, a call counts as made without TLS."""


def count_calls_as_encrypted() -> None:
    """Gap: policies see every call as made without TLS, because this server has none. AWS's endpoints have it.

    The template denies calls without TLS, and would deny everything here.
    """
    import ministack.app
    from ministack.core import iam_evaluator

    if iam_evaluator._request_origin.get() != ("127.0.0.1", False):
        raise GapClosed("calls of the services themselves do not count as made without TLS")
    iam_evaluator._request_origin = ContextVar("request_origin", default=("127.0.0.1", True))

    if '"x-forwarded-proto"' not in inspect.getsource(ministack.app.app):
        raise GapClosed("X-Forwarded-Proto does not say whether a call was made with TLS")
    serve = ministack.app.app

    async def serve_encrypted(scope: dict[str, Any], *channels: Callable[..., Awaitable[Any]]) -> None:
        headers = scope.get("headers", [])
        if all(name.lower() != PROTOCOL_HEADER for name, _ in headers):
            scope = scope | {"headers": [*headers, (PROTOCOL_HEADER, b"https")]}
        await serve(scope, *channels)

    ministack.app.app = serve_encrypted


def evaluate_functions_in_conditions() -> None:
    """Gap: a condition compares `Fn::Join` and `Fn::Split` as they are written, and not their results.

    CloudFormation evaluates them. The template tests in this way whether a list contains a name.
    """
    from ministack.services.cloudformation import changesets, engine, handlers, stacks

    evaluate: Callable[[dict[str, Any], dict[str, Any]], dict[str, bool]] = engine._evaluate_conditions
    joined = {"Fn::Join": ["", {"Fn::Split": ["-", "a-b"]}]}
    if evaluate({"Conditions": {"IsResolved": {"Fn::Equals": [joined, "ab"]}}}, {})["IsResolved"]:
        raise GapClosed("conditions evaluate Fn::Join and Fn::Split")

    def resolve(value: Any, parameters: dict[str, Any]) -> Any:
        if isinstance(value, list):
            return [resolve(member, parameters) for member in value]
        if not isinstance(value, dict):
            return value
        value = {name: resolve(member, parameters) for name, member in value.items()}
        match value:
            case {"Ref": name} if name in parameters:
                return parameters[name]["Value"]
            case {"Fn::Split": [separator, text]}:
                return text.split(separator)
            case {"Fn::Join": [separator, parts]}:
                return separator.join(parts)
            case _:
                return value

    def evaluate_resolved(template: dict[str, Any], parameters: dict[str, Any]) -> dict[str, bool]:
        conditions = resolve(template.get("Conditions", {}), parameters)
        return evaluate(template | {"Conditions": conditions}, parameters)

    for module in (changesets, engine, handlers, stacks):
        module._evaluate_conditions = evaluate_resolved


def main() -> None:
    """Serves until it is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    os.environ.update(settings(parser.parse_args().port))
    exit_with_parent()

    import ministack.app

    accept_events_of_aws()
    gather_batches()
    create_whole_tables()
    read_only_a_page()
    poll_queues_often()
    end_invocations_at_once()
    count_calls_as_encrypted()
    evaluate_functions_in_conditions()
    if organization := OrganizationReader.from_environment():
        organization_gaps.apply_all(organization)
        event_bus_gaps.apply_all()
        state_machine_gaps.apply_all()
    sys.argv = sys.argv[:1]  # ministack parses the command line too
    ministack.app.main()


if __name__ == "__main__":
    main()
