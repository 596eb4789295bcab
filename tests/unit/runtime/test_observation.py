"""What a wait amounts to: replication, launch, boot and soak, judged from one reading of the truth."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from runtime.logic.observation import observe
from runtime.models.environment import Budgets
from runtime.models.mgn import InstanceHealth, Job, SourceServer, Truth
from runtime.models.record import Outcome, Progress, Wait, WaitKind
from runtime.models.request import Phase
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


@pytest.mark.parametrize("wait", [REPLICATION, LAUNCH, BOOT, SOAK])
@pytest.mark.parametrize("server", [None, a_server(is_archived=True), a_server(state="DISCONNECTED")])
def test_server_that_left_mgn_ends_every_wait(wait: Wait, server: SourceServer | None) -> None:
    assert error(seen(wait, server)) == "SourceServerGoneError"


@pytest.mark.parametrize(
    ("job", "verdict"),
    [
        (None, "goes on"),
        (a_job(), "goes on"),
        (a_job(launch_status="IN_PROGRESS"), "goes on"),
        (a_job(launch_status="LAUNCHED"), None),
        (a_job(launch_status="LAUNCHED", status="COMPLETED"), None),
        (a_job(launch_status="FAILED"), "LaunchFailedError"),
        (a_job(launch_status="FAILED", status="COMPLETED"), "LaunchFailedError"),
        (a_job(launch_status="TERMINATED", status="COMPLETED"), "LaunchFailedError"),
        (a_job(launch_status="PENDING", status="COMPLETED"), "LaunchFailedError"),
        (a_job(JOB_ID, "s-99999999999999999", status="COMPLETED"), "LaunchFailedError"),
    ],
)
def test_launch_is_judged_by_this_servers_launch_status_never_by_the_job(job: Job | None, verdict: str | None) -> None:
    assert error(seen(LAUNCH, a_server(state="TESTING"), job)) == verdict


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


def test_ssm_is_not_asked_for_where_the_stage_does_not_require_it() -> None:
    assert error(seen(BOOT, BOOTED, health=some_health(ssm_ping=None), requires_ssm=False)) is None


@pytest.mark.parametrize("state", ["terminated", "shutting-down"])
def test_instance_terminated_while_booting_fails_at_once(state: str) -> None:
    assert error(seen(BOOT, BOOTED, health=some_health(state=state))) == "BootFailedError"


@pytest.mark.parametrize("wait", [BOOT, SOAK])
@pytest.mark.parametrize("state", ["READY_FOR_TEST", "READY_FOR_CUTOVER", "CUTOVER"])
def test_lifecycle_changed_behind_our_back_is_drift(wait: Wait, state: str) -> None:
    assert error(seen(wait, a_server(state=state, job_id=JOB_ID), health=some_health())) == "DriftError"


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


def test_outcome_kept_before_is_the_outcome_whatever_the_truth_says() -> None:
    kept = Outcome(error="BootFailedError", reason="kept")
    assert seen(BOOT.model_copy(update={"outcome": kept}), BOOTED, health=some_health()) == kept
