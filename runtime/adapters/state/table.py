"""The few DynamoDB calls the state table needs, with its errors translated."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from botocore.exceptions import ClientError

from runtime.adapters.aws.batches import batches
from runtime.adapters.aws.faults import aws_faults, code_of
from runtime.errors import ThrottledError
from runtime.models.table import INDEXES, PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE, USED, Index

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import QueryInputPaginateTypeDef, QueryInputTypeDef, TransactWriteItemTypeDef

    from runtime.adapters.state.items import Item

WRITES_PER_TRANSACTION = 100
KEYS_PER_READ = 100
READ_ATTEMPTS = 3

ROUNDS = 10
"""How often a write lost to another writer is tried again; each round someone else got further."""

CONDITION_FAILED = "ConditionalCheckFailed"
CONFLICT = "TransactionConflict"


class Condition(TypedDict, total=False):
    """The condition members every DynamoDB write has."""

    ConditionExpression: str
    ExpressionAttributeNames: dict[str, str]
    ExpressionAttributeValues: Any
    ReturnValuesOnConditionCheckFailure: Literal["ALL_OLD", "NONE"]


ABSENT: Condition = {"ConditionExpression": f"attribute_not_exists({PARTITION_KEY})"}


def equals(attribute: str, value: str | int) -> Condition:
    """The stored item has this value."""
    typed = {"N": str(value)} if isinstance(value, int) else {"S": value}
    return {
        "ConditionExpression": "#a = :v",
        "ExpressionAttributeNames": {"#a": attribute},
        "ExpressionAttributeValues": {":v": typed},
    }


def absent_or(condition: Condition) -> Condition:
    """There is no stored item, or it meets the condition."""
    either = f"{ABSENT['ConditionExpression']} OR {condition['ConditionExpression']}"
    return {**condition, "ConditionExpression": either}


class TransactionRefusedError(Exception):
    """Why a transaction was refused, one code for each of its writes; nothing was written."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(", ".join(reasons))
        self.reasons = tuple(reasons)


class StateTable:
    """One table. Reads are strongly consistent except through an index."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self.name = name

    def get(self, key: "Item") -> "Item | None":
        with aws_faults():
            return self._client.get_item(TableName=self.name, Key=key, ConsistentRead=True).get("Item")

    def get_all(self, keys: "Sequence[Item]") -> "Iterator[Item]":
        """The items under these keys, in no order; raises ThrottledError while DynamoDB leaves some out."""
        for batch in batches(keys, KEYS_PER_READ):
            left: Sequence[Any] = batch
            for _ in range(READ_ATTEMPTS):
                with aws_faults():
                    answer = self._client.batch_get_item(
                        RequestItems={self.name: {"Keys": left, "ConsistentRead": True}}
                    )
                yield from answer["Responses"].get(self.name, ())
                left = answer["UnprocessedKeys"][self.name]["Keys"] if answer["UnprocessedKeys"] else ()
                if not left:
                    break
            else:
                raise ThrottledError(f"BatchGetItem left {len(left)} items out")

    def partition(self, partition: str, sort_prefix: str) -> "Iterator[Item]":
        """The items of one partition, by sort key."""
        return self._query(
            {
                "TableName": self.name,
                "ConsistentRead": True,
                "KeyConditionExpression": "#p = :p AND begins_with(#s, :s)",
                "ExpressionAttributeNames": {"#p": PARTITION_KEY, "#s": SORT_KEY},
                "ExpressionAttributeValues": {":p": {"S": partition}, ":s": {"S": sort_prefix}},
            }
        )

    def between(self, partition: str, first: str, last: str, limit: int) -> "list[Item]":
        """At most so many items of one partition with sort keys between these two, both included, by sort key."""
        found: list[Item] = []
        query: QueryInputTypeDef = {
            "TableName": self.name,
            "ConsistentRead": True,
            "KeyConditionExpression": "#p = :p AND #s BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#p": PARTITION_KEY, "#s": SORT_KEY},
            "ExpressionAttributeValues": {":p": {"S": partition}, ":first": {"S": first}, ":last": {"S": last}},
        }
        with aws_faults():
            while len(found) < limit:
                query["Limit"] = limit - len(found)
                page = self._client.query(**query)
                found += page["Items"]
                if "LastEvaluatedKey" not in page:
                    break
                query["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        return found

    def index(
        self,
        index: Index,
        partition: str,
        sort: str | None = None,
        after: "Item | None" = None,
        *,
        since: str | None = None,
    ) -> "Iterator[Item]":
        """The items an index has under one key, by its sort key, those after a key of its own; may lag the table.

        Only those of the sort key `sort`, or from `since` on.
        """
        names = INDEXES[index]
        bound, operator = (since, ">=") if sort is None else (sort, "=")
        bounds = {} if bound is None else {":s": {"S": bound}}
        return self._query(
            {
                "TableName": self.name,
                "IndexName": index,
                "KeyConditionExpression": "#p = :p" if bound is None else f"#p = :p AND #s {operator} :s",
                "ExpressionAttributeNames": {"#p": names.partition} | ({} if bound is None else {"#s": names.sort}),
                "ExpressionAttributeValues": {":p": {"S": partition}, **bounds},
            },
            after,
        )

    def put(self, item: "Item", condition: Condition) -> bool:
        """False when the stored item does not meet the condition."""
        return self._holds(lambda: self._client.put_item(TableName=self.name, Item=item, **condition))

    def delete(self, key: "Item", condition: Condition) -> bool:
        """False when the stored item does not meet the condition."""
        return self._holds(lambda: self._client.delete_item(TableName=self.name, Key=key, **condition))

    def book(self, key: "Item", *, below: int, expires_at: int) -> bool:
        """Raise the number `used` of an item by one; False when it is not below the limit. The item need not exist."""
        return self._holds(
            lambda: self._client.update_item(
                TableName=self.name,
                Key=key,
                UpdateExpression="SET #t = :t ADD #u :one",
                ConditionExpression="attribute_not_exists(#u) OR #u < :below",
                ExpressionAttributeNames={"#u": USED, "#t": TTL_ATTRIBUTE},
                ExpressionAttributeValues={
                    ":one": {"N": "1"},
                    ":below": {"N": str(below)},
                    ":t": {"N": str(expires_at)},
                },
            )
        )

    def count(self, key: "Item", attribute: str) -> int:
        """Add one to a number that begins at none; the number after."""
        with aws_faults():
            answer = self._client.update_item(
                TableName=self.name,
                Key=key,
                UpdateExpression="ADD #a :one",
                ExpressionAttributeNames={"#a": attribute},
                ExpressionAttributeValues={":one": {"N": "1"}},
                ReturnValues="UPDATED_NEW",
            )
        return int(answer["Attributes"][attribute]["N"])

    def putting(self, item: "Item", condition: Condition) -> "TransactWriteItemTypeDef":
        """A put as a part of a transaction."""
        return {"Put": {"TableName": self.name, "Item": item, **condition}}

    def deleting(self, key: "Item", condition: Condition) -> "TransactWriteItemTypeDef":
        """A delete as a part of a transaction."""
        return {"Delete": {"TableName": self.name, "Key": key, **condition}}

    def holds(self, writes: "Sequence[TransactWriteItemTypeDef]") -> bool:
        """Write all or nothing; False when a stored item does not meet its condition, or others write at the time."""
        try:
            self.write(writes)
        except TransactionRefusedError:
            return False
        return True

    def write(self, writes: "Sequence[TransactWriteItemTypeDef]") -> None:
        """Write all or nothing; beyond DynamoDB's hundred the rest follows in transactions of its own.

        Raises TransactionRefusedError.
        """
        for batch in batches(writes, WRITES_PER_TRANSACTION):
            try:
                with aws_faults():
                    self._client.transact_write_items(TransactItems=batch)
            except ClientError as error:
                raise _refusal(error) from error

    def _query(self, query: "QueryInputPaginateTypeDef", after: "Item | None" = None) -> "Iterator[Item]":
        # Not among the paginator's own arguments, which it hands on all the same.
        start: dict[str, Any] = {"ExclusiveStartKey": after} if after else {}
        with aws_faults():
            for page in self._client.get_paginator("query").paginate(**query, **start):
                yield from page["Items"]

    def _holds(self, write: Any) -> bool:
        try:
            with aws_faults():
                write()
        except ClientError as error:
            if code_of(error) != f"{CONDITION_FAILED}Exception":
                raise
            return False
        return True


def _refusal(error: ClientError) -> Exception:
    if code_of(error) != "TransactionCanceledException":
        return error
    cancelled: Any = error.response
    reasons = [reason.get("Code", "None") for reason in cancelled.get("CancellationReasons", ())]
    if {"ThrottlingError", "ProvisionedThroughputExceeded"} & set(reasons):
        return ThrottledError(f"TransactWriteItems: {', '.join(reasons)}")
    if not {CONDITION_FAILED, CONFLICT} & set(reasons):
        return error
    return TransactionRefusedError(reasons)
