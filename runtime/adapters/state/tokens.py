"""Task tokens in a table of their own: who may read the state table may not use them."""

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING

from runtime.adapters.aws.faults import aws_faults
from runtime.models.table import PARTITION_KEY, TOKEN, TTL_ATTRIBUTE

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoDbTokens:
    """Each token under its own digest. Nothing deletes them: a used one opens nothing, and all expire."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table_name = table_name

    def keep(self, token: str, until: datetime) -> str:
        key = hashlib.sha256(token.encode()).hexdigest()
        item = {PARTITION_KEY: {"S": key}, TOKEN: {"S": token}, TTL_ATTRIBUTE: {"N": str(int(until.timestamp()))}}
        with aws_faults():
            self._client.put_item(TableName=self._table_name, Item=item)
        return key

    def token(self, key: str) -> str | None:
        with aws_faults():
            answer = self._client.get_item(
                TableName=self._table_name, Key={PARTITION_KEY: {"S": key}}, ConsistentRead=True
            )
        return answer["Item"][TOKEN]["S"] if "Item" in answer else None
