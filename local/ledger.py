"""The table that remembers what was told, where no stack makes it, and how it is emptied."""

from typing import Any

SCHEMA: dict[str, Any] = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
}
"""What template.yaml says of it; a test compares."""


def create(dynamodb: Any, name: str) -> str:
    """Makes the table, and gives its name."""
    dynamodb.create_table(TableName=name, **SCHEMA)
    dynamodb.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"AttributeName": "expiresAt", "Enabled": True}
    )
    return name


def items(dynamodb: Any, name: str) -> list[dict[str, Any]]:
    """All that it holds."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=name, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]


def forget(dynamodb: Any, name: str) -> None:
    """Empties it: nothing has been told yet."""
    keys = [{key: item[key] for key in ("pk", "sk")} for item in items(dynamodb, name)]
    for start in range(0, len(keys), 25):  # as many as a batch takes
        deletions = [{"DeleteRequest": {"Key": key}} for key in keys[start : start + 25]]
        dynamodb.batch_write_item(RequestItems={name: deletions})
