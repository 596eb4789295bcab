"""Does MGN take a waiting launch now, later or never?"""

from runtime.logic.lookups.readiness import is_gone, obstacles
from runtime.logic.waits.verdicts import drifted, gone
from runtime.models.functions.environment import Budgets
from runtime.models.mgn import LifeCycleState, SourceServer
from runtime.models.record import LaunchKind
from runtime.models.waits import Launching, Outcome, Progress

_LAUNCHED_FROM = {
    LaunchKind.TEST: LifeCycleState.READY_FOR_TEST,
    LaunchKind.CUTOVER: LifeCycleState.READY_FOR_CUTOVER,
}


def misfit(wait: Launching, server: SourceServer | None) -> Outcome | None:
    """Why a wait that asks for a launch can never have it; None when it may, now or later."""
    kind = wait.asked.kind
    if kind is LaunchKind.TERMINATE:
        return Outcome(reason="the server left MGN", progress=Progress.AGAIN) if is_gone(server) else None
    if server is None or is_gone(server):
        return gone(wait)
    return drifted(server, _LAUNCHED_FROM[kind])


def is_launchable(wait: Launching, server: SourceServer, budgets: Budgets) -> bool:
    """Whether MGN would take this server into a job now. Stalls heal and reverts show late: both only wait."""
    if wait.asked.kind is LaunchKind.TERMINATE:
        return server.state in _LAUNCHED_FROM.values()
    return not obstacles(server, max_lag=budgets.max_lag)
