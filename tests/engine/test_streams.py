"""Table streams and the functions that read them in the local engine."""

import json
from typing import TYPE_CHECKING, Any

from tests.engine.conftest import unique

if TYPE_CHECKING:
    from tests.engine.conftest import Aws

READER = """
import boto3
def handler(event, context):
    keys = [(r["dynamodb"]["Keys"]["pk"]["S"], r["dynamodb"]["SequenceNumber"]) for r in event["Records"]]
    boto3.client("sqs").send_message(QueueUrl="QUEUE", MessageBody=",".join(key for key, _ in keys))
    BEHAVIOUR
"""
PARTIAL = 'return {"batchItemFailures": [{"itemIdentifier": number} for key, number in keys if key == "bad"]}'
RAISING = 'assert all(key != "bad" for key, _ in keys)'


def read_stream(aws: "Aws", behaviour: str, keys: list[str], **settings: Any) -> Any:
    """A queue of the batches a function was given, from a stream of items with these keys."""
    seen, name = aws.queue(), unique("table")
    function = aws.function(READER.replace("QUEUE", seen.url).replace("BEHAVIOUR", behaviour))
    table = aws.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    requests = [{"PutRequest": {"Item": {"pk": {"S": key}}}} for key in keys]
    aws.client("dynamodb").batch_write_item(RequestItems={name: requests})
    aws.client("lambda").create_event_source_mapping(
        EventSourceArn=table["LatestStreamArn"],
        FunctionName=function,
        StartingPosition="TRIM_HORIZON",
        BatchSize=10,
        **settings,
    )
    return seen


def batches(aws: "Aws", seen: Any, count: int) -> list[str]:
    return [message["Body"] for message in aws.receive(seen, count)]


def test_stream_is_taken_up_again_at_the_first_failed_record(aws: "Aws") -> None:
    reports = ["ReportBatchItemFailures"]
    keys = ["a", "b", "bad", "c"]
    seen = read_stream(aws, PARTIAL, keys, FunctionResponseTypes=reports, MaximumRetryAttempts=0)
    assert batches(aws, seen, 2) == ["a,b,bad,c", "bad,c"]


def test_failing_batch_is_split(aws: "Aws") -> None:
    settings = {"BisectBatchOnFunctionError": True, "MaximumRetryAttempts": 0}
    seen = read_stream(aws, RAISING, ["a", "b", "bad", "c"], **settings)
    assert batches(aws, seen, 5) == ["a,b,bad,c", "a,b", "bad,c", "bad", "c"]


def test_batch_that_keeps_failing_goes_to_its_destination(aws: "Aws") -> None:
    dead = aws.queue()
    destination = {"OnFailure": {"Destination": dead.arn}}
    seen = read_stream(aws, RAISING, ["bad"], MaximumRetryAttempts=1, DestinationConfig=destination)
    (message,) = aws.receive(dead)
    assert json.loads(message["Body"])["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert batches(aws, seen, 2) == ["bad", "bad"]
