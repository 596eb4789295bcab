"""Events wake, Describe calls decide: what a parked step's wait amounts to, judged from one reading of the truth."""

from datetime import datetime, timedelta
from typing import NamedTuple

from runtime.errors import (
    ApprovalExpiredError,
    ApprovalRejectedError,
    BootFailedError,
    DriftError,
    LaunchFailedError,
    MigrationCancelledError,
    ReplicationNotReadyError,
    SoakFailedError,
    WindowMissedError,
)
from runtime.logic.lookups.readiness import is_gone, obstacles
from runtime.logic.waits.verdicts import drifted, failed, gone, passed
from runtime.models.decisions import Decision
from runtime.models.functions.environment import Budgets
from runtime.models.mgn import InstanceHealth, LifeCycleState, SourceServer, Truth
from runtime.models.request import Gate, Phase
from runtime.models.waits import (
    ApprovalWait,
    BootWait,
    CheckWait,
    Launching,
    LaunchWait,
    Outcome,
    Progress,
    ReplicationWait,
    SoakWait,
    UndoWait,
    Wait,
    WindowWait,
)

_OfServer = ReplicationWait | BootWait | ApprovalWait | WindowWait | SoakWait


class _Case(NamedTuple):
    server: SourceServer
    truth: Truth
    now: datetime
    budgets: Budgets

    def instance(self, instance_id: str | None) -> InstanceHealth | None:
        return self.truth.instances.get(instance_id or "")


def observe(wait: Wait, truth: Truth, *, now: datetime, budgets: Budgets) -> Outcome | None:
    """How the wait ends, or None when it goes on. Every wait ends at its deadline (I7)."""
    if wait.outcome is not None:
        return wait.outcome
    if isinstance(wait, UndoWait):
        return _undo(wait, truth, now)
    if cancel := wait.cancel:
        return failed(MigrationCancelledError, f"cancelled by {cancel.words}")
    if isinstance(wait, LaunchWait):
        return _launch(wait, truth, now)
    if isinstance(wait, CheckWait):
        return passed("to be tried again") if now >= wait.not_before else None
    if not wait.needs_server(truth, now):
        return None
    server = truth.servers.get(wait.source_server_id)
    if server is None or is_gone(server):
        return gone(wait)
    return _observed(wait, _Case(server, truth, now, budgets))


def _observed(wait: _OfServer, case: _Case) -> Outcome | None:
    match wait:
        case ReplicationWait():
            return _replication(wait, case)
        case BootWait():
            return _boot(wait, case)
        case ApprovalWait():
            return _approval(wait, case)
        case WindowWait():
            return _window(wait, case)
        case SoakWait():
            return _soak(wait, case)


def _instance_drift(wait: ApprovalWait, case: _Case) -> Outcome | None:
    instance = case.instance(wait.instance_id)
    if instance is None or not (instance.is_gone or instance.state == "stopped"):
        return None
    state = instance.state or "unknown to EC2"
    return failed(DriftError, f"{instance.instance_id} is {state} where it was left running: someone changed it")


def _replication(wait: ReplicationWait, case: _Case) -> Outcome | None:
    if case.server.state in (LifeCycleState.TESTING, LifeCycleState.CUTTING_OVER, LifeCycleState.CUTOVER):
        return drifted(case.server, LifeCycleState.READY_FOR_TEST)
    found = obstacles(case.server, max_lag=case.budgets.max_lag)
    ready = case.server.state in (LifeCycleState.READY_FOR_TEST, LifeCycleState.READY_FOR_CUTOVER)
    if ready and not found:
        return passed(f"{case.server.source_server_id} is {case.server.state} and launchable")
    if case.now < wait.deadline:
        return None
    return failed(ReplicationNotReadyError, f"not launchable in time: {case.server.state}; {'; '.join(found)}")


def _launch(wait: LaunchWait, truth: Truth, now: datetime) -> Outcome | None:
    if wait.job_id is None:
        return _missed(wait) if now >= wait.deadline else None
    job = truth.jobs.get(wait.job_id)
    mine = job.server(wait.source_server_id) if job else None
    if mine and mine.launch_status == "LAUNCHED":
        return passed(f"launched by {wait.job_id}")
    if mine and mine.launch_status in ("FAILED", "TERMINATED"):
        return failed(LaunchFailedError, f"{wait.job_id} ended with launchStatus {mine.launch_status} for this server")
    if job and not job.is_active:
        seen = f"launchStatus {mine.launch_status}" if mine else "without this server"
        return failed(LaunchFailedError, f"{wait.job_id} is COMPLETED {seen}: MGN skipped it")
    if now < wait.deadline:
        return None
    return failed(LaunchFailedError, f"{wait.job_id} did not launch this server in time")


def _missed(wait: Launching) -> Outcome:
    not_after = wait.asked.not_after
    if not_after is not None and wait.deadline >= not_after:
        return failed(WindowMissedError, f"the window closed at {not_after.isoformat()} before MGN had room")
    wanted = "for this launch" if isinstance(wait, LaunchWait) else "to terminate the instance"
    return failed(LaunchFailedError, f"MGN had no room {wanted} until {wait.deadline.isoformat()}")


def _boot(wait: BootWait, case: _Case) -> Outcome | None:
    expected = LifeCycleState.TESTING if wait.phase is Phase.TEST else LifeCycleState.CUTTING_OVER
    if drift := drifted(case.server, expected):
        return drift
    instance = case.instance(wait.instance_id)
    if instance and instance.state in ("terminated", "shutting-down"):
        return failed(BootFailedError, f"{wait.instance_id} is {instance.state}")
    missing = _not_up(wait, case)
    if not missing:
        # MGN changes nothing on a server whose job goes on, be it only for the others in it (docs/mgn.md#jobs).
        patience = timedelta(seconds=case.budgets.launch)
        may_go_on = wait.watched_job is None or case.truth.is_over(wait.job_id) or case.now >= wait.deadline + patience
        return passed(f"{wait.instance_id} is up") if may_go_on else None
    if case.now < wait.deadline:
        return None
    return failed(BootFailedError, f"{wait.instance_id} did not come up in time: {'; '.join(missing)}")


def _not_up(wait: BootWait, case: _Case) -> tuple[str, ...]:
    instance = case.instance(wait.instance_id)
    launched = case.server.launched_instance
    missing = []
    # The launched instance of an earlier job says nothing about this one (docs/mgn.md#launched-instances).
    if launched is None or launched.job_id != wait.job_id:
        missing.append(f"MGN shows no instance of {wait.job_id} yet")
    elif launched.first_boot != "SUCCEEDED":
        missing.append(f"firstBoot is {launched.first_boot}")
    if instance is None or not instance.passes_status_checks:
        missing.append("EC2 status checks do not pass")
    if case.budgets.requires_ssm and (instance is None or instance.ssm_ping != "Online"):
        missing.append("not online in SSM")
    return tuple(missing)


def _approval(wait: ApprovalWait, case: _Case) -> Outcome | None:
    expected = LifeCycleState.CUTTING_OVER if wait.gate is Gate.FINALIZE else LifeCycleState.READY_FOR_CUTOVER
    if drift := drifted(case.server, expected) or _instance_drift(wait, case):
        return drift
    decided = next((s for s in wait.signals if s.gate is wait.gate and s.gate is not None), None)
    if decided is None:
        expired = failed(ApprovalExpiredError, f"nobody decided on {wait.gate} in time")
        return expired if case.now >= wait.deadline else None
    why = f"{decided.gate} by {decided.words}"
    if decided.decision is Decision.APPROVE:
        return passed(f"approved {why}")
    return failed(ApprovalRejectedError, f"rejected {why}")


def _window(wait: WindowWait, case: _Case) -> Outcome | None:
    if drift := drifted(case.server, LifeCycleState.READY_FOR_CUTOVER):
        return drift
    found = obstacles(case.server, max_lag=case.budgets.max_lag)
    if case.now >= wait.deadline:
        why = "; ".join(found) or "it was reached too late"
        return failed(WindowMissedError, f"the cutover window closed at {wait.deadline.isoformat()}: {why}")
    if found or (wait.not_before is not None and case.now < wait.not_before):
        return None
    return passed("inside the window and launchable")


def _soak(wait: SoakWait, case: _Case) -> Outcome | None:
    if drift := drifted(case.server, LifeCycleState.CUTTING_OVER):
        return drift
    instance = case.instance(wait.instance_id)
    if instance and (instance.is_gone or instance.state == "stopped" or instance.instance_status == "impaired"):
        return failed(SoakFailedError, f"{wait.instance_id} is {instance.state}, status {instance.instance_status}")
    if wait.not_before is None or case.now < wait.not_before:
        return None
    if instance is not None and instance.passes_status_checks:
        return passed("stayed healthy through its soak")
    unhealthy = failed(SoakFailedError, f"{wait.instance_id} is not healthy after its soak")
    return unhealthy if case.now >= wait.deadline else None


def _undo(wait: UndoWait, truth: Truth, now: datetime) -> Outcome | None:
    again = Outcome(reason=f"{wait.job_id or 'no job'} holds the server no more", progress=Progress.AGAIN)
    if now >= wait.deadline:
        # It was first in the queue all the time: another round would only wait as long again.
        is_hopeless = wait.asks_for_launch and wait.migration_id not in truth.launching
        return _missed(wait) if is_hopeless else again
    if wait.job_id is not None:
        return again if truth.is_over(wait.job_id) else None
    # Without a job it waits for one, or for the end of a doubt about a launch.
    return None if wait.asks_for_launch or wait.migration_id in truth.launching else again
