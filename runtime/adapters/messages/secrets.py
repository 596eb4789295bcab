"""The secret that signs callbacks, kept in Secrets Manager."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from runtime.adapters.aws.faults import aws_faults, code_of

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

FRESH = timedelta(minutes=5)
"""A rotated secret is used after this long at the latest."""

OVERLAP = timedelta(days=7)
"""How long after a rotation callbacks carry the signature of the previous secret, too."""


class StoredSecret:
    """The texts that sign: the current one first. Read when first called for and kept for a while."""

    def __init__(self, client: "SecretsManagerClient", secret_id: str, now: Callable[[], datetime]) -> None:
        self._client = client
        self._secret_id = secret_id
        self._now = now
        self._read_at: datetime | None = None
        self._texts: tuple[str, ...] = ()

    def __call__(self) -> tuple[str, ...]:
        now = self._now()
        if self._read_at is None or now - self._read_at > FRESH:
            with aws_faults():
                current = self._client.get_secret_value(SecretId=self._secret_id)
                overlaps = now - current["CreatedDate"] < OVERLAP
                self._texts = (current["SecretString"], *(self._previous() if overlaps else ()))
            self._read_at = now
        return self._texts

    def _previous(self) -> tuple[str, ...]:
        try:
            return (
                self._client.get_secret_value(SecretId=self._secret_id, VersionStage="AWSPREVIOUS")["SecretString"],
            )
        except ClientError as error:
            # A secret that was never rotated has no previous version.
            if code_of(error) != "ResourceNotFoundException":
                raise
            return ()

    def __repr__(self) -> str:
        return f"StoredSecret({self._secret_id!r})"
