"""Imports and exports through boto3 S3."""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from simulator.effects.lanes import Lanes
from simulator.model.account.ports import ObjectDone

if TYPE_CHECKING:
    from botocore.client import BaseClient


class BotoObjects:
    """Objects of an S3 endpoint."""

    def __init__(self, client: "BaseClient", lanes: Lanes) -> None:
        self._client: Any = client
        self._lanes = lanes

    def read(self, bucket: str, key: str, done: ObjectDone) -> None:
        def work() -> None:
            try:
                answer = self._client.get_object(Bucket=bucket, Key=key)
                done((answer["Body"].read().decode("utf-8-sig"), ""))
            except (ClientError, BotoCoreError, UnicodeDecodeError) as error:
                done(("", str(error)))

        self._lanes.submit("objects", work)

    def write(self, bucket: str, key: str, text: str, done: ObjectDone) -> None:
        def work() -> None:
            try:
                self._client.put_object(Bucket=bucket, Key=key, Body=text.encode())
                done(("", ""))
            except (ClientError, BotoCoreError) as error:
                done(("", str(error)))

        self._lanes.submit("objects", work)

    def clear(self) -> None:
        return None
