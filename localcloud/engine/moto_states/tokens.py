"""Task tokens of moto's interpreter: one for each attempt, answered once, while the attempt lasts."""

from typing import Any

from moto.core.responses import EmptyResult
from moto.stepfunctions import responses
from moto.stepfunctions.parser import api, models
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service_callback
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.eval.callback import callback

from localcloud.engine.pins import install, pinned


class TaskTimedOutError(api.InvalidToken):
    """What Step Functions says of a token nobody waits for any more; moto fails to construct its own."""

    code = exception_type = "TaskTimedOut"
    message = "Task Timed Out: 'Provided task does not exist anymore'"


def complete_tokens() -> None:
    """Restore what moto's port left out."""
    _accept_early_answers()
    _accept_one_answer()
    _give_each_attempt_a_token()
    _keep_causes()


def _accept_early_answers() -> None:
    """Accept a token's answer or heartbeat from inside the very call that hands the token out."""
    service = state_task_service_callback
    notify = pinned(callback, "CallbackEndpoint.notify_heartbeat", "838bf10119e4")
    wait = pinned(service, "StateTaskServiceCallback._wait_for_task_token_heartbeat", "156c1dac9685")

    def notify_if_awaited(self: Any) -> bool:
        return bool(notify(self)) if self._heartbeat_endpoint else True

    def wait_unless_answered(self: Any, env: Any, callback_endpoint: Any, heartbeat_endpoint: Any) -> Any:
        return callback_endpoint.get_outcome() or wait(self, env, callback_endpoint, heartbeat_endpoint)

    install(callback, "CallbackEndpoint.notify_heartbeat", notify_if_awaited)
    install(service, "StateTaskServiceCallback._wait_for_task_token_heartbeat", wait_unless_answered)


def _accept_one_answer() -> None:
    notify = pinned(callback, "CallbackEndpoint.notify", "8a2febb9b274")
    pinned(api, "InvalidToken", "95c532bec44a")

    def notify_once(self: Any, outcome: Any) -> None:
        self.report(callback.CallbackConsumerLeft())
        notify(self, outcome)

    install(callback, "CallbackEndpoint.notify", notify_once)
    install(models, "TaskDoesNotExist", TaskTimedOutError)


def _give_each_attempt_a_token() -> None:
    service, name = state_task_service_callback, "StateTaskServiceCallback._evaluate_with_timeout"
    evaluate = pinned(service, name, "c56deda08a42")

    def evaluate_with_own_token(self: Any, env: Any) -> None:
        if self.resource.condition != ResourceCondition.WaitForTaskToken:
            evaluate(self, env)
            return
        endpoint = env.callback_pool_manager.add(env.states.context_object.update_task_token())
        try:
            evaluate(self, env)
        finally:
            endpoint.report(callback.CallbackConsumerLeft())

    install(service, name, evaluate_with_own_token)


def _keep_causes() -> None:
    """The cause of a failed task, which moto's front end leaves out."""
    pinned(responses, "StepFunctionResponse.send_task_failure", "f0fed5e80576")

    def send_task_failure(self: Any) -> Any:
        token, error, cause = (self._get_param(name) or "" for name in ("taskToken", "error", "cause"))
        self.stepfunction_backend.send_task_failure(token, error=error, cause=cause)
        return EmptyResult()

    install(responses, "StepFunctionResponse.send_task_failure", send_task_failure)
