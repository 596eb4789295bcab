"""rollback_handler: whole undos on a fake MGN (I6)."""

from collections.abc import Callable

import pytest

from runtime.errors import ServiceUnavailableError, TargetAccountError
from runtime.logic.dispatch.looking import look
from runtime.logic.steps.rollback import failure_reason, freeze, roll_back
from runtime.logic.steps.validate_input import validate
from runtime.models.functions.steps import Failure, Rollback, UndoGoal, ValidateInput, Verdict
from runtime.models.mgn import JobLogEntry
from runtime.models.status import MigrationStatus
from runtime.models.waits import Progress
from tests.builders import OTHER_SERVER_ID, SCOPE, SERVER_ID, a_server
from tests.fakes import FakePorts
from tests.saboteur import CrashError, Saboteur, dying
from tests.unit.runtime.stages import (
    EXECUTION,
    STAGES,
    a_step,
    a_world,
    accepted,
    assert_as_before,
    bring_to,
    finish_jobs,
    the_record,
    undo_until_done,
    waits_of,
)


def undo_fails(ports: FakePorts) -> None:
    assert freeze(a_step(Rollback), ports) is Progress.DONE


@pytest.mark.parametrize("stage", STAGES)
def test_i6_failure_after_any_stage_is_rolled_back(stage: str) -> None:
    ports = bring_to(stage)
    assert undo_until_done(ports) is Progress.DONE
    assert the_record(ports).status is MigrationStatus.ROLLED_BACK
    assert the_record(ports).reason == "CheckFailedError: the application did not answer"
    assert_as_before(ports)


@pytest.mark.parametrize("stage", STAGES)
def test_i6_server_that_was_ready_for_cutover_goes_back_there(stage: str) -> None:
    ports = bring_to(stage, a_world(a_server(state="READY_FOR_CUTOVER")))
    undo_until_done(ports)
    assert_as_before(ports, "READY_FOR_CUTOVER")


@pytest.mark.parametrize("stage", ["test-launching", "cutover-launching"])
def test_i6_launch_that_mgn_failed_is_rolled_back(stage: str) -> None:
    ports = bring_to(stage)
    finish_jobs(ports, "FAILED")
    assert undo_until_done(ports) is Progress.DONE
    assert_as_before(ports)


FAILED_LAUNCH = Failure(error="LaunchFailedError", cause="launchStatus FAILED")


def launch_failed(*log: JobLogEntry) -> FakePorts:
    """A cutover launch that failed, with what MGN's log says of it."""
    ports = bring_to("cutover-launching")
    finish_jobs(ports, "FAILED")
    ports.mgn.logs[ports.mgn.started[-1].job_id] = list(log)
    return ports


def test_reason_of_a_launch_that_failed_quotes_mgns_log_of_this_server() -> None:
    ports = launch_failed(
        JobLogEntry(event="JOB_START"),
        JobLogEntry(event="CONVERSION_FAIL", source_server_id=SERVER_ID, raw_error="no boot partition"),
        JobLogEntry(event="LAUNCH_FAILED", source_server_id=OTHER_SERVER_ID, raw_error="of another server"),
        JobLogEntry(event="JOB_CANCEL"),
    )
    undo_until_done(ports, FAILED_LAUNCH)
    told = "LaunchFailedError: launchStatus FAILED; MGN logged CONVERSION_FAIL (no boot partition), JOB_CANCEL"
    assert the_record(ports).reason == told


@pytest.mark.parametrize("failure", [FAILED_LAUNCH, Failure(error="CheckFailedError", cause="no answer")], ids=str)
def test_i6_undo_does_not_wait_for_mgns_log(failure: Failure, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(job_id: str) -> tuple[JobLogEntry, ...]:
        raise TargetAccountError("DescribeJobLogItems: AccessDenied")

    ports = launch_failed(JobLogEntry(event="LAUNCH_FAILED"))
    monkeypatch.setattr(ports.mgn, "job_log", denied)
    assert undo_until_done(ports, failure) is Progress.DONE
    assert the_record(ports).reason == f"{failure.error}: {failure.cause}"


@pytest.mark.parametrize("stage", ["test-prepared", "windowed"])
@pytest.mark.parametrize("lost", [True, False])
def test_i3_undo_after_a_launch_whose_answer_was_lost_finds_the_job_first(stage: str, lost: bool) -> None:
    # Given a launch call without an answer
    ports = bring_to(stage)
    kind = ports.mgn.lost if lost else ports.mgn.failures
    kind["start_launch"] = [ServiceUnavailableError("no answer")]
    launching = "test-launching" if stage == "test-prepared" else "cutover-launching"
    STAGES[launching](ports)
    # When it is undone
    assert undo_until_done(ports) is Progress.DONE
    # Then nothing is left and nothing was launched again, whether MGN had taken the call or not
    assert_as_before(ports)
    assert len([job for job in ports.mgn.started if job.type == "LAUNCH"]) == lost + (stage == "windowed")


def test_i3_undo_does_nothing_while_a_launch_call_without_an_answer_may_still_arrive() -> None:
    ports = bring_to("test-prepared")
    ports.mgn.failures["start_launch"] = [ServiceUnavailableError("no answer")]
    STAGES["test-launching"](ports)
    roll_back(a_step(Rollback), "undo", ports)
    assert the_record(ports).reason == "undo round 1 waits for the end of a doubt about its launch"
    ports.advance(359)
    look(ports)
    assert "undo" not in ports.resumer.resumed
    ports.advance(1)
    look(ports)
    assert ports.resumer.resumed["undo"].progress is Progress.AGAIN
    assert ports.mgn.calls.count("start_launch") == 1


def test_instance_is_terminated_by_the_dispatcher_in_a_job_that_the_journal_names() -> None:
    ports = bring_to("cutover-verified")
    roll_back(a_step(Rollback), "undo", ports)
    assert "terminate" not in ports.mgn.calls
    look(ports)
    undo_launch = the_record(ports).undo_launch
    assert undo_launch is not None
    (wait,) = waits_of(ports)
    assert (wait.job_id, ports.mgn.started[-1].job_id) == (undo_launch.job_id, undo_launch.job_id)
    assert ports.mgn.started[-1].type == "TERMINATE"


def test_cancelled_migration_ends_cancelled() -> None:
    ports = bring_to("cutover-verified")
    undo_until_done(ports, Failure(error="MigrationCancelledError", cause="cancelled by ada: wrong server"))
    assert the_record(ports).status is MigrationStatus.CANCELLED
    assert_as_before(ports)


def test_first_failure_is_the_reason_however_its_undo_was_hindered() -> None:
    ports = bring_to("cutover-verified")
    cancelled = Failure(error="MigrationCancelledError", cause="cancelled by ada: wrong server")
    roll_back(a_step(Rollback, failure=cancelled), "undo", ports)
    undo_until_done(ports, Failure(error="ServiceUnavailableError", cause="500"))
    assert the_record(ports).status is MigrationStatus.CANCELLED
    assert the_record(ports).reason == "MigrationCancelledError: cancelled by ada: wrong server"


@pytest.mark.parametrize(
    "failure",
    [
        Failure(error="CheckFailedError", cause="the script printed MigrationCancelledError"),
        Failure(error="MigrationError", cause="cancelled by nobody"),
    ],
    ids=["quoted", "like it"],
)
def test_failure_that_only_looks_like_a_cancellation_is_rolled_back(failure: Failure) -> None:
    ports = bring_to("cutover-verified")
    undo_until_done(ports, failure)
    assert the_record(ports).status is MigrationStatus.ROLLED_BACK


def test_test_mode_cleans_up_and_completes() -> None:
    ports = bring_to("test-verified", mode="test")
    assert undo_until_done(ports, goal=UndoGoal.CLEANED_UP) is Progress.DONE
    assert the_record(ports).status is MigrationStatus.COMPLETED
    assert_as_before(ports)


@pytest.mark.parametrize("scope", [None, SCOPE])
def test_migration_that_failed_before_its_server_was_known_is_rolled_back(scope: str | None) -> None:
    ports = a_world()
    record = accepted(ports)
    claimed = {"status": MigrationStatus.VALIDATING, "scope": scope}
    ports.migrations.records["mig-1"] = record.model_copy(update=claimed)
    assert undo_until_done(ports) is Progress.DONE
    assert the_record(ports).status is MigrationStatus.ROLLED_BACK
    assert "change_lifecycle" not in ports.mgn.calls


@pytest.mark.parametrize("act", [lambda ports: roll_back(a_step(Rollback), "undo", ports), undo_fails])
def test_i12_execution_whose_first_step_cannot_run_is_rolled_back_and_not_frozen(
    act: Callable[[FakePorts], object],
) -> None:
    ports = a_world()
    accepted(ports)
    act(ports)
    assert (the_record(ports).status, the_record(ports).execution) == (MigrationStatus.ROLLED_BACK, EXECUTION)
    second = validate(a_step(ValidateInput, execution="second"), ports)
    assert second.verdict is Verdict.DUPLICATE


@pytest.mark.parametrize("act", [lambda ports: roll_back(a_step(Rollback), "undo", ports), undo_fails])
def test_second_execution_that_fails_undoes_nothing_of_the_first(act: Callable[[FakePorts], object]) -> None:
    ports = bring_to("cutover-verified")
    second = the_record(ports).model_copy(update={"execution": "the first"})
    ports.migrations.records["mig-1"] = second
    act(ports)
    assert the_record(ports) == second
    assert not waits_of(ports)


def test_ended_migration_is_not_undone_again() -> None:
    ports = bring_to("test-verified")
    undo_until_done(ports)
    before = the_record(ports)
    roll_back(a_step(Rollback), "late", ports)
    assert ports.resumer.resumed["late"].progress is Progress.DONE
    assert the_record(ports) == before
    assert freeze(a_step(Rollback), ports) is Progress.DONE


def test_i6_failure_with_a_very_long_cause_is_still_rolled_back() -> None:
    ports = bring_to("test-verified")
    assert undo_until_done(ports, Failure(error="Runtime", cause="x" * 32_000)) is Progress.DONE
    assert len(the_record(ports).reason) == 2048


def test_failure_without_words_has_a_reason_all_the_same() -> None:
    assert failure_reason(None) == "no reason recorded"


def test_check_whose_retries_are_used_up_failed() -> None:
    pending = Failure(error="CheckPendingError", cause='{"errorMessage": "http check: status 503"}')
    assert failure_reason(pending) == "CheckFailedError: it never passed: http check: status 503"
    assert len(failure_reason(pending.model_copy(update={"cause": "x" * 32_000}))) == 2048


CALLS = 84


def test_crashes_are_tried_at_every_call_of_an_undo() -> None:
    ports = bring_to("cutover-verified")
    saboteur = Saboteur(ports, 0, dying(after=False))
    undo_until_done(ports)
    assert saboteur.calls == CALLS


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("at", range(1, CALLS + 1))
def test_i6_crash_at_any_call_of_the_undo_leaves_nothing_behind(at: int, after_effect: bool) -> None:
    ports = bring_to("cutover-verified")
    Saboteur(ports, at, dying(after=after_effect))
    for _ in range(10):
        try:
            undo_until_done(ports)
            break
        except CrashError:
            finish_jobs(ports)
            ports.advance(361)
            ports.resumer.resumed.clear()
    assert the_record(ports).status is MigrationStatus.ROLLED_BACK
    assert_as_before(ports)
