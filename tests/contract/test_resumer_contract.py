"""What every Resumer does: the fake, and the Step Functions adapter on scripted answers (moto waits for no token)."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from runtime.adapters.messages.step_functions import StepFunctionsResumer
from runtime.errors import ThrottledError
from runtime.models.waits import Outcome, Progress
from tests.contract.aws import aws
from tests.fakes import FakeResumer

DONE = Outcome(reason="launched")
AGAIN = Outcome(reason="job ended", progress=Progress.AGAIN)
FAILED = Outcome(error="LaunchFailedError", reason="MGN skipped it")


@pytest.fixture
def states() -> Iterator[Stubber]:
    with Stubber(aws("stepfunctions")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def resumer() -> StepFunctionsResumer:
    return StepFunctionsResumer(aws("stepfunctions"))


@pytest.mark.parametrize("outcome", [DONE, AGAIN])
def test_outcome_without_error_is_the_tasks_output(states: Stubber, outcome: Outcome) -> None:
    states.add_response("send_task_success", {}, {"taskToken": "token", "output": outcome.to_json()})
    assert resumer().resume("token", outcome)
    assert FakeResumer().resume("token", outcome)


def test_error_fails_the_task_under_its_name(states: Stubber) -> None:
    asked: Any = {"taskToken": "token", "error": "LaunchFailedError", "cause": "MGN skipped it"}
    states.add_response("send_task_failure", {}, asked)
    assert resumer().resume("token", FAILED)


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
@pytest.mark.parametrize("outcome", [DONE, FAILED])
def test_task_nobody_waits_for_is_no_error(states: Stubber, outcome: Outcome, code: str) -> None:
    call = "send_task_failure" if outcome.error else "send_task_success"
    states.add_client_error(call, code, "gone")
    assert not resumer().resume("token", outcome)
    assert not FakeResumer(gone={"token"}).resume("token", outcome)


def test_second_resume_finds_nobody(states: Stubber) -> None:
    states.add_response("send_task_success", {})
    states.add_client_error("send_task_success", "TaskTimedOut")
    for each in (resumer(), FakeResumer()):
        assert [each.resume("token", DONE) for _ in range(2)] == [True, False]


def test_throttling_heals_by_waiting(states: Stubber) -> None:
    states.add_client_error("send_task_success", "ThrottlingException", http_status_code=400)
    with pytest.raises(ThrottledError) as caught:
        resumer().resume("secret-token", DONE)
    assert "secret-token" not in str(caught.value)


def test_denied_resume_is_not_taken_for_nobody_waiting(states: Stubber) -> None:
    states.add_client_error("send_task_success", "AccessDeniedException")
    with pytest.raises(ClientError):
        resumer().resume("token", DONE)
