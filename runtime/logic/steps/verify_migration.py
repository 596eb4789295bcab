"""verify_migration: is this job's instance up, is its data fresh, do the application's own checks pass?"""

from datetime import timedelta

from runtime.errors import BootFailedError, CheckFailedError, LaunchFailedError, StaleDataError
from runtime.logic.journal import move, note
from runtime.logic.lookups.migration import load, server_of
from runtime.logic.ports import Ports
from runtime.logic.steps.commands import run_command
from runtime.logic.steps.pending import still_pending
from runtime.logic.waits.parking import park, parked
from runtime.models.functions.steps import VerifyMigration
from runtime.models.mgn import Job
from runtime.models.record import Facts, Launch, LaunchKind, MigrationRecord, Patience
from runtime.models.request import Phase, SsmCheck
from runtime.models.status import MigrationStatus
from runtime.models.waits import BOOTING, BootWait, of_job

ACTOR = VerifyMigration.function.name

VERIFYING_STATUS = {Phase.TEST: MigrationStatus.TEST_VERIFYING, Phase.CUTOVER: MigrationStatus.CUTOVER_VERIFYING}
_STALE_EVENTS = ("USING_PREVIOUS_SNAPSHOT", "SNAPSHOT_FAIL")


def await_boot(step: VerifyMigration, token: str, ports: Ports) -> None:
    """Park until this job's instance has booted, passes its status checks and is online in SSM."""
    record, ports = load(ports, step)
    launch = _launch(record, step.phase)
    job = _job(ports, launch)
    mine = job.server(server_of(record))
    if mine is None or mine.launched_ec2_instance_id is None:
        raise LaunchFailedError(f"{job.job_id} names no instance for {record.source_server_id}")
    launch = launch.model_copy(update={"instance_id": mine.launched_ec2_instance_id})
    reason = f"launched {launch.instance_id}"
    facts = Facts.of_launch(LaunchKind(step.phase), launch)
    record = move(ports, record, VERIFYING_STATUS[step.phase], actor=ACTOR, reason=reason, facts=facts)
    wait = BootWait(
        **parked(ports, record, token),
        name=f"boot-{step.phase}",
        deadline=record.updated_at + timedelta(seconds=ports.budgets.boot),
        phase=step.phase,
        job_id=job.job_id,
        instance_id=mine.launched_ec2_instance_id,
        # What was just read need not be read again.
        lane=of_job(job.job_id) if job.is_active else BOOTING,
    )
    park(ports, record, wait)


def check_instance(step: VerifyMigration, ports: Ports) -> None:
    """Check data freshness, post-launch actions and the request's own checks; then the launch counts as verified.

    Raises StaleDataError, BootFailedError and CheckFailedError for good, CheckPendingError for what may still pass.
    """
    record, ports = load(ports, step)
    launch = _launch(record, step.phase)
    if launch.verified:
        return
    _check_post_launch_actions(ports, record, _job(ports, launch))
    _check_freshness(ports, record, launch, step.phase)
    _check_clean_up(ports, record, step.phase)
    record = _run_checks(ports, record, launch)
    verified = launch.model_copy(update={"verified": True})
    reason = f"{launch.instance_id} is up{_and_passed(len(record.request.checks))}"
    note(ports, record, Facts.of_launch(LaunchKind(step.phase), verified), actor=ACTOR, reason=reason)


def _and_passed(checks: int) -> str:
    if checks == 0:
        return ", and no application check was asked for"
    return f" and passed {checks} application check{'' if checks == 1 else 's'}"


def _check_freshness(ports: Ports, record: MigrationRecord, launch: Launch, phase: Phase) -> None:
    if phase is not Phase.CUTOVER:
        return
    for item in ports.mgn.job_log(launch.job_id):
        if item.event in _STALE_EVENTS and item.source_server_id in (None, record.source_server_id):
            raise StaleDataError(f"{launch.job_id} logged {item.event}: the instance has old data")


def _check_clean_up(ports: Ports, record: MigrationRecord, phase: Phase) -> None:
    # A launch deletes the instance of the one before (docs/mgn.md#launched-instances). Where that failed, it runs on.
    left = record.test_launch.instance_id if record.test_launch and phase is Phase.CUTOVER else None
    if left and not ports.instances.health([left])[left].is_gone:
        seen = f"MGN did not terminate the test instance {left}; terminate it in EC2"
        still_pending(ports, record, Patience.CHECKS, seen, actor=ACTOR)


def _check_post_launch_actions(ports: Ports, record: MigrationRecord, job: Job) -> None:
    mine = job.server(server_of(record))
    status = mine.post_launch_actions_status if mine else None
    for action in status.post_launch_actions_launch_status_list if status else ():
        if action.execution_status == "FAILED":
            raise CheckFailedError(f"a post-launch action failed: {action.failure_reason or 'no reason given'}")
        if action.execution_status == "IN_PROGRESS":
            still_pending(ports, record, Patience.COMMANDS, "a post-launch action is in progress", actor=ACTOR)


def _run_checks(ports: Ports, record: MigrationRecord, launch: Launch) -> MigrationRecord:
    checks = record.request.checks
    if not checks or launch.instance_id is None:
        return record
    instance = ports.instances.health([launch.instance_id])[launch.instance_id]
    if instance.state in ("terminated", "shutting-down"):
        raise BootFailedError(f"{launch.instance_id} is {instance.state}")
    address = instance.private_ip
    for index, check in enumerate(checks):
        if isinstance(check, SsmCheck):
            record = run_command(
                ports,
                record,
                key=f"{launch.launch_id}:{index}",
                instance_id=launch.instance_id,
                document=check.document,
                parameters=check.parameters,
                actor=ACTOR,
            )
            continue
        seen = ports.prober.probe(check, address) if address else "the instance has no private address"
        if seen is not None:
            reason = f"{check.type} check on {address}:{check.port}: {seen}"
            still_pending(ports, record, Patience.CHECKS, reason, actor=ACTOR)
    return record


def _launch(record: MigrationRecord, phase: Phase) -> Launch:
    launch = record.launch(phase)
    if launch is None:
        raise LaunchFailedError(f"{record.migration_id} has no MGN job for its {phase} launch")
    return launch


def _job(ports: Ports, launch: Launch) -> Job:
    found = ports.mgn.jobs([launch.job_id])
    if not found:
        raise LaunchFailedError(f"{launch.job_id} is not in MGN any more")
    return found[0]
