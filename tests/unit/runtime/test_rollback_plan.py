"""What to undo next, from what MGN says now (I6)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.logic.steps.rollback_plan import (
    AwaitJob,
    Finished,
    Freeze,
    RestoreTemplate,
    Revert,
    Situation,
    Terminate,
    UndoStep,
    next_step,
)
from runtime.models.mgn import (
    InstanceHealth,
    Job,
    LaunchTemplateRef,
    LifeCycle,
    LifeCycleState,
    SourceServer,
)
from runtime.models.record import Launch, MigrationRecord
from tests.builders import JOB_ID, a_job, a_record, a_server, some_health

OURS, THEIRS = JOB_ID, "mgnjob-99999999999999999"
OUR_INSTANCE, THEIR_INSTANCE = "i-00000000000000001", "i-00000000000000009"
REMEMBERED = LaunchTemplateRef(launch_template_id="lt-1", default_version=1)
CHANGED = LaunchTemplateRef(launch_template_id="lt-1", default_version=2)
LAUNCH = Launch(launch_id="l-1", job_id=OURS, instance_id=OUR_INSTANCE)
READY_TEST, READY_CUTOVER = LifeCycleState.READY_FOR_TEST, LifeCycleState.READY_FOR_CUTOVER


def a_migration(**changes: Any) -> MigrationRecord:
    return a_record(**{"source_server_id": "s-1", "lifecycle_before": "READY_FOR_TEST", **changes})


def launched(state: str, job: str | None = None, instance: str | None = None, shown_job: str | None = None) -> Any:
    last = {"initiated": {"jobID": job} if job else {}}
    shown = {"ec2InstanceID": instance, "jobID": shown_job or job} if instance else {}
    server = a_server(launched_instance=shown)
    life_cycle = LifeCycle.model_validate({"state": state, "lastTest": last, "lastCutover": last})
    return server.model_copy(update={"life_cycle": life_cycle})


def plan(
    record: MigrationRecord,
    server: SourceServer | None,
    *alive: str,
    jobs: tuple[Job, ...] = (),
    template: LaunchTemplateRef | None = None,
) -> UndoStep:
    instances = {name: some_health(name) for name in alive}
    return next_step(record, Situation(server, jobs, instances, template))


TESTED = a_migration(test_launch=LAUNCH)
CUT = a_migration(cutover_launch=LAUNCH)
LATER = "mgnjob-22222222222222222"
BOTH = a_migration(
    test_launch=LAUNCH, cutover_launch=Launch(launch_id="l-2", job_id=LATER, instance_id="i-00000000000000002")
)


@pytest.mark.parametrize(
    ("record", "server", "alive", "expected"),
    [
        (a_migration(), None, [], Finished()),
        (a_migration(), a_server(state="DISCONNECTED"), [], Finished()),
        (a_migration(), launched("CUTOVER", THEIRS), [], Finished()),
        (a_migration(), launched("TESTING", THEIRS, THEIR_INSTANCE), [THEIR_INSTANCE], Finished()),
        (a_migration(), launched("CUTTING_OVER", THEIRS, THEIR_INSTANCE), [THEIR_INSTANCE], Finished()),
        (a_migration(), launched("READY_FOR_TEST", THEIRS, THEIR_INSTANCE), [THEIR_INSTANCE], Finished()),
        (a_migration(), launched("READY_FOR_TEST"), [], Finished()),
        (a_migration(), launched("READY_FOR_CUTOVER"), [], Revert(READY_TEST)),
        (a_migration(lifecycle_before="READY_FOR_CUTOVER"), launched("READY_FOR_CUTOVER"), [], Finished()),
        (a_migration(lifecycle_before="READY_FOR_CUTOVER"), launched("READY_FOR_TEST"), [], Revert(READY_CUTOVER)),
        (a_migration(lifecycle_before="NOT_READY"), launched("READY_FOR_TEST"), [], Finished()),
        (a_migration(lifecycle_before="NOT_READY"), launched("NOT_READY"), [], Finished()),
        (TESTED, launched("TESTING", OURS, OUR_INSTANCE), [OUR_INSTANCE], Revert(READY_TEST)),
        (CUT, launched("CUTTING_OVER", OURS, OUR_INSTANCE), [OUR_INSTANCE], Revert(READY_CUTOVER)),
        (CUT, launched("READY_FOR_CUTOVER", OURS, OUR_INSTANCE), [OUR_INSTANCE], Terminate(OUR_INSTANCE)),
        (CUT, launched("READY_FOR_CUTOVER", OURS), [], Revert(READY_TEST)),
        (CUT, launched("READY_FOR_TEST", OURS), [], Finished()),
    ],
)
def test_next_step_of_the_undo(record: MigrationRecord, server: Any, alive: list[str], expected: UndoStep) -> None:
    assert plan(record, server, *alive) == expected


@pytest.mark.parametrize(
    ("record", "server", "alive", "words"),
    [
        (CUT, None, [OUR_INSTANCE], "left MGN after a launch; its instance is kept"),
        (CUT, a_server(is_archived=True), [OUR_INSTANCE], "left MGN after a launch"),
        (CUT, launched("CUTOVER", OURS, OUR_INSTANCE), [OUR_INSTANCE], "the cutover is final in MGN"),
        (TESTED, launched("TESTING", THEIRS, THEIR_INSTANCE), [OUR_INSTANCE], "by a job that is not ours"),
        (TESTED, launched("READY_FOR_TEST", THEIRS, THEIR_INSTANCE), [OUR_INSTANCE], "no longer shows it"),
        (TESTED, launched("READY_FOR_TEST"), [OUR_INSTANCE], "no longer shows it as the server's"),
        (TESTED, launched("READY_FOR_TEST", OURS, OUR_INSTANCE, THEIRS), [OUR_INSTANCE], "no longer shows it"),
        (BOTH, launched("READY_FOR_TEST", LATER, "i-00000000000000002"), [OUR_INSTANCE], "no longer shows it"),
        (
            TESTED.model_copy(update={"undo_launch": Launch(launch_id="u", job_id="mgnjob-u")}),
            launched("READY_FOR_TEST", OURS, OUR_INSTANCE),
            [OUR_INSTANCE],
            "mgnjob-u ended and i-00000000000000001 is still running",
        ),
    ],
)
def test_i6_doubt_freezes(record: MigrationRecord, server: Any, alive: list[str], words: str) -> None:
    step = plan(record, server, *alive)
    assert isinstance(step, Freeze)
    assert words in step.reason


def test_undo_waits_for_any_active_job_of_the_server() -> None:
    assert plan(CUT, launched("CUTTING_OVER", OURS), jobs=(a_job(THEIRS),)) == AwaitJob(THEIRS)


@pytest.mark.parametrize("state", ["TESTING", "CUTTING_OVER", "CUTOVER"])
def test_i6_template_is_restored_although_somebody_else_launched_the_server(state: str) -> None:
    record, server = a_migration(launch_template=REMEMBERED), launched(state, THEIRS, THEIR_INSTANCE)
    assert plan(record, server, THEIR_INSTANCE, template=CHANGED) == RestoreTemplate(REMEMBERED)
    assert plan(record, server, THEIR_INSTANCE, template=REMEMBERED) == Finished()


def test_changed_template_is_restored_last() -> None:
    record = a_migration(launch_template=REMEMBERED)
    assert plan(record, launched("READY_FOR_CUTOVER"), template=CHANGED) == Revert(READY_TEST)
    assert plan(record, launched("READY_FOR_TEST"), template=CHANGED) == RestoreTemplate(REMEMBERED)
    assert plan(record, launched("READY_FOR_TEST"), template=REMEMBERED) == Finished()


jobs = st.sampled_from([None, OURS, THEIRS])
launches = st.none() | st.builds(
    lambda instance: Launch(launch_id="l", job_id=OURS, instance_id=instance), st.sampled_from([None, OUR_INSTANCE])
)
records = st.builds(
    a_migration,
    lifecycle_before=st.sampled_from([None, "NOT_READY", "READY_FOR_TEST", "READY_FOR_CUTOVER"]),
    test_launch=launches,
    cutover_launch=launches,
    undo_launch=st.none() | st.just(Launch(launch_id="u", job_id="mgnjob-u")),
    launch_template=st.sampled_from([None, REMEMBERED]),
)
states = st.sampled_from([*LifeCycleState, "STOPPED", "SOMETHING_NEW"])
their_or_our_instance = st.sampled_from([None, OUR_INSTANCE, THEIR_INSTANCE])
servers = st.builds(launched, states, jobs, their_or_our_instance, jobs)
healths = st.builds(
    lambda name, state: InstanceHealth(instance_id=name, state=state),
    st.sampled_from([OUR_INSTANCE, THEIR_INSTANCE]),
    st.sampled_from([None, "pending", "running", "stopped", "terminated"]),
)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    active = tuple(a_job(job) for job in draw(st.lists(st.sampled_from([OURS, THEIRS]), max_size=2)))
    instances = {health.instance_id: health for health in draw(st.lists(healths, max_size=2))}
    template = draw(st.sampled_from([None, REMEMBERED, CHANGED]))
    return Situation(draw(st.none() | servers), active, instances, template)


@given(record=records, now=situations())
def test_i6_never_terminates_an_instance_that_is_not_ours(record: MigrationRecord, now: Situation) -> None:
    step = next_step(record, now)
    if isinstance(step, Terminate):
        assert now.server is not None
        shown = now.server.launched_instance
        assert shown is not None
        ours = {launch.job_id for launch in (record.test_launch, record.cutover_launch) if launch}
        assert (shown.ec2_instance_id, shown.job_id in ours) == (step.instance_id, True)
        assert not now.instances[step.instance_id].is_gone
        assert now.server.state not in ("TESTING", "CUTTING_OVER", "CUTOVER")


@given(record=records, now=situations())
def test_i6_after_the_point_of_no_return_nothing_is_undone(record: MigrationRecord, now: Situation) -> None:
    if now.server is not None and now.server.state == "CUTOVER":
        step = next_step(record, now)
        assert isinstance(step, Freeze | Finished | AwaitJob | RestoreTemplate)
        assert isinstance(step, Freeze) is bool(record.test_launch or record.cutover_launch)


@given(record=records, now=situations())
def test_i6_server_that_left_or_works_for_a_job_is_not_touched(record: MigrationRecord, now: Situation) -> None:
    if now.server is None or now.active_jobs:
        assert isinstance(next_step(record, now), Freeze | Finished | AwaitJob)
