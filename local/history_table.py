"""The DynamoDB table of the alert history, for programs and tests that deploy no stack."""

from typing import Any

SCHEMA: dict[str, Any] = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
}
"""The same as in template.yaml; tests/local_cloud/test_history_table.py compares them."""


def create(dynamodb: Any, name: str) -> str:
    """Creates the table; returns its name."""
    dynamodb.create_table(TableName=name, **SCHEMA)
    dynamodb.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"AttributeName": "expiresAt", "Enabled": True}
    )
    return name
