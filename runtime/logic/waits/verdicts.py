"""The words in which a wait ends."""

from runtime.errors import DriftError, MigrationError, SourceServerGoneError
from runtime.logic.journal import REASON_LIMIT
from runtime.models.mgn import LifeCycleState, SourceServer
from runtime.models.waits import Outcome, Wait


def passed(reason: str) -> Outcome:
    """It may go on."""
    return Outcome(reason=reason[:REASON_LIMIT])


def failed(error: type[MigrationError], reason: str) -> Outcome:
    """Its step fails with this error."""
    # A signal's reason is as long as ours may be, and a wait whose outcome cannot be said would never end (I7).
    return Outcome(error=error.__name__, reason=reason[:REASON_LIMIT])


def gone(wait: Wait) -> Outcome:
    """Its server is not MGN's any more."""
    return failed(SourceServerGoneError, f"{wait.source_server_id} is archived, disconnected or deleted")


def drifted(server: SourceServer, expected: LifeCycleState) -> Outcome | None:
    """Its server is in another lifecycle state than we left it in; None when it is not."""
    if server.state == expected:
        return None
    return failed(
        DriftError, f"{server.source_server_id} is {server.state} in MGN where {expected} was left: someone changed it"
    )
