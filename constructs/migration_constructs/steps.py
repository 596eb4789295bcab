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
from runtime.errors import TRANSIENT, CheckPendingError, ThrottledError
from runtime.models.functions.function import Function
from runtime.models.functions.steps import Step

SERVICE_FAULTS = [
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Sandbox.Timedout",
]
CHECK_PENDING = CheckPendingError.__name__
THROTTLED = ThrottledError.__name__
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
        _retry(task, SERVICE_FAULTS, Duration.seconds(2), rate=2, attempts=5, at_most=Duration.seconds(30))
        transient = [name for name in TRANSIENT if name not in (CHECK_PENDING, THROTTLED)]
        _retry(task, transient, self.pace.transient, rate=2, attempts=8, at_most=Duration.seconds(60))
        # A thousand migrations that begin at once take minutes to get their requests to MGN through its budget.
        _retry(task, [THROTTLED], self.pace.transient, rate=2, attempts=30, at_most=Duration.seconds(60))
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
