"""What the state machine hands over, and the envelopes AWS puts around events."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from runtime.models.envelopes import EventEnvelope, ExecutionEnded, StreamRecord
from runtime.models.functions.steps import (
    AwaitSignal,
    Failure,
    FinalizeCutover,
    PrepareSource,
    Rollback,
    Step,
    TriggerMigration,
    UndoGoal,
    ValidateInput,
    VerifyMigration,
)
from runtime.models.scope import Scope

IDENTITY = {"migrationId": "mig-1", "correlationId": "cor-1", "execution": "arn:execution"}


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (ValidateInput, {}),
        (PrepareSource, {"taskToken": "t"}),
        (PrepareSource, {"phase": "cutover"}),
        (TriggerMigration, {"phase": "test", "taskToken": "t"}),
        (VerifyMigration, {"phase": "test"}),
        (AwaitSignal, {"kind": "approval", "gate": "cutover", "taskToken": "t"}),
        (FinalizeCutover, {}),
        (Rollback, {"goal": "cleaned-up", "taskToken": "t"}),
        (Rollback, {"failure": {"Error": "States.Timeout", "Cause": ""}}),
    ],
)
def test_step_survives_its_wire_form(model: type[Step], fields: dict[str, Any]) -> None:
    step = model.model_validate({**IDENTITY, **fields})
    assert model.from_json(step.to_json()) == step
    assert json.loads(step.to_json()).items() >= {**IDENTITY, **fields}.items()


@pytest.mark.parametrize("fields", [{}, {"phase": "test", "taskToken": "t"}])
def test_prepare_source_wants_either_a_wait_or_a_phase(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="either a taskToken"):
        PrepareSource.model_validate({**IDENTITY, **fields})


def test_rollback_without_a_goal_rolls_back() -> None:
    assert Rollback.model_validate(IDENTITY).goal is UndoGoal.ROLLED_BACK


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        ('{"errorMessage": "the door is closed", "errorType": "X", "stackTrace": []}', "the door is closed"),
        ("the door is closed", "the door is closed"),
        ('{"other": 1}', '{"other": 1}'),
        ("[1, 2]", "[1, 2]"),
        ("null", "null"),
        ("17", "17"),
        ("", ""),
        ("{not json", "{not json"),
    ],
)
def test_message_of_a_failure_is_the_cause_in_words(cause: str, message: str) -> None:
    assert Failure.model_validate({"Error": "E", "Cause": cause}).message == message


def test_failure_without_a_cause_has_an_empty_message() -> None:
    assert Failure.model_validate({"Error": "States.Timeout"}).message == ""


def test_mgn_envelope_names_the_account_and_region_it_comes_from() -> None:
    envelope = EventEnvelope.model_validate(
        {
            "version": "0",
            "source": "aws.mgn",
            "detail-type": "MGN Source Server Launch Result",
            "account": "111122223333",
            "region": "us-east-1",
            "resources": [
                "arn:aws:mgn:us-east-1:111122223333:source-server/s-11111111111111111",
                "arn:aws:mgn:us-east-1:111122223333:job/mgnjob-11111111111111111",
            ],
            "detail": {"state": "TEST_LAUNCH_SUCCEEDED", "job-id": "mgnjob-1"},
            "something-new": True,
        }
    )
    assert envelope.scope == Scope("111122223333", "us-east-1")


@pytest.mark.parametrize("missing", ["account", "region"])
def test_event_that_does_not_say_where_it_comes_from_has_no_scope(missing: str) -> None:
    event = {"source": "aws.mgn", "detail-type": "x", "account": "111122223333", "region": "us-east-1"}
    del event[missing]
    assert EventEnvelope.model_validate(event).scope is None


def test_end_of_an_execution_names_its_migration() -> None:
    detail = {"executionArn": "arn:1", "status": "ABORTED", "input": '{"migrationId": "mig-1", "more": 1}', "x": 1}
    ended = ExecutionEnded.model_validate(detail)
    assert (ended.migration_id, ended.execution_arn, ended.status) == ("mig-1", "arn:1", "ABORTED")


def test_stream_record_gives_its_document() -> None:
    change = {"NewImage": {"document": {"S": "{}"}, "pk": {"S": "x"}}, "SequenceNumber": "1"}
    assert StreamRecord.model_validate({"eventID": "1", "dynamodb": change}).document == "{}"


@pytest.mark.parametrize("model", [ValidateInput, TriggerMigration, AwaitSignal])
def test_step_without_its_migration_is_refused(model: type[Step]) -> None:
    with pytest.raises(ValidationError, match="migrationId"):
        model.model_validate({})
