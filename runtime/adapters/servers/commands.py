"""SSM Run Command behind the Commands port."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from runtime.adapters.aws.faults import account_faults, code_of
from runtime.errors import CheckFailedError, CheckPendingError
from runtime.models.mgn import CommandStatus

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

CLOCK_SKEW = timedelta(minutes=5)

REFUSED = frozenset({"InvalidDocument", "InvalidParameters", "UnsupportedPlatformType", "ValidationException"})
"""What SSM says of a document or parameters that will not work on another try either."""

NOT_REACHABLE = "InvalidInstanceId"
"""The node is not registered or not online, which may be a matter of minutes."""


class SsmCommands:
    """Command documents, each on one managed node."""

    def __init__(self, client: "SSMClient", once: "SSMClient") -> None:
        """`once` is for the call that must not be sent twice."""
        self._client = client
        self._once = once

    def send(self, instance_id: str, document: str, parameters: Mapping[str, Sequence[str]], comment: str) -> str:
        try:
            with account_faults():
                response = self._once.send_command(
                    InstanceIds=[instance_id],
                    DocumentName=document,
                    Parameters={name: list(values) for name, values in parameters.items()},
                    Comment=comment,
                )
        except ClientError as error:
            # Without SSM's own text, which may quote parameters.
            refusal = f"SSM refused {document} on {instance_id}: {code_of(error)}"
            if code_of(error) == NOT_REACHABLE:
                raise CheckPendingError(refusal) from error
            if code_of(error) in REFUSED:
                raise CheckFailedError(refusal) from error
            raise
        return response["Command"]["CommandId"]

    def find(self, instance_id: str, comment: str, since: datetime) -> str | None:
        pages = self._client.get_paginator("list_commands")
        # Seconds are as fine as SSM's filter goes, and its clock is not ours.
        after = (since - CLOCK_SKEW).strftime("%Y-%m-%dT%H:%M:%SZ")
        with account_faults():
            found = [
                command
                for page in pages.paginate(InstanceId=instance_id, Filters=[{"key": "InvokedAfter", "value": after}])
                for command in page["Commands"]
                if command.get("Comment") == comment
            ]
        newest = max(found, key=lambda command: command["RequestedDateTime"], default=None)
        return newest["CommandId"] if newest else None

    def status(self, command_id: str, instance_id: str) -> CommandStatus:
        try:
            with account_faults():
                found = self._client.get_command_invocation(CommandId=command_id, InstanceId=instance_id)
        except ClientError as error:
            # SSM makes the invocation a moment after it took the command.
            if code_of(error) != "InvocationDoesNotExist":
                raise
            return CommandStatus(status="Pending")
        # Not its output: that may hold what no journal or callback should. SSM keeps it under the command id.
        exit_code = found.get("ResponseCode", -1)
        detail = f"{command_id}" + (f", exit code {exit_code}" if exit_code >= 0 else "")
        return CommandStatus(status=found["Status"], detail=detail)
