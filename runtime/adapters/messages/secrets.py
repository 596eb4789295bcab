"""The signing key of callbacks, kept in Secrets Manager."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from runtime.adapters.aws.faults import aws_faults

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

FRESH_SECONDS = 300.0
"""A rotated secret is used after this long at the latest."""


class StoredSecret:
    """A secret's text, read when first called for and kept for a while."""

    def __init__(
        self, client: "SecretsManagerClient", secret_id: str, *, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._secret_id = secret_id
        self._ticks = ticks
        self._read_at: float | None = None
        self._text = ""

    def __call__(self) -> str:
        if self._read_at is None or self._ticks() - self._read_at > FRESH_SECONDS:
            with aws_faults():
                self._text = self._client.get_secret_value(SecretId=self._secret_id)["SecretString"]
            self._read_at = self._ticks()
        return self._text

    def __repr__(self) -> str:
        return f"StoredSecret({self._secret_id!r})"
