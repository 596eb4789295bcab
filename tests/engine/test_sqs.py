"""Queues of the local engine."""

import json
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

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


@pytest.mark.xfail(strict=True, reason="the engine does not encrypt: a disabled key stops nothing")
def test_queue_with_a_disabled_key_takes_no_message(aws: "Aws") -> None:
    key = aws.client("kms").create_key()["KeyMetadata"]["KeyId"]
    queue = aws.queue(KmsMasterKeyId=key)
    aws.client("kms").disable_key(KeyId=key)
    with pytest.raises(ClientError):
        aws.client("sqs").send_message(QueueUrl=queue.url, MessageBody="x")
