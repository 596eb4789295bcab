"""Queues of the local engine."""

import json
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from tests.engine.conftest import ANYTHING, unique

if TYPE_CHECKING:
    from tests.engine.conftest import Aws


def test_unreceived_message_returns_after_its_visibility_timeout_and_then_goes_to_the_dead_letter_queue(
    aws: "Aws",
) -> None:
    dead = aws.queue()
    redrive = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": 2})
    queue = aws.queue(VisibilityTimeout="3", RedrivePolicy=redrive)
    aws.client("sqs").send_message(QueueUrl=queue.url, MessageBody="x")

    assert len(aws.receive(queue)) == 1
    assert "Messages" not in aws.client("sqs").receive_message(QueueUrl=queue.url)
    assert aws.receive(queue)[0]["Attributes"]["ApproximateReceiveCount"] == "2"
    assert not aws.receive(queue, seconds=4)
    assert len(aws.receive(dead)) == 1


def test_fifo_queue_drops_a_repeated_message(aws: "Aws") -> None:
    sqs = aws.client("sqs")
    url = sqs.create_queue(
        QueueName="repeated.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    )["QueueUrl"]
    for _ in range(3):
        sqs.send_message(QueueUrl=url, MessageBody="same", MessageGroupId="group")
    assert len(sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]) == 1


def test_message_carries_the_id_of_its_sender_which_no_sender_can_set(aws: "Aws") -> None:
    queue = aws.queue()
    user = aws.client("iam").create_user(UserName=unique("user"))["User"]
    key = aws.client("iam").create_access_key(UserName=user["UserName"])["AccessKey"]
    role = aws.role(ANYTHING)
    taken = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="ada@example.com")
    session = taken["Credentials"]
    senders = {
        user["UserId"]: aws.client("sqs", key["AccessKeyId"], key["SecretAccessKey"]),
        taken["AssumedRoleUser"]["AssumedRoleId"]: aws.client(
            "sqs", session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]
        ),
    }
    for sender, client in senders.items():
        forged = {"SenderId": {"DataType": "String", "StringValue": "AIDAFORGED"}}
        client.send_message(QueueUrl=queue.url, MessageBody=sender, MessageAttributes=forged)
    found = aws.receive(queue, len(senders))
    assert {message["Body"]: message["Attributes"]["SenderId"] for message in found} == {name: name for name in senders}
    assert {name[:4] for name in senders} == {"AIDA", "AROA"}


def test_function_is_told_who_sent_each_message_of_its_batch(aws: "Aws") -> None:
    queue, seen = aws.queue(), aws.queue()
    source = f"""
import boto3
def handler(event, context):
    for record in event["Records"]:
        boto3.client("sqs").send_message(QueueUrl="{seen.url}", MessageBody=record["attributes"]["SenderId"])
"""
    function = aws.function(source)
    aws.client("lambda").create_event_source_mapping(EventSourceArn=queue.arn, FunctionName=function)
    user = aws.client("iam").create_user(UserName=unique("user"))["User"]
    key = aws.client("iam").create_access_key(UserName=user["UserName"])["AccessKey"]
    sqs = aws.client("sqs", key["AccessKeyId"], key["SecretAccessKey"])
    sqs.send_message(QueueUrl=queue.url, MessageBody="x")
    (told,) = aws.receive(seen)
    assert told["Body"] == user["UserId"]


@pytest.mark.xfail(strict=True, reason="the engine does not encrypt: a disabled key stops nothing")
def test_queue_with_a_disabled_key_takes_no_message(aws: "Aws") -> None:
    key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    queue = aws.queue(KmsMasterKeyId=key)
    aws.client("kms").disable_key(KeyId=key)
    with pytest.raises(ClientError):
        aws.client("sqs").send_message(QueueUrl=queue.url, MessageBody="x")
