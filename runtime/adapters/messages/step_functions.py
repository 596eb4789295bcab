"""Parked Step Functions tasks behind the Resumer port."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from runtime.adapters.aws.faults import aws_faults, code_of
from runtime.models.waits import Outcome

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

NOBODY_WAITS = frozenset({"InvalidToken", "TaskDoesNotExist", "TaskTimedOut"})

CAUSE_LIMIT = 32_768


class StepFunctionsResumer:
    """Knows executions by ARN and completes parked tasks by token."""

    def __init__(self, client: "SFNClient") -> None:
        self._client = client

    def is_running(self, execution: str) -> bool:
        try:
            with aws_faults():
                return self._client.describe_execution(executionArn=execution)["status"] == "RUNNING"
        except ClientError as error:
            # Step Functions forgets executions 90 days after their end.
            if code_of(error) != "ExecutionDoesNotExist":
                raise
            return False

    def resume(self, token: str, outcome: Outcome) -> bool:
        try:
            with aws_faults():
                self._send(token, outcome)
        except ClientError as error:
            if code_of(error) not in NOBODY_WAITS:
                raise
            return False
        return True

    def _send(self, token: str, outcome: Outcome) -> None:
        if outcome.error is None:
            self._client.send_task_success(taskToken=token, output=outcome.to_json())
        else:
            self._client.send_task_failure(taskToken=token, error=outcome.error, cause=outcome.reason[:CAUSE_LIMIT])
