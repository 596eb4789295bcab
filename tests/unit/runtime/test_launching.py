"""trigger_migration: exactly one launch without a client token (I3)."""

import pytest

from runtime.errors import (
    LaunchInDoubtError,
    ServiceUnavailableError,
    SourceServerBusyError,
    SourceServerStateError,
    ThrottledError,
)
from runtime.logic.launching import CORRELATION_TAG, LAUNCH_TAG, MIGRATION_TAG, trigger
from runtime.models.mgn import Job
from runtime.models.record import Launch
from runtime.models.request import Phase
from runtime.models.steps import TriggerMigration
from tests.builders import a_job
from tests.fakes import FakePorts
from tests.unit.runtime.crashes import CrashError, Crashes, watch
from tests.unit.runtime.stages import a_step, bring_to, the_record

STEP = a_step(TriggerMigration, phase=Phase.CUTOVER, task_token="cutover-token")


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


def test_launch_parks_its_token_and_tags_its_job(ready: FakePorts) -> None:
    run(ready)
    (job,) = launches(ready)
    (wait,) = ready.store.waits("mig-1")
    assert (wait.job_id, wait.token, wait.name) == (job.job_id, "cutover-token", "launch-cutover")
    assert job.tags == {
        LAUNCH_TAG: the_launch(ready).launch_id,
        CORRELATION_TAG: "cor-mig-1",
        MIGRATION_TAG: "mig-1",
    }


def test_i3_intent_is_journaled_before_the_call(ready: FakePorts) -> None:
    ready.mgn.failures["start_launch"] = [ServiceUnavailableError("no answer")]
    with pytest.raises(ServiceUnavailableError):
        run(ready)
    assert the_launch(ready).attempted_at == ready.now()
    assert the_launch(ready).job_id is None


def test_lost_answer_of_start_cutover_is_resolved_by_adopting_the_tagged_job(ready: FakePorts) -> None:
    ready.mgn.lost["start_launch"] = [ServiceUnavailableError("answer lost")]
    with pytest.raises(ServiceUnavailableError):
        run(ready)
    run(ready)
    (job,) = launches(ready)
    assert the_launch(ready).job_id == job.job_id
    assert ready.mgn.calls.count("start_launch") == 1


def test_i3_no_job_within_the_doubt_time_is_doubt_and_no_second_call(ready: FakePorts) -> None:
    ready.mgn.failures["start_launch"] = [ServiceUnavailableError("no answer")]
    with pytest.raises(ServiceUnavailableError):
        run(ready)
    for _ in range(5):
        ready.advance(11)
        with pytest.raises(LaunchInDoubtError, match="MGN shows no job of it yet"):
            run(ready)
    assert ready.mgn.calls.count("start_launch") == 1


def test_i3_after_the_doubt_time_a_new_call_goes_out(ready: FakePorts) -> None:
    ready.mgn.failures["start_launch"] = [ServiceUnavailableError("no answer")]
    with pytest.raises(ServiceUnavailableError):
        run(ready)
    ready.advance(60)
    run(ready)
    assert len(launches(ready)) == 1
    assert ready.mgn.calls.count("start_launch") == 2


def test_throttled_call_did_nothing_and_may_be_repeated_at_once(ready: FakePorts) -> None:
    ready.mgn.failures["start_launch"] = [ThrottledError("ThrottlingException")]
    with pytest.raises(ThrottledError):
        run(ready)
    assert the_launch(ready).attempted_at is None
    run(ready)
    assert len(launches(ready)) == 1


def test_i4_full_quota_is_throttling(ready: FakePorts) -> None:
    others = [a_job(f"mgnjob-{number}", f"s-{number:017d}") for number in range(20)]
    ready.mgn.started += others
    with pytest.raises(ThrottledError):
        run(ready)
    ready.mgn.started.pop()
    run(ready)
    assert the_launch(ready).job_id is not None


def test_i3_busy_answer_of_our_own_earlier_call_is_adopted(ready: FakePorts) -> None:
    # Given a call that MGN took but shows only after the doubt time
    ready.mgn.lost["start_launch"] = [ServiceUnavailableError("answer lost")]
    with pytest.raises(ServiceUnavailableError):
        run(ready)
    (hidden,) = [ready.mgn.started.pop()]
    with pytest.raises(LaunchInDoubtError):
        run(ready)
    ready.advance(61)
    # When the second call meets the first one's job
    calls: list[str] = []

    def shown_meanwhile(phase: Phase, ids: list[str], tags: dict[str, str]) -> Job:
        calls.append(tags[LAUNCH_TAG])
        ready.mgn.started.append(hidden)
        raise SourceServerBusyError("currently being processed by a Job")

    ready.mgn.start_launch = shown_meanwhile  # type: ignore[method-assign,assignment]
    run(ready)
    # Then that job is ours
    assert the_launch(ready).job_id == hidden.job_id
    assert calls == [the_launch(ready).launch_id]


@pytest.mark.parametrize("refusal", [SourceServerBusyError("busy"), SourceServerStateError("wrong state")])
def test_refusal_because_of_somebody_elses_job_is_passed_on(ready: FakePorts, refusal: Exception) -> None:
    ready.mgn.failures["start_launch"] = [refusal]  # type: ignore[list-item]
    with pytest.raises(type(refusal)):
        run(ready)
    assert the_launch(ready).job_id is None


def test_step_run_again_with_a_new_token_launches_nothing_and_takes_the_token(ready: FakePorts) -> None:
    run(ready)
    trigger(STEP.model_copy(update={"task_token": "second-token"}), ready)
    assert len(launches(ready)) == 1
    assert [wait.token for wait in ready.store.waits("mig-1")] == ["second-token"]


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("at", range(1, 16))
def test_i3_crash_at_any_call_never_launches_twice(ready: FakePorts, at: int, after_effect: bool) -> None:
    crashes = Crashes(at, after_effect=after_effect)
    watch(ready, crashes)
    for _ in range(20):
        try:
            run(ready)
            break
        except (CrashError, LaunchInDoubtError):
            ready.advance(10)
    (job,) = launches(ready)
    assert the_launch(ready).job_id == job.job_id
    assert [wait.job_id for wait in ready.store.waits("mig-1")] == [job.job_id]


def test_crashes_are_tried_at_every_call_of_a_launch(ready: FakePorts) -> None:
    crashes = Crashes(0, after_effect=False)
    watch(ready, crashes)
    run(ready)
    assert 6 <= crashes.calls <= 15
