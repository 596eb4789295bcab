"""The wake queue behind the Wakes port."""

from math import ceil
from typing import TYPE_CHECKING

from runtime.adapters.aws.faults import aws_faults
from runtime.models.scope import Scope

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


LONGEST_DELAY = 900
"""SQS's; a scope looked at early is looked at again."""


class WakeQueue:
    """One SQS queue; a message is the name of an account and Region."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def wake(self, scope: Scope, *, after: float = 0) -> None:
        delay = min(ceil(after), LONGEST_DELAY)
        with aws_faults():
            self._client.send_message(QueueUrl=self._queue_url, MessageBody=str(scope), DelaySeconds=delay)
