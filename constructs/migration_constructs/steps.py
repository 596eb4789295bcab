"""Task states that call the handlers, with payloads built from the models of `runtime.models.functions.steps`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Self

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct
from pydantic import BaseModel

from migration_constructs.function import duration
from runtime.errors import TRANSIENT, CheckPendingError, ServiceUnavailableError, ThrottledError
from runtime.models.functions.function import Function
from runtime.models.functions.steps import Step

# Lambda's errors reach Step Functions as Lambda.<name>:
# https://docs.aws.amazon.com/step-functions/latest/dg/bp-lambda-serviceexception.html
NO_ROOM = (
    "Lambda.TooManyRequestsException",
    "Lambda.EC2ThrottledException",
    "Lambda.ENILimitReachedException",
    "Lambda.SubnetIPAddressLimitReachedException",
    ThrottledError.__name__,
)
"""Nothing was done, and room comes back: our own crowd must not undo a migration."""
OUTAGES = (
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.EC2UnexpectedException",
    "Lambda.ENINotReadyException",
    "Lambda.ResourceNotReadyException",
    # A service that does not answer holds a function until its time is up.
    "Sandbox.Timedout",
    ServiceUnavailableError.__name__,
)
"""A service of AWS is down; the call may have had its effect, and every step can be called again."""
CRASHES = ("Lambda.Unknown", "Runtime.ExitError")
"""The function died. Some of its time-outs are told as such a death, so it is worth some minutes, not hours."""
CHECK_PENDING = CheckPendingError.__name__
# With full jitter the mean wait is half a minute. A throttled step is worth three hours, a service that is down one
# and a quarter. Three events an attempt: throttled to the last attempt in every step of the longest way and in six
# rounds of its undo, an execution stays below the 25,000 events Step Functions allows.
LONGEST_PAUSE = Duration.minutes(1)
NO_ROOM_ATTEMPTS, OUTAGE_ATTEMPTS, CRASH_ATTEMPTS, OTHER_ATTEMPTS = 360, 150, 20, 8
FAILURE = "$.failure"
# Above the function's own timeout, so that the function's error is seen and not the task's.
CALL_MARGIN = timedelta(seconds=60)
# The sweep ends every wait at its deadline; the task's timeout is for the day the sweep does not run.
WAIT_MARGIN = timedelta(minutes=15)


def wire_name(model: type[BaseModel], field: str) -> str:
    """The field's name in JSON; raises ValueError when the model has no such field."""
    if field not in model.model_fields:
        raise ValueError(f"{model.__name__} has no field {field!r}, only {sorted(model.model_fields)}")
    return model.model_fields[field].alias or field


def picked(path: str, model: type[BaseModel], *fields: str) -> dict[str, object]:
    """A result selector that keeps these fields of the model found at `path`."""
    names = [wire_name(model, field) for field in fields]
    return {name: sfn.JsonPath.object_at(f"{path}.{name}") for name in names}


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How patiently failed calls are repeated."""

    transient: Duration


@dataclass(frozen=True, kw_only=True)
class StepTasks:
    """Makes the task states of one state machine; each catches everything into `on_failure`."""

    scope: Construct
    functions: Mapping[Function, lambda_.IFunction]
    pace: Pace
    on_failure: sfn.IChainable

    def failing_to(self, state: sfn.IChainable) -> Self:
        """The same, with another state to go to on failure."""
        return replace(self, on_failure=state)

    def call(
        self,
        id_: str,
        step: type[Step],
        *,
        result: Mapping[str, object] | None = None,
        result_path: str | None = None,
        pending: sfn.TaskStateBase | None = None,
        **fields: str,
    ) -> tasks.LambdaInvoke:
        """A call that answers at once, and again after the wait `pending` while it finds something unready."""
        function = self.functions[step.function]
        task = tasks.LambdaInvoke(
            self.scope,
            id_,
            lambda_function=function,
            payload=_payload(step, fields),
            result_selector=result,
            result_path=result_path or sfn.JsonPath.DISCARD,
            retry_on_service_exceptions=False,
            task_timeout=sfn.Timeout.duration(duration(step.function.timeout + CALL_MARGIN)),
        )
        if pending is not None:
            task.add_catch(pending, errors=[CHECK_PENDING], result_path=sfn.JsonPath.DISCARD)
            pending.next(task)
        return self._guard(task)

    def wait(
        self,
        id_: str,
        step: type[Step],
        *,
        at_most: timedelta,
        result: Mapping[str, object] | None = None,
        result_path: str | None = None,
        **fields: str,
    ) -> tasks.LambdaInvoke:
        """A call that parks the task's token; the task ends when someone returns it."""
        task = tasks.LambdaInvoke(
            self.scope,
            id_,
            lambda_function=self.functions[step.function],
            integration_pattern=sfn.IntegrationPattern.WAIT_FOR_TASK_TOKEN,
            payload=_payload(step, {**fields, "task_token": sfn.JsonPath.task_token}),
            result_selector=result,
            result_path=result_path or sfn.JsonPath.DISCARD,
            retry_on_service_exceptions=False,
            task_timeout=sfn.Timeout.duration(duration(at_most + WAIT_MARGIN)),
        )
        return self._guard(task)

    def _guard(self, task: tasks.LambdaInvoke) -> tasks.LambdaInvoke:
        first = self.pace.transient
        others = tuple(name for name in TRANSIENT if name not in (*NO_ROOM, *OUTAGES, CHECK_PENDING))
        for errors, attempts, rate in (
            # Room comes back within seconds: who doubles its pause misses it, a crowd's last by a minute.
            (NO_ROOM, NO_ROOM_ATTEMPTS, 1.4),
            (OUTAGES, OUTAGE_ATTEMPTS, 2),
            (CRASHES, CRASH_ATTEMPTS, 2),
            (others, OTHER_ATTEMPTS, 2),
        ):
            _retry(task, list(errors), first, rate=rate, attempts=attempts, at_most=LONGEST_PAUSE)
        task.add_catch(self.on_failure, errors=[sfn.Errors.ALL], result_path=FAILURE)
        return task


def _payload(step: type[Step], fields: Mapping[str, str]) -> sfn.TaskInput:
    identity = {
        "migration_id": sfn.JsonPath.string_at("$.migrationId"),
        "correlation_id": sfn.JsonPath.string_at("$.correlationId"),
        "execution": sfn.JsonPath.execution_id,
    }
    values = {wire_name(step, name): _plain(value) for name, value in (identity | dict(fields)).items()}
    required = {wire_name(step, name) for name, field in step.model_fields.items() if field.is_required()}
    if missing := required - values.keys():
        raise ValueError(f"{step.__name__} needs {sorted(missing)}")
    return sfn.TaskInput.from_object(values)


def _plain(value: str) -> str:
    # jsii sends enum members as references to enums of its own.
    return value.value if isinstance(value, StrEnum) else value


def _retry(
    task: tasks.LambdaInvoke, errors: list[str], interval: Duration, *, rate: float, attempts: int, at_most: Duration
) -> None:
    task.add_retry(
        errors=errors,
        interval=interval,
        backoff_rate=rate,
        max_attempts=attempts,
        max_delay=at_most,
        jitter_strategy=sfn.JitterType.FULL,
    )
