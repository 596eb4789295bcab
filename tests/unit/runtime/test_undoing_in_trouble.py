"""rollback_handler: what happens when an undo is hindered or cannot be finished (I6, I7)."""

import pytest

from runtime.errors import (
    SourceServerBusyError,
    SourceServerStateError,
    ThrottledError,
)
from runtime.logic.undoing import freeze, undo
from runtime.models.environment import Budgets
from runtime.models.record import Progress
from runtime.models.status import MigrationStatus
from runtime.models.steps import Failure, Rollback
from tests.builders import SCOPE, SERVER_ID, a_job
from tests.unit.runtime.stages import (
    a_step,
    a_world,
    assert_as_before,
    bring_to,
    finish_jobs,
    the_record,
    the_server,
    undo_until_done,
    wake,
)


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


def test_freeze_keeps_the_lock_and_says_why() -> None:
    ports = bring_to("cutover-verified")
    failure = Failure(error="States.Timeout")
    assert freeze(a_step(Rollback, failure=failure), ports) is Progress.FROZEN
    assert the_record(ports).reason == "the undo failed: States.Timeout"
    assert ports.store.lock_of(SCOPE, SERVER_ID) is not None
    assert freeze(a_step(Rollback, failure=failure), ports) is Progress.FROZEN
