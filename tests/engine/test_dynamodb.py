"""Tables of the local engine."""

import threading
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.engine.conftest import Aws


@pytest.fixture(scope="module")
def table(aws: "Aws") -> str:
    aws.client("dynamodb").create_table(
        TableName="things",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "colour")],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-colour",
                "KeySchema": [{"AttributeName": "colour", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    return "things"


def test_condition_failure_returns_the_item_in_the_way(aws: "Aws", table: str) -> None:
    dynamodb = aws.client("dynamodb")
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "taken"}})
    with pytest.raises(ClientError, match="ConditionalCheckFailed") as failure:
        dynamodb.put_item(
            TableName=table,
            Item={"pk": {"S": "taken"}},
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert failure.value.response["Item"] == {"pk": {"S": "taken"}}  # type: ignore[typeddict-item]


def test_transaction_with_a_failed_condition_changes_nothing(aws: "Aws", table: str) -> None:
    dynamodb = aws.client("dynamodb")
    check = {"TableName": table, "Key": {"pk": {"S": "absent"}}, "ConditionExpression": "attribute_exists(pk)"}
    put = {"TableName": table, "Item": {"pk": {"S": "never"}}}
    with pytest.raises(ClientError, match="TransactionCanceled") as failure:
        dynamodb.transact_write_items(TransactItems=[{"Put": put}, {"ConditionCheck": check}])
    reasons = failure.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed"]
    assert "Item" not in dynamodb.get_item(TableName=table, Key={"pk": {"S": "never"}})


def test_transaction_repeated_with_its_token_is_done_once(aws: "Aws", table: str) -> None:
    update = {
        "TableName": table,
        "Key": {"pk": {"S": "once"}},
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    for _ in range(2):
        aws.client("dynamodb").transact_write_items(ClientRequestToken="token", TransactItems=[{"Update": update}])
    item = aws.client("dynamodb").get_item(TableName=table, Key={"pk": {"S": "once"}})["Item"]
    assert item["n"] == {"N": "1"}


def test_index_finds_items_by_their_attribute(aws: "Aws", table: str) -> None:
    aws.client("dynamodb").put_item(TableName=table, Item={"pk": {"S": "sky"}, "colour": {"S": "blue"}})
    found = aws.client("dynamodb").query(
        TableName=table,
        IndexName="by-colour",
        KeyConditionExpression="colour = :colour",
        ExpressionAttributeValues={":colour": {"S": "blue"}},
    )
    assert [item["pk"]["S"] for item in found["Items"]] == ["sky"]


def test_counter_loses_no_concurrent_increment(aws: "Aws", table: str) -> None:
    def increment() -> None:
        for _ in range(25):
            aws.client("dynamodb").update_item(
                TableName=table,
                Key={"pk": {"S": "counter"}},
                UpdateExpression="ADD n :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )

    threads = [threading.Thread(target=increment) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    item = aws.client("dynamodb").get_item(TableName=table, Key={"pk": {"S": "counter"}})["Item"]
    assert item["n"] == {"N": "200"}
