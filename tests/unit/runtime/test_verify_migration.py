"""verify_migration: this job's instance, fresh data, the application's own checks."""

from datetime import timedelta
from typing import Any

import pytest

from runtime.errors import BootFailedError, CheckFailedError, CheckPendingError, LaunchFailedError, StaleDataError
from runtime.logic.steps.verify_migration import await_boot, check_instance
from runtime.models.functions.steps import VerifyMigration
from runtime.models.mgn import CommandStatus, Job, JobLogEntry
from runtime.models.request import Phase
from runtime.models.status import MigrationStatus
from tests.builders import OTHER_SERVER_ID, SERVER_ID, some_health
from tests.fakes import FakePorts
from tests.unit.runtime.stages import a_step, bring_to, look, the_record, waits_of

CHECKS = [{"type": "tcp", "port": 22}, {"type": "http", "port": 8080}, {"type": "ssm", "document": "Smoke"}]


def check(ports: FakePorts, phase: Phase = Phase.CUTOVER) -> None:
    check_instance(a_step(VerifyMigration, phase=phase), ports)


def boot(ports: FakePorts) -> None:
    await_boot(a_step(VerifyMigration, phase=Phase.CUTOVER), "boot", ports)


def booted(**request: Any) -> FakePorts:
    return bring_to("cutover-booting", **{"test": False, **request})


def change_job(ports: FakePorts, **changes: Any) -> None:
    job = ports.mgn.started[-1]
    ports.mgn.started[-1] = Job.model_validate({**job.model_dump(), **changes})


def test_i6_cutover_waits_for_the_end_of_a_test_instance_that_mgn_left_running_and_then_fails() -> None:
    ports = bring_to("cutover-booting")
    launch = the_record(ports).test_launch
    assert launch is not None
    assert launch.instance_id is not None
    ports.instances.put(some_health(launch.instance_id))
    why = f"MGN did not terminate the test instance {launch.instance_id}; terminate it in EC2"
    with pytest.raises(CheckPendingError, match=why):
        check(ports)
    assert the_record(ports).reason == f"waiting: {why}"
    ports.advance(3_600)
    with pytest.raises(CheckFailedError, match=why):
        check(ports)
    ports.instances.put(some_health(launch.instance_id, state="shutting-down"))
    check(ports)


def test_instance_of_this_job_is_remembered_and_awaited() -> None:
    ports = booted()
    launch = the_record(ports).cutover_launch
    assert launch is not None
    assert launch.instance_id == ports.mgn.started[-1].participating_servers[0].launched_ec2_instance_id
    assert ports.resumer.resumed["boot-cutover"].error is None
    assert the_record(ports).status is MigrationStatus.CUTOVER_VERIFYING


@pytest.mark.parametrize("phase", Phase)
def test_boot_is_awaited_for_its_phase_and_for_an_hour(phase: Phase) -> None:
    ports = bring_to(f"{phase}-launched")
    await_boot(a_step(VerifyMigration, phase=phase), "boot", ports)
    (wait,) = waits_of(ports)
    assert (wait.name, wait.phase, wait.job_id) == (f"boot-{phase}", phase, ports.mgn.started[-1].job_id)
    assert wait.deadline == ports.now() + timedelta(hours=1)
    look(ports)
    assert ports.resumer.resumed["boot"].error is None


def test_launched_server_without_an_instance_failed() -> None:
    ports = bring_to("cutover-launched", test=False)
    part = {"source_server_id": SERVER_ID, "launch_status": "LAUNCHED"}
    change_job(ports, participating_servers=[part])
    with pytest.raises(LaunchFailedError, match="names no instance"):
        boot(ports)


def test_job_deleted_meanwhile_failed() -> None:
    ports = bring_to("cutover-launched", test=False)
    ports.mgn.started.clear()
    with pytest.raises(LaunchFailedError, match="is not in MGN any more"):
        boot(ports)


def test_phase_that_never_launched_has_nothing_to_verify() -> None:
    with pytest.raises(LaunchFailedError, match="no MGN job for its cutover launch"):
        boot(bring_to("windowed", test=False))


def test_instance_that_passes_its_checks_is_verified_once() -> None:
    ports = booted(checks=CHECKS)
    check(ports)
    launch = the_record(ports).cutover_launch
    assert launch is not None
    assert launch.verified
    check(ports)
    assert len(ports.prober.probed) == 2
    assert [sent[:2] for sent in ports.commands.sent] == [(launch.instance_id, "Smoke")]


@pytest.mark.parametrize("event", ["USING_PREVIOUS_SNAPSHOT", "SNAPSHOT_FAIL"])
@pytest.mark.parametrize("server", [SERVER_ID, None])
def test_cutover_from_an_old_snapshot_is_stale(event: str, server: str | None) -> None:
    ports = booted()
    ports.mgn.logs[ports.mgn.started[-1].job_id] = [JobLogEntry(event=event, source_server_id=server)]
    with pytest.raises(StaleDataError, match=event):
        check(ports)


def test_old_snapshot_of_another_server_of_the_job_is_not_ours() -> None:
    ports = booted()
    stale = JobLogEntry(event="USING_PREVIOUS_SNAPSHOT", source_server_id=OTHER_SERVER_ID)
    ports.mgn.logs[ports.mgn.started[-1].job_id] = [stale, JobLogEntry(event="JOB_END")]
    check(ports)


def test_test_launch_may_use_an_old_snapshot() -> None:
    ports = bring_to("test-booting")
    ports.mgn.logs[ports.mgn.started[-1].job_id] = [JobLogEntry(event="USING_PREVIOUS_SNAPSHOT")]
    check(ports, Phase.TEST)


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        ("FAILED", CheckFailedError, "a post-launch action failed: no agent"),
        ("IN_PROGRESS", CheckPendingError, "in progress"),
    ],
)
def test_post_launch_action_that_did_not_succeed_counts(status: str, error: type[Exception], words: str) -> None:
    ports = booted()
    actions = [{"execution_status": status, "failure_reason": "no agent"}]
    part = ports.mgn.started[-1].participating_servers[0].model_dump()
    part["post_launch_actions_status"] = {"post_launch_actions_launch_status_list": actions}
    change_job(ports, participating_servers=[part])
    with pytest.raises(error, match=words):
        check(ports)


def test_check_that_does_not_pass_yet_is_pending_and_says_what_was_seen() -> None:
    ports = booted(checks=CHECKS)
    ports.prober.seen[8080] = "status 503"
    with pytest.raises(CheckPendingError, match="8080: status 503"):
        check(ports)


def test_check_after_an_ssm_check_counts_like_the_others() -> None:
    ports = booted(checks=[*reversed(CHECKS)])
    ports.prober.seen[22] = "refused"
    with pytest.raises(CheckPendingError, match="22: refused"):
        check(ports)
    launch = the_record(ports).cutover_launch
    assert launch is not None
    assert not launch.verified


def test_instance_without_an_address_is_pending() -> None:
    ports = booted(checks=CHECKS)
    ports.instances.known.clear()
    with pytest.raises(CheckPendingError, match="no private address"):
        check(ports)


def test_instance_that_is_terminated_while_its_checks_are_pending_fails_at_once() -> None:
    ports = booted(checks=CHECKS)
    launch = the_record(ports).cutover_launch
    assert launch is not None
    assert launch.instance_id is not None
    ports.instances.put(some_health(launch.instance_id, state="terminated"))
    with pytest.raises(BootFailedError, match="is terminated"):
        check(ports)


def test_failing_ssm_check_fails_for_good() -> None:
    ports = booted(checks=CHECKS)
    ports.commands.statuses["Smoke"] = CommandStatus(status="Failed", detail="exit code 1")
    with pytest.raises(CheckFailedError, match="Smoke ended Failed"):
        check(ports)


def test_each_launch_runs_its_own_ssm_check() -> None:
    ports = bring_to("cutover-verified", checks=CHECKS)
    instances = [sent[0] for sent in ports.commands.sent]
    assert len(set(instances)) == 2
