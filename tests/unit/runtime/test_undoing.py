"""rollback_handler: whole undos on a fake MGN, and what happens when one cannot be finished (I6)."""

import pytest

from runtime.errors import (
    LaunchInDoubtError,
    ServiceUnavailableError,
    SourceServerBusyError,
    SourceServerStateError,
    ThrottledError,
)
from runtime.logic.undoing import failure_reason, freeze, undo
from runtime.models.environment import Budgets
from runtime.models.record import Progress
from runtime.models.status import MigrationStatus
from runtime.models.steps import Failure, Rollback, UndoGoal
from tests.builders import SCOPE, SERVER_ID, a_job, a_server
from tests.fakes import FakePorts
from tests.unit.runtime.crashes import CrashError, Crashes, watch
from tests.unit.runtime.stages import (
    STAGES,
    a_step,
    a_world,
    accepted,
    bring_to,
    finish_jobs,
    the_record,
    the_server,
    undo_until_done,
    wake,
)


def assert_as_before(ports: FakePorts, state: str = "READY_FOR_TEST") -> None:
    """Another attempt can start: nothing of the first is left."""
    assert the_server(ports).state == state
    assert not [health for health in ports.instances.known.values() if not health.is_gone]
    assert ports.launch_settings.defaults[SERVER_ID] == 1
    assert ports.store.lock_of(SCOPE, SERVER_ID) is None
    assert "undo" not in [wait.name for wait in ports.store.waits("mig-1")]


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


@pytest.mark.parametrize("stage", ["test-prepared", "windowed"])
@pytest.mark.parametrize("lost", [True, False])
def test_i3_undo_after_a_launch_whose_answer_was_lost_finds_the_job_first(stage: str, lost: bool) -> None:
    # Given a launch call without an answer
    ports = bring_to(stage)
    kind = ports.mgn.lost if lost else ports.mgn.failures
    kind["start_launch"] = [ServiceUnavailableError("no answer")]
    launching = "test-launching" if stage == "test-prepared" else "cutover-launching"
    with pytest.raises(ServiceUnavailableError):
        STAGES[launching](ports)
    # When it is undone
    if not lost:
        with pytest.raises(LaunchInDoubtError):
            undo_until_done(ports)
        ports.advance(61)
    # Then nothing is left, whether MGN had taken the call or not
    assert undo_until_done(ports) is Progress.DONE
    assert_as_before(ports)


def test_cancelled_migration_ends_cancelled() -> None:
    ports = bring_to("cutover-verified")
    undo_until_done(ports, Failure(error="MigrationCancelledError", cause="cancelled by ada: wrong server"))
    assert the_record(ports).status is MigrationStatus.CANCELLED
    assert_as_before(ports)


def test_test_mode_cleans_up_and_completes() -> None:
    ports = bring_to("test-verified", mode="test")
    assert undo_until_done(ports, goal=UndoGoal.CLEANED_UP) is Progress.DONE
    assert the_record(ports).status is MigrationStatus.COMPLETED
    assert_as_before(ports)


def test_migration_that_failed_before_its_server_was_known_is_rolled_back() -> None:
    ports = a_world()
    record = accepted(ports)
    ports.store.records["mig-1"] = record.model_copy(update={"status": MigrationStatus.VALIDATING})
    assert undo_until_done(ports) is Progress.DONE
    assert the_record(ports).status is MigrationStatus.ROLLED_BACK
    assert "change_lifecycle" not in ports.mgn.calls


def test_i6_undo_after_the_point_of_no_return_freezes_and_keeps_everything() -> None:
    ports = bring_to("cutover-verified")
    ports.mgn.finalize(SERVER_ID)
    calls = len(ports.mgn.calls)
    assert undo_until_done(ports) is Progress.FROZEN
    assert the_record(ports).status is MigrationStatus.FROZEN
    assert "the cutover is final in MGN" in the_record(ports).reason
    assert ports.store.lock_of(SCOPE, SERVER_ID) is not None
    assert not {"terminate", "change_lifecycle"} & set(ports.mgn.calls[calls:])


def test_i6_instance_that_survives_its_termination_freezes() -> None:
    ports = bring_to("cutover-verified")
    alive = dict(ports.instances.known)
    instance = the_server(ports).launched_instance
    undo(a_step(Rollback), "undo", ports)
    finish_jobs(ports)
    ports.instances.known = alive
    ports.mgn.add(the_server(ports).model_copy(update={"launched_instance": instance}))
    assert undo_until_done(ports) is Progress.FROZEN
    assert "is still running" in the_record(ports).reason
    assert ports.store.lock_of(SCOPE, SERVER_ID) is not None


def test_i6_undo_that_mgn_refuses_freezes() -> None:
    ports = bring_to("cutover-verified")
    ports.mgn.failures["change_lifecycle"] = [SourceServerStateError("ConflictException")]
    assert undo_until_done(ports) is Progress.FROZEN
    assert "MGN refused to undo: ConflictException" in the_record(ports).reason


def test_undo_that_changes_nothing_in_mgn_is_bounded_and_freezes() -> None:
    ports = bring_to("cutover-verified")
    ports.mgn.change_lifecycle = lambda source_server_id, state: the_server(ports)  # type: ignore[method-assign]
    assert undo_until_done(ports) is Progress.FROZEN
    assert "MGN does not show what the undo did" in the_record(ports).reason


def test_i7_undo_behind_jobs_that_never_end_is_bounded_by_its_rounds() -> None:
    ports = bring_to("cutover-verified", a_world(budgets=Budgets(undo_rounds=3)))
    ports.mgn.started.append(a_job("mgnjob-stuck"))
    for number in range(4):
        undo(a_step(Rollback), f"undo-{number}", ports)
        ports.advance(2 * 3_600)
        wake(ports)
    progress = [ports.resumer.resumed[f"undo-{number}"].progress for number in range(4)]
    assert progress == [Progress.AGAIN, Progress.AGAIN, Progress.AGAIN, Progress.FROZEN]
    assert "not undone in 3 rounds" in the_record(ports).reason


def test_round_repeated_because_aws_throttled_it_is_not_counted() -> None:
    ports = bring_to("cutover-verified")
    ports.mgn.failures["terminate"] = [ThrottledError("ThrottlingException") for _ in range(10)]
    for _ in range(10):
        with pytest.raises(ThrottledError):
            undo(a_step(Rollback), "undo", ports)
    assert undo_until_done(ports) is Progress.DONE
    assert_as_before(ports)


def test_job_that_began_meanwhile_is_waited_for() -> None:
    ports = bring_to("cutover-verified")
    somebodys = a_job("mgnjob-00000000000000099")

    def busy(ids: object, tags: object) -> object:
        ports.mgn.started.append(somebodys)
        del ports.mgn.terminate
        raise SourceServerBusyError("currently being processed by a Job")

    ports.mgn.terminate = busy  # type: ignore[method-assign,assignment]
    undo(a_step(Rollback), "undo", ports)
    (wait,) = [wait for wait in ports.store.waits("mig-1") if wait.name == "undo"]
    assert wait.job_id == somebodys.job_id


def test_ended_migration_is_not_undone_again() -> None:
    ports = bring_to("test-verified")
    undo_until_done(ports)
    before = the_record(ports)
    undo(a_step(Rollback), "late", ports)
    assert ports.resumer.resumed["late"].progress is Progress.DONE
    assert the_record(ports) == before
    assert freeze(a_step(Rollback), ports) is Progress.DONE


def test_freeze_keeps_the_lock_and_says_why() -> None:
    ports = bring_to("cutover-verified")
    failure = Failure(error="States.Timeout")
    assert freeze(a_step(Rollback, failure=failure), ports) is Progress.FROZEN
    assert the_record(ports).reason == "the undo failed: States.Timeout"
    assert ports.store.lock_of(SCOPE, SERVER_ID) is not None
    assert freeze(a_step(Rollback, failure=failure), ports) is Progress.FROZEN


def test_i6_failure_with_a_very_long_cause_is_still_rolled_back() -> None:
    ports = bring_to("test-verified")
    assert undo_until_done(ports, Failure(error="Runtime", cause="x" * 32_000)) is Progress.DONE
    assert len(the_record(ports).reason) == 2048


def test_failure_without_words_has_a_reason_all_the_same() -> None:
    assert failure_reason(None) == "no reason recorded"


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("at", range(1, 40))
def test_i6_crash_at_any_call_of_the_undo_leaves_nothing_behind(at: int, after_effect: bool) -> None:
    ports = bring_to("cutover-verified")
    watch(ports, Crashes(at, after_effect=after_effect))
    for _ in range(10):
        try:
            undo_until_done(ports)
            break
        except (CrashError, LaunchInDoubtError):
            finish_jobs(ports)
            ports.advance(61)
            ports.resumer.resumed.clear()
    assert the_record(ports).status is MigrationStatus.ROLLED_BACK
    assert_as_before(ports)
