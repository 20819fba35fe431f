"""The table of the alert history that the template creates: keys, time to live, backups and encryption."""

from local import history_table
from local.cloud import Cloud
from local.deployment import Deployment


def test_the_deployed_table_equals_the_one_that_tests_create_without_a_stack(cloud: Cloud, stack: Deployment) -> None:
    table = cloud.client("dynamodb").describe_table(TableName=stack.history_table)["Table"]

    described = {name: table[name] for name in ("AttributeDefinitions", "KeySchema")}
    assert described | {"BillingMode": table["BillingModeSummary"]["BillingMode"]} == history_table.SCHEMA


def test_the_table_expires_old_items_can_be_restored_and_is_encrypted(cloud: Cloud, stack: Deployment) -> None:
    dynamodb = cloud.client("dynamodb")

    to_live = dynamodb.describe_time_to_live(TableName=stack.history_table)["TimeToLiveDescription"]
    assert to_live == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expiresAt"}
    backups = dynamodb.describe_continuous_backups(TableName=stack.history_table)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    encryption = dynamodb.describe_table(TableName=stack.history_table)["Table"]["SSEDescription"]
    assert (encryption["Status"], encryption["SSEType"]) == ("ENABLED", "KMS")
