"""Credentials of a target account: its role, assumed when a call needs it and again before it expires."""

from typing import TYPE_CHECKING

from botocore.credentials import CredentialProvider, DeferredRefreshableCredentials
from botocore.exceptions import ClientError

from runtime.adapters.aws.faults import aws_faults, code_of
from runtime.adapters.aws.target import USER_AGENT, Target
from runtime.errors import TargetAccountError

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient


class TargetRole(CredentialProvider):
    """The role of one target. The first call that has to be signed assumes it."""

    METHOD = "assume-role"

    def __init__(self, sts: "STSClient", target: Target) -> None:
        super().__init__()
        self._client = sts
        self._target = target

    def load(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(self._assumed, self.METHOD)

    def _assumed(self) -> dict[str, str]:
        """What botocore calls metadata. Raises TargetAccountError, and TransientError for what heals by waiting."""
        target = self._target
        role = f"{target.role_name}-{target.region}"
        try:
            with aws_faults():
                # An hour is all AWS gives to a role that assumes another; botocore comes again in time.
                credentials = self._client.assume_role(
                    RoleArn=f"arn:{self._client.meta.partition}:iam::{target.account}:role/{role}",
                    RoleSessionName=USER_AGENT,
                    ExternalId=target.external_id,
                )["Credentials"]
        except ClientError as error:
            # Without STS's own text, which says nothing about the cause on purpose.
            raise TargetAccountError(
                f"targetAccount: {target.account} refuses its role {role} ({code_of(error)}); deploy the stage's "
                "TargetAccess stack there: the role must trust the pipeline's account under the stage's external id"
            ) from error
        return {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "token": credentials["SessionToken"],
            "expiry_time": credentials["Expiration"].isoformat(),
        }
