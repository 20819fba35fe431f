"""Reads and clears the alert history. The names of the attributes are those in the DynamoDB table."""

from typing import Any


def items(dynamodb: Any, table: str) -> list[dict[str, Any]]:
    """Returns all items, as DynamoDB stores them."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]


def alerts(dynamodb: Any, table: str) -> list[dict[str, Any]]:
    """Returns the alert records as plain values, sorted by subject, service and check."""
    records = [plain(item) for item in items(dynamodb, table) if "findingId" in item]

    def key(alert: dict[str, Any]) -> tuple[str, str, str]:
        subject = alert.get("routeTable") or alert["subject"]
        return subject["id"], alert["service"], alert.get("check", "")

    return sorted(records, key=key)


def leases(dynamodb: Any, table: str) -> list[dict[str, Any]]:
    """Returns the lease records as plain values, one for each VPC."""
    return [plain(item) for item in items(dynamodb, table) if "findingId" not in item]


def clear(dynamodb: Any, table: str) -> None:
    """Deletes all items: as if nothing had been sent yet."""
    keys = [{key: item[key] for key in ("pk", "sk")} for item in items(dynamodb, table)]
    for start in range(0, len(keys), 25):  # the most that one batch takes
        deletions = [{"DeleteRequest": {"Key": key}} for key in keys[start : start + 25]]
        dynamodb.batch_write_item(RequestItems={table: deletions})


def plain(item: dict[str, Any]) -> dict[str, Any]:
    """Returns an item without DynamoDB's types."""
    return {name: _plain(value) for name, value in item.items()}


def _plain(value: dict[str, Any]) -> Any:
    [(kind, inner)] = value.items()
    match kind:
        case "M":
            return plain(inner)
        case "L":
            return [_plain(each) for each in inner]
        case "N":
            return int(inner)
        case "NULL":
            return None
        case _:
            return inner
