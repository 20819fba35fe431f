"""Batches that SQS hands to the function, and what the resulting messages say."""

import json
from typing import Any

from local.environment import ROOT
from local.inbox import Message

NO_FAILURES: dict[str, Any] = {"batchItemFailures": []}
"""The answer to a batch of which every record succeeded."""


def failed(*records: str) -> dict[str, Any]:
    """Returns the answer to a batch of which these records failed."""
    return {"batchItemFailures": [{"itemIdentifier": each} for each in records]}


def batch(**vpcs: str) -> dict[str, Any]:
    """Returns a batch with one record for each VPC: `batch(message_id=vpc)`."""
    return {"Records": [record(message_id, {"check": {"vpcIds": [vpc]}}) for message_id, vpc in vpcs.items()]}


def record(message_id: str, payload: Any) -> dict[str, Any]:
    """Returns a record of a batch."""
    return {"messageId": message_id, "eventSource": "aws:sqs", "body": json.dumps(payload)}


def rest_api_event(name: str) -> dict[str, Any]:
    """Returns an event of API Gateway from `events/`, such as `create-rest-api`."""
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return event


def delivered(times: int, batch: dict[str, Any]) -> dict[str, Any]:
    """Returns the batch as SQS delivers it for this time."""
    attributes = {"ApproximateReceiveCount": str(times)}
    return {"Records": [each | {"attributes": attributes} for each in batch["Records"]]}


def as_reported(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns findings of a message as a report has them: without the fields that only messages have."""
    added = ("change", "since", "resolution")
    return [{name: value for name, value in finding.items() if name not in added} for finding in findings]


def changes(messages: list[Message]) -> list[tuple[str, str]]:
    """Returns each change with its finding's id, over all JSON messages."""
    return sorted((finding["change"], finding["id"]) for message in messages for finding in message.body["findings"])
