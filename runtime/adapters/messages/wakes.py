"""The wake queue behind the Wakes port."""

from math import ceil
from typing import TYPE_CHECKING

from runtime.adapters.aws.faults import aws_faults
from runtime.models.scope import Scope, Wake

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


LONGEST_DELAY = 900
"""SQS's; a scope looked at early is looked at again."""


class WakeQueue:
    """One SQS queue; a message names an account and Region, and whether everything there is to be looked at."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def wake(self, scope: Scope, *, after: float = 0, everything: bool = False) -> None:
        delay = min(ceil(after), LONGEST_DELAY)
        body = Wake(scope, everything=everything).to_text()
        with aws_faults():
            self._client.send_message(QueueUrl=self._queue_url, MessageBody=body, DelaySeconds=delay)
