"""Credentials of a target account: its role, assumed when a call needs it and again before it expires.

Each session is of one function and migration and named after them, so that the target's trail tells whose call it was.
"""

import re
from typing import TYPE_CHECKING

from botocore.credentials import CredentialProvider, DeferredRefreshableCredentials
from botocore.exceptions import ClientError

from runtime.adapters.aws.faults import aws_faults, code_of
from runtime.adapters.aws.target import Target
from runtime.errors import TargetAccountError
from runtime.observability import at_work

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_sts import STSClient


NOT_IN_A_NAME = re.compile(r"[^\w+=,.@-]", re.ASCII)
LONGEST_NAME = 64


def session_name() -> str:
    """Function and migration in the letters that STS takes."""
    return NOT_IN_A_NAME.sub("-", at_work())[:LONGEST_NAME]


class _Sessions(DeferredRefreshableCredentials):
    """Also refreshed when another migration is at work than the one they were made for."""

    def __init__(self, assume: "Callable[[str], dict[str, str]]", method: str) -> None:
        super().__init__(self._assumed, method)
        self._assume = assume
        self._name = ""

    def refresh_needed(self, refresh_in: int | None = None) -> bool:
        return self._name != session_name() or super().refresh_needed(refresh_in)

    def _assumed(self) -> dict[str, str]:
        name = session_name()
        made = self._assume(name)
        self._name = name
        return made


class TargetRole(CredentialProvider):
    """The role of one target. The first call that has to be signed assumes it."""

    METHOD = "assume-role"

    def __init__(self, sts: "STSClient", target: Target) -> None:
        super().__init__()
        self._client = sts
        self._target = target

    def load(self) -> DeferredRefreshableCredentials:
        return _Sessions(self._assumed, self.METHOD)

    def _assumed(self, name: str) -> dict[str, str]:
        """What botocore calls metadata. Raises TargetAccountError, and TransientError for what heals by waiting."""
        target = self._target
        role = f"{target.role_name}-{target.region}"
        try:
            with aws_faults():
                # An hour is all AWS gives to a role that assumes another; botocore comes again in time.
                credentials = self._client.assume_role(
                    RoleArn=f"arn:{self._client.meta.partition}:iam::{target.account}:role/{role}",
                    RoleSessionName=name,
                    ExternalId=target.external_id,
                )["Credentials"]
        except ClientError as error:
            # Without STS's own text, which says nothing about the cause on purpose.
            raise TargetAccountError(
                f"targetAccount: {target.account} refuses its role {role} ({code_of(error)}); deploy the stage's "
                "TargetAccess stack there: the role must trust the function's role under the stage's external id"
            ) from error
        return {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "token": credentials["SessionToken"],
            "expiry_time": credentials["Expiration"].isoformat(),
        }
