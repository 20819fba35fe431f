"""The table that the template makes: its keys, and that it forgets what is over, can be restored and is encrypted."""

from local import ledger
from local.cloud import Cloud
from local.deployment import Deployment


def test_the_deployed_table_is_the_one_that_tests_make_without_a_stack(cloud: Cloud, stack: Deployment) -> None:
    table = cloud.client("dynamodb").describe_table(TableName=stack.ledger)["Table"]

    described = {name: table[name] for name in ("AttributeDefinitions", "KeySchema")}
    assert described | {"BillingMode": table["BillingModeSummary"]["BillingMode"]} == ledger.SCHEMA


def test_it_forgets_what_is_over_can_be_restored_and_is_encrypted(cloud: Cloud, stack: Deployment) -> None:
    dynamodb = cloud.client("dynamodb")

    to_live = dynamodb.describe_time_to_live(TableName=stack.ledger)["TimeToLiveDescription"]
    assert to_live == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expiresAt"}
    backups = dynamodb.describe_continuous_backups(TableName=stack.ledger)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    encryption = dynamodb.describe_table(TableName=stack.ledger)["Table"]["SSEDescription"]
    assert (encryption["Status"], encryption["SSEType"]) == ("ENABLED", "KMS")
