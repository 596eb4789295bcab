"""The state table in moto, made from the same layout the construct is made from."""

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

from runtime.models.table import INDEXES, PARTITION_KEY, SORT_KEY
from tests.contract.aws import aws

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE_NAME = "migrations"
TOKEN_TABLE_NAME = "tokens"


def make_state_table() -> "DynamoDBClient":
    """A client whose account has the empty state table; inside `mock_aws`."""
    client = _client()
    attributes = {PARTITION_KEY, SORT_KEY, *(name for keys in INDEXES.values() for name in keys)}
    client.create_table(
        TableName=TABLE_NAME,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in sorted(attributes)],
        KeySchema=[
            {"AttributeName": PARTITION_KEY, "KeyType": "HASH"},
            {"AttributeName": SORT_KEY, "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": keys.partition, "KeyType": "HASH"},
                    {"AttributeName": keys.sort, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
            for index, keys in INDEXES.items()
        ],
    )
    return client


def make_token_table() -> "DynamoDBClient":
    """A client whose account has the empty table of task tokens; inside `mock_aws`."""
    client = _client()
    client.create_table(
        TableName=TOKEN_TABLE_NAME,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": PARTITION_KEY, "AttributeType": "S"}],
        KeySchema=[{"AttributeName": PARTITION_KEY, "KeyType": "HASH"}],
    )
    return client


@cache
def _client() -> "DynamoDBClient":
    client: DynamoDBClient = aws("dynamodb")
    one_call_at_a_time(client)
    return client


def one_call_at_a_time(client: Any) -> None:
    """DynamoDB decides each write as a whole; moto does so only when no other thread is inside it."""
    lock = Lock()
    call = client._make_api_call

    def locked(*args: Any) -> Any:
        with lock:
            return call(*args)

    client._make_api_call = locked
