"""trigger_migration: ask the dispatcher for a launch, and exactly one follows (I3)."""

from datetime import timedelta

import pytest

from runtime.logic.dispatch.looking import look
from runtime.logic.steps.trigger_migration import trigger
from runtime.models.functions.steps import TriggerMigration
from runtime.models.mgn import Job
from runtime.models.record import Facts, Launch, LaunchKind
from runtime.models.request import Phase
from runtime.models.status import MigrationStatus
from runtime.models.waits import LaunchIntent
from tests.builders import JOB_ID, NOON, SCOPE, a_record
from tests.fakes import FakePorts
from tests.saboteur import CrashError, Saboteur, dying
from tests.unit.runtime.stages import a_step, bring_to, the_record, waits_of

STEP = a_step(TriggerMigration, phase=Phase.CUTOVER, task_token="cutover-token")
WINDOW = {"not_before": NOON - timedelta(hours=1), "not_after": NOON + timedelta(hours=6)}
QUEUE, JOB = timedelta(days=3), timedelta(hours=2)


@pytest.fixture
def ready() -> FakePorts:
    return bring_to("windowed", test=False)


def run(ports: FakePorts) -> None:
    trigger(STEP, ports)


def launches(ports: FakePorts) -> list[Job]:
    return [job for job in ports.mgn.started if job.initiated_by == "START_CUTOVER"]


def the_launch(ports: FakePorts) -> Launch:
    launch = the_record(ports).cutover_launch
    assert launch is not None
    return launch


def test_launch_parks_what_it_wants_and_starts_nothing_itself(ready: FakePorts) -> None:
    ready.wakes.sent.clear()
    run(ready)
    (wait,) = waits_of(ready)
    assert (wait.name, ready.token_of(wait), wait.phase, wait.job_id) == (
        "launch-cutover",
        "cutover-token",
        Phase.CUTOVER,
        None,
    )
    assert wait.intent == LaunchIntent(kind=LaunchKind.CUTOVER, wave="1")
    assert wait.asks_for_launch
    assert launches(ready) == []
    assert ready.wakes.sent == [(SCOPE, 0)]
    assert the_record(ready).status is MigrationStatus.CUTOVER_LAUNCHING


def test_cutover_waits_for_room_until_its_window_closes() -> None:
    ports = bring_to("windowed", test=False, window=WINDOW)
    run(ports)
    (wait,) = waits_of(ports)
    assert wait.intent is not None
    assert wait.deadline == wait.intent.not_after == WINDOW["not_after"]


def test_window_far_away_does_not_prolong_the_wait_for_room() -> None:
    ports = bring_to("windowed", test=False, window={**WINDOW, "not_after": NOON + timedelta(days=9)})
    run(ports)
    assert waits_of(ports)[0].deadline == NOON + QUEUE


def test_test_launch_knows_no_window() -> None:
    ports = bring_to("test-prepared", window=WINDOW)
    trigger(a_step(TriggerMigration, phase=Phase.TEST, task_token="token"), ports)
    (wait,) = waits_of(ports)
    assert wait.intent is not None
    assert (wait.intent.not_after, wait.deadline) == (None, NOON + QUEUE)


def test_step_retried_later_does_not_prolong_its_wait(ready: FakePorts) -> None:
    run(ready)
    ready.advance(3_600)
    run(ready)
    assert waits_of(ready)[0].deadline == NOON + QUEUE


def test_step_run_again_with_a_new_token_launches_nothing_and_takes_the_token(ready: FakePorts) -> None:
    run(ready)
    look(ready)
    trigger(STEP.model_copy(update={"task_token": "second-token"}), ready)
    look(ready)
    (job,) = launches(ready)
    assert [(ready.token_of(wait), wait.job_id) for wait in waits_of(ready)] == [("second-token", job.job_id)]


def test_step_run_again_after_its_job_began_waits_as_long_as_a_job_may_take() -> None:
    # Given a cutover that began shortly before its window closes
    ports = bring_to("windowed", test=False, window=WINDOW)
    ports.advance(6 * 3_600 - 60)
    run(ports)
    look(ports)
    began = ports.now()
    (first,) = waits_of(ports)
    # When its step runs again, with or without its earlier wait
    ports.advance(120)
    run(ports)
    (second,) = waits_of(ports)
    ports.waits.close(second)
    run(ports)
    (third,) = waits_of(ports)
    # Then the end of the window is not the end of the job
    assert first.deadline == second.deadline == third.deadline == began + JOB


@pytest.mark.parametrize("kind", LaunchKind)
def test_launch_of_each_kind_has_its_own_place_in_the_record(kind: LaunchKind) -> None:
    launch = Launch(launch_id="launch-1", job_id=JOB_ID)
    facts = Facts.of_launch(kind, launch)
    known = {name: value for name in Facts.model_fields if (value := getattr(facts, name)) is not None}
    record = a_record(**known)
    assert [record.launch(each) for each in LaunchKind] == [launch if each is kind else None for each in LaunchKind]


def launch_it(ports: FakePorts) -> None:
    run(ports)
    look(ports)


CALLS = 26


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("at", range(1, CALLS + 1))
def test_i3_crash_at_any_call_never_launches_twice(ready: FakePorts, at: int, after_effect: bool) -> None:
    Saboteur(ready, at, dying(after=after_effect))
    for _ in range(20):
        try:
            launch_it(ready)
            if launches(ready) and the_record(ready).cutover_launch:
                break
        except CrashError:
            pass
        ready.advance(30)
    (job,) = launches(ready)
    assert the_launch(ready).job_id == job.job_id
    (wait,) = waits_of(ready)
    assert (wait.job_id, wait.deadline) == (job.job_id, the_record(ready).updated_at + JOB)


def test_crashes_are_tried_at_every_call_of_a_launch(ready: FakePorts) -> None:
    saboteur = Saboteur(ready, 0, dying(after=False))
    launch_it(ready)
    assert saboteur.calls == CALLS
