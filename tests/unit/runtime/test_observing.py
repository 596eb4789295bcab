"""What a wait amounts to: replication, launch, boot and soak, judged from one reading of the truth."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from runtime.logic.dispatch.fitting import is_launchable, misfit
from runtime.logic.waits.observing import observe
from runtime.models.functions.environment import Budgets
from runtime.models.mgn import InstanceHealth, Job, SourceServer, Truth
from runtime.models.record import LaunchKind
from runtime.models.request import Phase
from runtime.models.waits import (
    LaunchIntent,
    Outcome,
    Progress,
    Wait,
    WaitKind,
)
from tests.builders import INSTANCE_ID, JOB_ID, NOON, SERVER_ID, a_job, a_server, a_wait, some_health

END = NOON + timedelta(hours=2)
LATER = NOON + timedelta(hours=1)


def seen(
    wait: Wait,
    server: SourceServer | None = None,
    job: Job | None = None,
    health: InstanceHealth | None = None,
    now: datetime = NOON,
    **budgets: Any,
) -> Outcome | None:
    truth = Truth(
        servers={SERVER_ID: server} if server else {},
        jobs={job.job_id: job} if job else {},
        instances={health.instance_id: health} if health else {},
    )
    return observe(wait, truth, now=now, budgets=Budgets(**budgets))


def error(outcome: Outcome | None) -> str | None:
    return outcome.error if outcome else "goes on"


REPLICATION = a_wait("replication", kind=WaitKind.REPLICATION)
LAUNCH = a_wait("launch-test", kind=WaitKind.LAUNCH, job_id=JOB_ID)
BOOT = a_wait("boot-test", kind=WaitKind.BOOT, phase=Phase.TEST, job_id=JOB_ID, instance_id=INSTANCE_ID)
SOAK = a_wait("soak", kind=WaitKind.SOAK, instance_id=INSTANCE_ID, not_before=LATER)
UNDO = a_wait("undo", kind=WaitKind.UNDO, job_id=JOB_ID)


def asking(kind: LaunchKind, *, not_after: datetime | None = None) -> Any:
    wait_kind = WaitKind.UNDO if kind is LaunchKind.TERMINATE else WaitKind.LAUNCH
    return a_wait(kind=wait_kind, intent=LaunchIntent(kind=kind, wave="1", not_after=not_after))


BOOTED = a_server(state="TESTING", job_id=JOB_ID)
CUT_OVER = a_server(state="CUTTING_OVER", job_id=JOB_ID)


@pytest.mark.parametrize("state", ["READY_FOR_TEST", "READY_FOR_CUTOVER"])
def test_launchable_server_ends_its_replication_wait(state: str) -> None:
    assert error(seen(REPLICATION, a_server(state=state))) is None


@pytest.mark.parametrize("state", ["PENDING_SNAPSHOT_SHIPPING", "SHIPPING_SNAPSHOT"])
def test_agentless_server_is_launchable_between_its_shipments(state: str) -> None:
    assert error(seen(REPLICATION, a_server(replication=state))) is None


@pytest.mark.parametrize(
    "server",
    [
        a_server(state="NOT_READY"),
        a_server(replication="INITIAL_SYNC"),
        a_server(lag=None),
        a_server(lag="PT11M"),
        a_server(lag="nonsense"),
    ],
)
def test_server_that_is_not_launchable_is_waited_for_and_then_given_up(server: SourceServer) -> None:
    assert error(seen(REPLICATION, server)) == "goes on"
    assert error(seen(REPLICATION, server, now=END)) == "ReplicationNotReadyError"


def test_stalled_replication_says_why_when_time_is_up() -> None:
    info = {"dataReplicationState": "STALLED", "dataReplicationError": {"error": "AGENT_NOT_SEEN"}}
    outcome = seen(REPLICATION, a_server(data_replication_info=info), now=END)
    assert outcome is not None
    assert "STALLED (AGENT_NOT_SEEN)" in outcome.reason


@pytest.mark.parametrize("wait", [REPLICATION, BOOT, SOAK])
@pytest.mark.parametrize("server", [None, a_server(is_archived=True), a_server(state="DISCONNECTED")])
def test_server_that_left_mgn_ends_every_wait_for_the_server(wait: Wait, server: SourceServer | None) -> None:
    assert error(seen(wait, server, health=some_health())) == "SourceServerGoneError"


@pytest.mark.parametrize(
    ("job", "verdict"),
    [
        (None, "goes on"),
        (a_job(), "goes on"),
        (a_job(launch_status="IN_PROGRESS"), "goes on"),
        (a_job(launch_status="LAUNCHED"), None),
        (a_job(launch_status="LAUNCHED", status="COMPLETED"), None),
        (a_job(launch_status="FAILED"), "LaunchFailedError"),
        (a_job(launch_status="TERMINATED"), "LaunchFailedError"),
        (a_job(launch_status="FAILED", status="COMPLETED"), "LaunchFailedError"),
        (a_job(launch_status="TERMINATED", status="COMPLETED"), "LaunchFailedError"),
        (a_job(launch_status="PENDING", status="COMPLETED"), "LaunchFailedError"),
        (a_job(JOB_ID, "s-99999999999999999", status="COMPLETED"), "LaunchFailedError"),
    ],
)
def test_launch_is_judged_by_this_servers_launch_status_never_by_the_job(job: Job | None, verdict: str | None) -> None:
    assert error(seen(LAUNCH, a_server(state="TESTING"), job)) == verdict


@pytest.mark.parametrize("job", [None, a_job(), a_job(launch_status="IN_PROGRESS")])
def test_launch_that_takes_too_long_fails(job: Job | None) -> None:
    assert error(seen(LAUNCH, None, job, now=END)) == "LaunchFailedError"


def test_launch_that_ended_before_it_was_seen_late_is_judged_by_its_end() -> None:
    assert error(seen(LAUNCH, None, a_job(launch_status="LAUNCHED"), now=END)) is None


@pytest.mark.parametrize(
    ("window_end", "expected", "words"),
    [
        (None, "LaunchFailedError", "MGN had no room for this launch until"),
        (END + timedelta(days=1), "LaunchFailedError", "MGN had no room for this launch until"),
        (END, "WindowMissedError", "the window closed at 2026-01-05T14:00:00+00:00 before MGN had room"),
    ],
)
def test_launch_mgn_had_no_room_for_fails_at_its_deadline(
    window_end: datetime | None, expected: str, words: str
) -> None:
    wait = asking(LaunchKind.CUTOVER, not_after=window_end)
    assert error(seen(wait)) == "goes on"
    outcome = seen(wait, now=END)
    assert outcome is not None
    assert outcome.error == expected
    assert words in outcome.reason


@pytest.mark.parametrize("server", [None, a_server(is_archived=True), a_server(state="DISCONNECTED")])
def test_server_that_left_mgn_is_never_launched(server: SourceServer | None) -> None:
    assert error(misfit(asking(LaunchKind.TEST), server)) == "SourceServerGoneError"
    assert error(misfit(asking(LaunchKind.CUTOVER), server)) == "SourceServerGoneError"
    terminate = misfit(asking(LaunchKind.TERMINATE), server)
    assert terminate is not None
    assert (terminate.error, terminate.progress) == (None, Progress.AGAIN)


@pytest.mark.parametrize(
    ("kind", "state", "fits"),
    [
        (LaunchKind.TEST, "READY_FOR_TEST", True),
        (LaunchKind.TEST, "READY_FOR_CUTOVER", False),
        (LaunchKind.TEST, "TESTING", False),
        (LaunchKind.CUTOVER, "READY_FOR_CUTOVER", True),
        (LaunchKind.CUTOVER, "READY_FOR_TEST", False),
        (LaunchKind.CUTOVER, "CUTTING_OVER", False),
    ],
)
def test_launch_begins_only_from_where_its_server_was_left(kind: LaunchKind, state: str, fits: bool) -> None:
    assert error(misfit(asking(kind), a_server(state=state))) == ("goes on" if fits else "DriftError")


@pytest.mark.parametrize("state", ["READY_FOR_TEST", "TESTING", "CUTTING_OVER", "NOT_READY"])
def test_terminate_only_waits_for_the_lifecycle_it_needs(state: str) -> None:
    wait, server = asking(LaunchKind.TERMINATE), a_server(state=state, lag=None)
    assert misfit(wait, server) is None
    assert is_launchable(wait, server, Budgets()) is (state == "READY_FOR_TEST")


@pytest.mark.parametrize(
    ("server", "launchable"),
    [
        (a_server(), True),
        (a_server(lag="PT10M"), True),
        (a_server(lag=None), False),
        (a_server(lag="PT11M"), False),
        (a_server(replication="STALLED"), False),
    ],
)
def test_stalled_or_lagging_server_waits_for_its_launch(server: SourceServer, launchable: bool) -> None:
    assert is_launchable(asking(LaunchKind.TEST), server, Budgets()) is launchable


def test_launched_instance_that_is_up_ends_the_boot() -> None:
    assert error(seen(BOOT, BOOTED, health=some_health())) is None


@pytest.mark.parametrize(
    ("server", "health", "missing"),
    [
        (a_server(state="TESTING", job_id="mgnjob-earlier"), some_health(), f"MGN shows no instance of {JOB_ID} yet"),
        (a_server(state="TESTING"), some_health(), f"MGN shows no instance of {JOB_ID} yet"),
        (a_server(state="TESTING", job_id=JOB_ID, first_boot="WAITING"), some_health(), "firstBoot is WAITING"),
        (BOOTED, some_health(instance_status="initializing"), "EC2 status checks do not pass"),
        (BOOTED, some_health(system_status="impaired"), "EC2 status checks do not pass"),
        (BOOTED, some_health(state="pending"), "EC2 status checks do not pass"),
        (BOOTED, some_health(ssm_ping="ConnectionLost"), "not online in SSM"),
        (BOOTED, None, "not online in SSM"),
    ],
)
def test_boot_waits_for_this_jobs_instance_and_names_what_was_missing(
    server: SourceServer, health: InstanceHealth | None, missing: str
) -> None:
    assert error(seen(BOOT, server, health=health)) == "goes on"
    outcome = seen(BOOT, server, health=health, now=END)
    assert outcome is not None
    assert (outcome.error, missing in outcome.reason) == ("BootFailedError", True)


@pytest.mark.parametrize(
    ("job", "seconds", "ends"),
    [
        (a_job(launch_status="LAUNCHED"), 0, False),
        (a_job(launch_status="LAUNCHED"), 7_200, False),
        (a_job(launch_status="LAUNCHED"), 14_400, True),
        (a_job(launch_status="LAUNCHED", status="COMPLETED"), 0, True),
        (None, 0, True),
    ],
)
def test_instance_that_is_up_waits_for_the_others_of_its_job_but_not_for_ever(
    job: Job | None, seconds: int, ends: bool
) -> None:
    outcome = seen(BOOT, BOOTED, job, some_health(), now=NOON + timedelta(seconds=seconds))
    assert error(outcome) == (None if ends else "goes on")


def test_i7_instance_that_never_came_up_fails_at_its_deadline_though_others_of_its_job_go_on() -> None:
    outcome = seen(BOOT, BOOTED, a_job(launch_status="LAUNCHED"), some_health(state="pending"), now=END)
    assert error(outcome) == "BootFailedError"


def test_ssm_is_not_asked_for_where_the_stage_does_not_require_it() -> None:
    assert error(seen(BOOT, BOOTED, health=some_health(ssm_ping=None), requires_ssm=False)) is None


@pytest.mark.parametrize("state", ["terminated", "shutting-down"])
def test_instance_terminated_while_booting_fails_at_once(state: str) -> None:
    assert error(seen(BOOT, BOOTED, health=some_health(state=state))) == "BootFailedError"


@pytest.mark.parametrize("wait", [BOOT, SOAK])
@pytest.mark.parametrize("state", ["READY_FOR_TEST", "READY_FOR_CUTOVER", "CUTOVER"])
def test_lifecycle_changed_behind_our_back_is_drift(wait: Wait, state: str) -> None:
    assert error(seen(wait, a_server(state=state, job_id=JOB_ID), health=some_health())) == "DriftError"


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (a_job(launch_status="PENDING", status="COMPLETED"), "is COMPLETED launchStatus PENDING: MGN skipped it"),
        (a_job(JOB_ID, "s-99999999999999999", status="COMPLETED"), "is COMPLETED without this server: MGN skipped it"),
    ],
)
def test_server_that_its_job_skipped_says_what_the_job_shows(job: Job, words: str) -> None:
    outcome = seen(LAUNCH, a_server(state="TESTING"), job)
    assert outcome is not None
    assert outcome.reason == f"{JOB_ID} {words}"


def test_instance_healthy_to_the_end_passes_its_soak_and_not_before() -> None:
    assert error(seen(SOAK, CUT_OVER, health=some_health())) == "goes on"
    assert error(seen(SOAK, CUT_OVER, health=some_health(), now=LATER)) is None


@pytest.mark.parametrize(
    "health", [some_health(state="stopped"), some_health(state="terminated"), some_health(instance_status="impaired")]
)
def test_impaired_or_stopped_instance_ends_its_soak_at_once(health: InstanceHealth) -> None:
    assert error(seen(SOAK, CUT_OVER, health=health)) == "SoakFailedError"


def test_soak_with_unclear_health_goes_on_until_its_deadline() -> None:
    unclear = some_health(instance_status="initializing")
    assert error(seen(SOAK, CUT_OVER, health=unclear, now=LATER)) == "goes on"
    assert error(seen(SOAK, CUT_OVER, health=unclear, now=END)) == "SoakFailedError"


@pytest.mark.parametrize(
    ("job", "now", "ends"),
    [(a_job(), NOON, False), (a_job(), END, True), (a_job(status="COMPLETED"), NOON, True), (None, NOON, True)],
)
def test_undo_waits_for_its_job_and_then_looks_again(job: Job | None, now: datetime, ends: bool) -> None:
    outcome = seen(UNDO, None, job, now=now)
    assert (outcome is not None) is ends
    assert outcome is None or (outcome.error, outcome.progress) == (None, Progress.AGAIN)


def test_undo_that_asks_for_a_terminate_waits_for_it_until_its_deadline() -> None:
    assert error(seen(asking(LaunchKind.TERMINATE))) == "goes on"
    outcome = seen(asking(LaunchKind.TERMINATE), now=END)
    assert outcome is not None
    # Not another round: each would wait as long again.
    assert (outcome.error, outcome.progress) == ("LaunchFailedError", None)
    assert outcome.reason == "MGN had no room to terminate the instance until 2026-01-05T14:00:00+00:00"


def test_terminate_whose_answer_is_still_in_doubt_at_its_deadline_is_looked_for_in_another_round() -> None:
    wait = asking(LaunchKind.TERMINATE)
    outcome = observe(wait, Truth(launching=frozenset({wait.migration_id})), now=END, budgets=Budgets())
    assert outcome is not None
    assert (outcome.error, outcome.progress) == (None, Progress.AGAIN)


def test_outcome_kept_before_is_the_outcome_whatever_the_truth_says() -> None:
    kept = Outcome(error="BootFailedError", reason="kept")
    assert seen(BOOT.model_copy(update={"outcome": kept}), BOOTED, health=some_health()) == kept
