"""rollback_handler: what happens when an undo is hindered or cannot be finished (I6, I7)."""

from datetime import timedelta

import pytest

from runtime.errors import (
    SourceServerBusyError,
    SourceServerStateError,
    ThrottledError,
    TransientError,
)
from runtime.logic.dispatch.looking import look
from runtime.logic.steps.rollback import freeze, roll_back
from runtime.models.dispatch import VISIBLE_AFTER
from runtime.models.functions.environment import Budgets
from runtime.models.functions.steps import Failure, Rollback
from runtime.models.mgn import SourceServer
from runtime.models.request import Phase
from runtime.models.status import MigrationStatus
from runtime.models.waits import Progress
from tests.builders import NOON, SCOPE, SERVER_ID, a_job, a_server
from tests.unit.runtime.stages import (
    a_step,
    a_world,
    assert_as_before,
    bring_to,
    finish_jobs,
    the_record,
    the_server,
    undo_until_done,
    waits_of,
)


def test_i6_undo_after_the_point_of_no_return_freezes_and_keeps_everything() -> None:
    ports = bring_to("cutover-verified")
    ports.mgn.finalize(SERVER_ID)
    calls = len(ports.mgn.calls)
    assert undo_until_done(ports) is Progress.FROZEN
    assert the_record(ports).status is MigrationStatus.FROZEN
    assert "the cutover is final in MGN" in the_record(ports).reason
    assert the_record(ports).reason.endswith("(after: CheckFailedError: the application did not answer)")
    assert ports.migrations.lock_of(SCOPE, SERVER_ID) is not None
    assert not {"terminate", "change_lifecycle"} & set(ports.mgn.calls[calls:])


def test_i6_instance_that_survives_its_termination_freezes() -> None:
    ports = bring_to("cutover-verified")
    alive = dict(ports.instances.known)
    instance = the_server(ports).launched_instance
    roll_back(a_step(Rollback), "undo", ports)
    look(ports)
    finish_jobs(ports)
    look(ports)
    ports.instances.known = alive
    ports.mgn.add(the_server(ports).model_copy(update={"launched_instance": instance}))
    assert undo_until_done(ports) is Progress.FROZEN
    assert "is still running" in the_record(ports).reason
    assert ports.migrations.lock_of(SCOPE, SERVER_ID) is not None


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
    ports = bring_to("cutover-verified", a_world(budgets=Budgets(undo_rounds=3, launch_gather=0)))
    ports.mgn.started.append(a_job("mgnjob-stuck"))
    for number in range(4):
        roll_back(a_step(Rollback), f"undo-{number}", ports)
        ports.advance(2 * 3_600)
        look(ports)
    progress = [ports.resumer.resumed[f"undo-{number}"].progress for number in range(4)]
    assert progress == [Progress.AGAIN, Progress.AGAIN, Progress.AGAIN, Progress.FROZEN]
    assert "not undone in 3 rounds" in the_record(ports).reason


def test_undo_of_one_round_has_that_round() -> None:
    ports = bring_to("cutover-verified", a_world(budgets=Budgets(undo_rounds=1, launch_gather=0)))
    roll_back(a_step(Rollback), "first", ports)
    assert "first" not in ports.resumer.resumed
    roll_back(a_step(Rollback), "second", ports)
    assert ports.resumer.resumed["second"].progress is Progress.FROZEN


def test_undo_waits_for_room_as_long_as_a_launch_and_then_for_its_job() -> None:
    ports = bring_to("cutover-verified")
    roll_back(a_step(Rollback), "undo", ports)
    (wait,) = waits_of(ports)
    assert wait.deadline == NOON + timedelta(days=3)
    look(ports)
    (wait,) = waits_of(ports)
    assert wait.deadline == NOON + timedelta(hours=2)


def test_round_repeated_because_aws_throttled_it_is_not_counted() -> None:
    ports = bring_to("cutover-verified")
    ports.mgn.failures["change_lifecycle"] = [ThrottledError("ThrottlingException") for _ in range(10)]
    for _ in range(10):
        with pytest.raises(ThrottledError):
            roll_back(a_step(Rollback), "undo", ports)
    assert undo_until_done(ports) is Progress.DONE
    assert_as_before(ports)


def test_terminate_that_aws_throttled_waits_in_its_round() -> None:
    ports = bring_to("cutover-verified")
    ports.mgn.failures["terminate"] = [ThrottledError("ThrottlingException") for _ in range(10)]
    roll_back(a_step(Rollback), "undo", ports)
    for _ in range(10):
        look(ports)
    assert (the_record(ports).undo_rounds, the_record(ports).undo_launch) == (1, None)
    assert undo_until_done(ports) is Progress.DONE
    assert_as_before(ports)


def test_terminate_that_mgn_refuses_fails_its_round_and_says_why() -> None:
    ports = bring_to("cutover-verified")
    ports.mgn.failures["terminate"] = [SourceServerStateError("ConflictException: no")]
    roll_back(a_step(Rollback), "undo", ports)
    look(ports)
    outcome = ports.resumer.resumed["undo"]
    assert (outcome.error, outcome.reason) == ("SourceServerStateError", "ConflictException: no")


def test_terminate_of_a_server_that_mgn_calls_busy_is_planned_again() -> None:
    ports = bring_to("cutover-verified")
    ports.mgn.failures["terminate"] = [SourceServerBusyError("currently being processed by a Job")]
    roll_back(a_step(Rollback), "undo", ports)
    look(ports)
    assert ports.resumer.resumed["undo"].progress is Progress.AGAIN
    assert undo_until_done(ports) is Progress.DONE
    assert_as_before(ports)


def test_terminate_of_a_server_that_left_mgn_is_planned_again_and_freezes() -> None:
    ports = bring_to("cutover-verified")
    roll_back(a_step(Rollback), "undo", ports)
    ports.mgn.by_id.clear()
    ports.launch_settings.defaults.clear()
    look(ports)
    assert ports.resumer.resumed["undo"].progress is Progress.AGAIN
    roll_back(a_step(Rollback), "again", ports)
    assert "left MGN after a launch" in the_record(ports).reason


def test_i6_launch_by_somebody_else_stays_and_our_template_version_does_not() -> None:
    ports = bring_to("test-prepared")
    theirs = ports.mgn.start_launch(Phase.TEST, [SERVER_ID], {})
    ports.mgn.end(theirs.job_id)
    assert ports.launch_settings.defaults[SERVER_ID] == 2
    assert undo_until_done(ports) is Progress.DONE
    assert_as_before(ports, "TESTING")


def test_server_that_left_before_its_launch_has_no_template_to_restore() -> None:
    ports = bring_to("test-prepared")
    ports.mgn.add(a_server(state="DISCONNECTED"))
    ports.launch_settings.defaults.clear()
    assert undo_until_done(ports) is Progress.DONE
    assert the_record(ports).status is MigrationStatus.ROLLED_BACK


@pytest.mark.parametrize("earlier", [True, False])
def test_job_that_holds_the_server_is_waited_for(earlier: bool) -> None:
    ports = bring_to("cutover-verified")
    somebodys = a_job("mgnjob-00000000000000099")
    if earlier:
        ports.mgn.started.append(somebodys)
    else:
        # It begins between the look at MGN and the revert.
        ports.mgn.failures["change_lifecycle"] = [SourceServerBusyError("currently being processed by a Job")]
        look_at = ports.mgn.jobs_since
        jobs = [[], [somebodys]]
        ports.mgn.jobs_since = lambda moment: [*jobs.pop(0), *look_at(moment)]  # type: ignore[method-assign]
    roll_back(a_step(Rollback), "undo", ports)
    (wait,) = waits_of(ports)
    assert wait.job_id == somebodys.job_id


@pytest.mark.parametrize("stage", ["test-launching", "cutover-launching"])
def test_i6_undo_of_a_launch_that_mgn_does_not_show_yet_waits_for_its_job(stage: str) -> None:
    ports = bring_to(stage)
    job = ports.mgn.started[-1]
    ports.mgn.unseen.add(job.job_id)
    roll_back(a_step(Rollback), "undo", ports)
    look(ports)
    assert "undo" not in ports.resumer.resumed
    assert waits_of(ports)[-1].job_id == job.job_id
    ports.mgn.unseen.clear()
    assert undo_until_done(ports) is Progress.DONE
    assert_as_before(ports)


def test_i6_undo_whose_termination_mgn_does_not_show_yet_waits_for_it() -> None:
    ports = bring_to("cutover-verified")
    roll_back(a_step(Rollback), "undo", ports)
    look(ports)
    ports.mgn.unseen.add(ports.mgn.started[-1].job_id)
    look(ports)
    assert "undo" not in ports.resumer.resumed
    ports.mgn.unseen.clear()
    assert undo_until_done(ports) is Progress.DONE
    assert_as_before(ports)


def test_undo_believes_a_job_shown_to_those_who_ask_for_it_although_no_list_has_it() -> None:
    ports = bring_to("test-launching")
    ports.mgn.unlisted.add(ports.mgn.started[-1].job_id)
    finish_jobs(ports)
    look(ports)
    assert undo_until_done(ports) is Progress.DONE
    assert_as_before(ports)


def test_job_that_mgn_shows_no_more_holds_an_undo_for_some_minutes_and_not_for_good() -> None:
    ports = bring_to("cutover-verified")
    roll_back(a_step(Rollback), "undo", ports)
    look(ports)
    finish_jobs(ports)
    ports.mgn.unseen.add(ports.mgn.started[-1].job_id)
    ports.advance(VISIBLE_AFTER.total_seconds())
    look(ports)
    assert ports.resumer.resumed["undo"].progress is Progress.AGAIN


def test_server_that_mgn_calls_busy_without_showing_a_job_is_tried_again() -> None:
    ports = bring_to("cutover-verified")
    ports.mgn.failures["change_lifecycle"] = [SourceServerBusyError("currently being processed by a Job")]
    with pytest.raises(TransientError, match="MGN does not show the job yet"):
        roll_back(a_step(Rollback), "undo", ports)
    assert ports.mgn.calls.count("change_lifecycle") == 2
    assert undo_until_done(ports) is Progress.DONE
    assert_as_before(ports)


def test_i6_round_that_is_refused_because_another_was_faster_goes_on_from_there() -> None:
    ports = bring_to("cutover-verified")
    change = ports.mgn.change_lifecycle

    def met_by_another(source_server_id: str, state: str) -> SourceServer:
        ports.mgn.change_lifecycle = change  # type: ignore[method-assign]
        change(source_server_id, state)
        return change(source_server_id, state)

    ports.mgn.change_lifecycle = met_by_another  # type: ignore[method-assign]
    assert undo_until_done(ports) is Progress.DONE
    assert_as_before(ports)


def test_freeze_keeps_the_lock_and_says_why() -> None:
    ports = bring_to("cutover-verified")
    failure = Failure(error="States.Timeout")
    assert freeze(a_step(Rollback, failure=failure), ports) is Progress.FROZEN
    assert the_record(ports).reason == "the undo failed: States.Timeout"
    assert ports.migrations.lock_of(SCOPE, SERVER_ID) is not None
    assert freeze(a_step(Rollback, failure=failure), ports) is Progress.FROZEN
