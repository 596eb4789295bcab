"""Events wake, Describe calls decide: what a parked step's wait amounts to, judged from one reading of the truth."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from runtime.errors import (
    ApprovalExpiredError,
    ApprovalRejectedError,
    BootFailedError,
    DriftError,
    LaunchFailedError,
    MigrationCancelledError,
    MigrationError,
    ReplicationNotReadyError,
    SoakFailedError,
    SourceServerGoneError,
    WindowMissedError,
)
from runtime.logic.journal import REASON_LIMIT
from runtime.logic.packing import asked
from runtime.logic.readiness import is_gone, obstacles
from runtime.models.environment import Budgets
from runtime.models.mgn import InstanceHealth, LifeCycleState, SourceServer, Truth
from runtime.models.record import Decision, LaunchKind, Outcome, Progress, Wait, WaitKind
from runtime.models.request import Gate, Phase


class _Case(NamedTuple):
    wait: Wait
    server: SourceServer
    truth: Truth
    now: datetime
    budgets: Budgets

    @property
    def is_overdue(self) -> bool:
        return self.now >= self.wait.deadline

    def is_overdue_by(self, patience: timedelta) -> bool:
        return self.now >= self.wait.deadline + patience

    @property
    def instance(self) -> InstanceHealth | None:
        return self.truth.instances.get(self.wait.instance_id or "")


def observe(wait: Wait, truth: Truth, *, now: datetime, budgets: Budgets) -> Outcome | None:
    """How the wait ends, or None when it goes on. Every wait ends at its deadline (I7)."""
    if wait.outcome is not None:
        return wait.outcome
    if wait.kind is WaitKind.UNDO:
        return _undo(wait, truth, now)
    if cancel := wait.cancel:
        return _failed(MigrationCancelledError, f"cancelled by {cancel.by}: {cancel.reason or 'no reason given'}")
    if wait.kind is WaitKind.LAUNCH:
        return _launch(wait, truth, now)
    if not needs_server(wait, truth, now):
        return None
    server = truth.servers.get(wait.source_server_id)
    if server is None or is_gone(server):
        return _gone(wait)
    return _OBSERVERS[wait.kind](_Case(wait, server, truth, now, budgets))


def is_settled(wait: Wait, truth: Truth, now: datetime) -> bool:
    """Whether the instance a wait is about could end it: a boot goes on until its job is over (see `_boot`)."""
    if wait.kind is not WaitKind.BOOT:
        return wait.kind in (WaitKind.SOAK, WaitKind.APPROVAL)
    return _job_is_over(wait, truth) or now >= wait.deadline


def _job_is_over(wait: Wait, truth: Truth) -> bool:
    job = truth.jobs.get(wait.job_id or "")
    return job is None or not job.is_active


def needs_server(wait: Wait, truth: Truth, now: datetime) -> bool:
    """Whether the server's state could end the wait: that of a boot is asked for once the instance is up, or gone."""
    if wait.kind is not WaitKind.BOOT:
        return wait.kind not in (WaitKind.LAUNCH, WaitKind.UNDO)
    instance = truth.instances.get(wait.instance_id or "")
    may_end = instance is not None and (instance.is_gone or instance.passes_status_checks)
    return is_settled(wait, truth, now) and (may_end or now >= wait.deadline)


def misfit(wait: Wait, server: SourceServer | None) -> Outcome | None:
    """Why a wait that asks for a launch can never have it; None when it may, now or later."""
    kind = asked(wait).kind
    if kind is LaunchKind.TERMINATE:
        return Outcome(reason="the server left MGN", progress=Progress.AGAIN) if is_gone(server) else None
    if server is None or is_gone(server):
        return _gone(wait)
    return _drift(server, _LAUNCHED_FROM[kind])


def is_launchable(wait: Wait, server: SourceServer, budgets: Budgets) -> bool:
    """Whether MGN would take this server into a job now. Stalls heal and reverts show late: both only wait."""
    if asked(wait).kind is LaunchKind.TERMINATE:
        return server.state in _LAUNCHED_FROM.values()
    return not obstacles(server, max_lag=budgets.max_lag)


def _gone(wait: Wait) -> Outcome:
    return _failed(SourceServerGoneError, f"{wait.source_server_id} is archived, disconnected or deleted")


def _passed(reason: str) -> Outcome:
    return Outcome(reason=reason[:REASON_LIMIT])


def _failed(error: type[MigrationError], reason: str) -> Outcome:
    # A signal's reason is as long as ours may be, and a wait whose outcome cannot be said would never end (I7).
    return Outcome(error=error.__name__, reason=reason[:REASON_LIMIT])


def _drift(server: SourceServer, expected: LifeCycleState) -> Outcome | None:
    if server.state == expected:
        return None
    return _failed(
        DriftError, f"{server.source_server_id} is {server.state} in MGN where {expected} was left: someone changed it"
    )


def _instance_drift(case: _Case) -> Outcome | None:
    instance = case.instance
    if instance is None or not (instance.is_gone or instance.state == "stopped"):
        return None
    state = instance.state or "unknown to EC2"
    return _failed(DriftError, f"{instance.instance_id} is {state} where it was left running: someone changed it")


def _replication(case: _Case) -> Outcome | None:
    if case.server.state in (LifeCycleState.TESTING, LifeCycleState.CUTTING_OVER, LifeCycleState.CUTOVER):
        return _drift(case.server, LifeCycleState.READY_FOR_TEST)
    found = obstacles(case.server, max_lag=case.budgets.max_lag)
    ready = case.server.state in (LifeCycleState.READY_FOR_TEST, LifeCycleState.READY_FOR_CUTOVER)
    if ready and not found:
        return _passed(f"{case.server.source_server_id} is {case.server.state} and launchable")
    if not case.is_overdue:
        return None
    return _failed(ReplicationNotReadyError, f"not launchable in time: {case.server.state}; {'; '.join(found)}")


def _launch(wait: Wait, truth: Truth, now: datetime) -> Outcome | None:
    if wait.job_id is None:
        return _missed(wait) if now >= wait.deadline else None
    job = truth.jobs.get(wait.job_id)
    mine = job.server(wait.source_server_id) if job else None
    if mine and mine.launch_status == "LAUNCHED":
        return _passed(f"launched by {wait.job_id}")
    if mine and mine.launch_status in ("FAILED", "TERMINATED"):
        return _failed(LaunchFailedError, f"{wait.job_id} ended with launchStatus {mine.launch_status} for this server")
    if job and not job.is_active:
        seen = f"launchStatus {mine.launch_status}" if mine else "without this server"
        return _failed(LaunchFailedError, f"{wait.job_id} is COMPLETED {seen}: MGN skipped it")
    if now < wait.deadline:
        return None
    return _failed(LaunchFailedError, f"{wait.job_id} did not launch this server in time")


def _missed(wait: Wait) -> Outcome:
    not_after = asked(wait).not_after
    if not_after is not None and wait.deadline >= not_after:
        return _failed(WindowMissedError, f"the window closed at {not_after.isoformat()} before MGN had room")
    wanted = "for this launch" if wait.kind is WaitKind.LAUNCH else "to terminate the instance"
    return _failed(LaunchFailedError, f"MGN had no room {wanted} until {wait.deadline.isoformat()}")


def _boot(case: _Case) -> Outcome | None:
    expected = LifeCycleState.TESTING if case.wait.phase is Phase.TEST else LifeCycleState.CUTTING_OVER
    if drift := _drift(case.server, expected):
        return drift
    instance = case.instance
    if instance and instance.state in ("terminated", "shutting-down"):
        return _failed(BootFailedError, f"{case.wait.instance_id} is {instance.state}")
    missing = _not_up(case)
    if not missing:
        # MGN changes nothing on a server whose job goes on, be it only for the others in it (docs/mgn.md#jobs).
        patience = timedelta(seconds=case.budgets.launch)
        may_go_on = _job_is_over(case.wait, case.truth) or case.is_overdue_by(patience)
        return _passed(f"{case.wait.instance_id} is up") if may_go_on else None
    if not case.is_overdue:
        return None
    return _failed(BootFailedError, f"{case.wait.instance_id} did not come up in time: {'; '.join(missing)}")


def _not_up(case: _Case) -> tuple[str, ...]:
    instance = case.instance
    launched = case.server.launched_instance
    missing = []
    # The launched instance of an earlier job says nothing about this one (docs/mgn.md#launched-instances).
    if launched is None or launched.job_id != case.wait.job_id:
        missing.append(f"MGN shows no instance of {case.wait.job_id} yet")
    elif launched.first_boot != "SUCCEEDED":
        missing.append(f"firstBoot is {launched.first_boot}")
    if instance is None or not instance.passes_status_checks:
        missing.append("EC2 status checks do not pass")
    if case.budgets.requires_ssm and (instance is None or instance.ssm_ping != "Online"):
        missing.append("not online in SSM")
    return tuple(missing)


def _approval(case: _Case) -> Outcome | None:
    expected = LifeCycleState.CUTTING_OVER if case.wait.gate is Gate.FINALIZE else LifeCycleState.READY_FOR_CUTOVER
    if drift := _drift(case.server, expected) or _instance_drift(case):
        return drift
    decided = next((s for s in case.wait.signals if s.gate is case.wait.gate and s.gate is not None), None)
    if decided is None:
        expired = _failed(ApprovalExpiredError, f"nobody decided on {case.wait.gate} in time")
        return expired if case.is_overdue else None
    why = f"{decided.gate} by {decided.by}: {decided.reason or 'no reason given'}"
    if decided.decision is Decision.APPROVE:
        return _passed(f"approved {why}")
    return _failed(ApprovalRejectedError, f"rejected {why}")


def _window(case: _Case) -> Outcome | None:
    if drift := _drift(case.server, LifeCycleState.READY_FOR_CUTOVER):
        return drift
    found = obstacles(case.server, max_lag=case.budgets.max_lag)
    if case.is_overdue:
        why = "; ".join(found) or "it was reached too late"
        return _failed(WindowMissedError, f"the cutover window closed at {case.wait.deadline.isoformat()}: {why}")
    if found or (case.wait.not_before is not None and case.now < case.wait.not_before):
        return None
    return _passed("inside the window and launchable")


def _soak(case: _Case) -> Outcome | None:
    if drift := _drift(case.server, LifeCycleState.CUTTING_OVER):
        return drift
    instance = case.instance
    if instance and (instance.is_gone or instance.state == "stopped" or instance.instance_status == "impaired"):
        return _failed(
            SoakFailedError, f"{case.wait.instance_id} is {instance.state}, status {instance.instance_status}"
        )
    if case.wait.not_before is None or case.now < case.wait.not_before:
        return None
    if instance is not None and instance.passes_status_checks:
        return _passed("stayed healthy through its soak")
    unhealthy = _failed(SoakFailedError, f"{case.wait.instance_id} is not healthy after its soak")
    return unhealthy if case.is_overdue else None


def _undo(wait: Wait, truth: Truth, now: datetime) -> Outcome | None:
    again = Outcome(reason=f"{wait.job_id or 'no job'} holds the server no more", progress=Progress.AGAIN)
    if now >= wait.deadline:
        # It was first in the queue all the time: another round would only wait as long again.
        is_hopeless = wait.asks_for_launch and wait.migration_id not in truth.launching
        return _missed(wait) if is_hopeless else again
    if wait.job_id is not None:
        return again if _job_is_over(wait, truth) else None
    # Without a job it waits for one, or for the end of a doubt about a launch.
    return None if wait.asks_for_launch or wait.migration_id in truth.launching else again


_LAUNCHED_FROM = {
    LaunchKind.TEST: LifeCycleState.READY_FOR_TEST,
    LaunchKind.CUTOVER: LifeCycleState.READY_FOR_CUTOVER,
}

_OBSERVERS: dict[WaitKind, Callable[[_Case], Outcome | None]] = {
    WaitKind.REPLICATION: _replication,
    WaitKind.BOOT: _boot,
    WaitKind.APPROVAL: _approval,
    WaitKind.WINDOW: _window,
    WaitKind.SOAK: _soak,
}
