"""How replication proceeds, is interrupted and ends (docs/mgn.md#replication)."""

from math import inf

from simulator.model.account import native_events
from simulator.model.account.account import Account
from simulator.model.account.server import SourceServer

INITIATION_STEPS = (
    "WAIT",
    "CREATE_SECURITY_GROUP",
    "LAUNCH_REPLICATION_SERVER",
    "BOOT_REPLICATION_SERVER",
    "AUTHENTICATE_WITH_SERVICE",
    "DOWNLOAD_REPLICATION_SOFTWARE",
    "CREATE_STAGING_DISKS",
    "ATTACH_STAGING_DISKS",
    "PAIR_REPLICATION_SERVER_WITH_AGENT",
    "CONNECT_AGENT_TO_REPLICATION_SERVER",
    "START_DATA_TRANSFER",
)
_NEXT = {
    "INITIATING": "INITIAL_SYNC",
    "INITIAL_SYNC": "BACKLOG",
    "RESCAN": "BACKLOG",
    "BACKLOG": "CREATING_SNAPSHOT",
    "CREATING_SNAPSHOT": "CONTINUOUS",
}


def begin(account: Account, server: SourceServer) -> None:
    """Start replication from nothing: initiation, first sync, first snapshot."""
    replication = server.replication
    replication.started_at = account.now
    replication.first_byte_at = replication.continuous_at = replication.ended_at = None
    replication.launchable = replication.steps_reset = False
    replication.backlog_bytes = 0
    clear_hold(server)
    if server.state in ("STOPPED", "DISCOVERED", "PENDING_INSTALLATION"):
        server.state = "NOT_READY"
        account.notice("lifecycle", server=server.server_id, state=server.state, by="StartReplication")
    enter(account, server, "INITIATING")


def enter(account: Account, server: SourceServer, state: str, lasts: float | None = None) -> None:
    """Go into a replication state and plan its end; `lasts` overrides the usual simulated seconds, inf is for good."""
    replication = server.replication
    if replication.state == "CONTINUOUS" and state != "CONTINUOUS":
        replication.continuous_at = account.now
    replication.epoch += 1
    replication.state, replication.since = state, account.now
    usual = _usual_duration(server, state)
    seconds = lasts if lasts is not None else (None if usual is None else account.vary(server.timings, usual))
    replication.due = None if seconds is None else account.now + seconds
    if state == "INITIAL_SYNC" and replication.first_byte_at is None:
        replication.first_byte_at = account.now
    if state == "CONTINUOUS":
        _settle(account, server)
    if seconds is not None and seconds < inf:
        epoch = replication.epoch
        account.after(seconds, lambda: _proceed(account, server, epoch))
    account.notice("replication", server=server.server_id, state=state)
    native_events.replication_changed(account, server)


def stall(account: Account, server: SourceServer, error: str, raw_error: str = "") -> bool:
    """Replication stops making progress; False when it makes none."""
    if not server.replication.active or server.replication.state in ("STALLED", "PAUSED"):
        return False
    _hold(account, server)
    server.replication.error, server.replication.raw_error = error, raw_error or f"simulated: {error}"
    enter(account, server, "STALLED")
    native_events.stalled(account, server, True)
    return True


def heal(account: Account, server: SourceServer) -> None:
    """A stall ends and replication catches up."""
    if server.replication.state == "STALLED":
        _release(account, server)
        native_events.stalled(account, server, False)


def retry(account: Account, server: SourceServer) -> None:
    """The initiation sequence of a stalled server restarts at the next handshake (RetryDataReplication)."""
    if server.replication.error == "AGENT_NOT_SEEN":
        # An agent that is gone shakes no hands: nothing restarts before it is back.
        return
    beat, epoch = server.timings.heartbeat, server.replication.epoch
    seconds = beat - (account.now - server.added_at) % beat
    server.replication.next_attempt_at = account.after(seconds, lambda: _try_again(account, server, epoch))


def _try_again(account: Account, server: SourceServer, epoch: int) -> None:
    if server.replication.epoch != epoch or server.server_id not in account.servers:
        return
    native_events.stalled(account, server, False)
    if server.replication.launchable:
        _release(account, server)
    else:
        clear_hold(server)
        enter(account, server, "INITIATING")


def pause(account: Account, server: SourceServer) -> None:
    """Keep everything, send nothing."""
    _hold(account, server)
    enter(account, server, "PAUSED")


def resume(account: Account, server: SourceServer) -> None:
    """Go on after a pause; changes since then are synced first."""
    _release(account, server)


def end(account: Account, server: SourceServer, state: str) -> None:
    """Stop or disconnect: lag and ETA become null, replicated data is gone."""
    replication = server.replication
    was_stalled = replication.state == "STALLED"
    if replication.ended_at is None and replication.first_byte_at is not None:
        replication.ended_at = account.now
    replication.launchable, replication.steps_reset = False, True
    replication.backlog_bytes = 0
    clear_hold(server)
    enter(account, server, state)
    if was_stalled:
        native_events.stalled(account, server, False)


def clear_hold(server: SourceServer) -> None:
    """Forget an interruption."""
    replication = server.replication
    replication.held_state, replication.held_remaining, replication.held_progress = "", None, 0.0
    replication.error = replication.raw_error = ""
    replication.next_attempt_at = None


def progress(server: SourceServer, now: float) -> float:
    """Share of the present state's work that is done, 0 to 1."""
    replication = server.replication
    if replication.state in ("STALLED", "PAUSED"):
        return replication.held_progress
    if replication.due is None or replication.due <= replication.since:
        return 1.0
    return min(1.0, max(0.0, (now - replication.since) / (replication.due - replication.since)))


def _proceed(account: Account, server: SourceServer, epoch: int) -> None:
    if server.replication.epoch != epoch or server.server_id not in account.servers:
        return
    following = _NEXT[server.replication.state]
    if following == "CREATING_SNAPSHOT":
        server.replication.backlog_bytes = 0
        if server.replication.launchable:
            following = "CONTINUOUS"
    enter(account, server, following)


def _settle(account: Account, server: SourceServer) -> None:
    server.replication.launchable = True
    server.replication.continuous_at = account.now
    if server.state == "NOT_READY":
        server.state = "READY_FOR_TEST"
        account.notice("lifecycle", server=server.server_id, state=server.state, by="replication")
        native_events.ready_for_test(account, server)


def _hold(account: Account, server: SourceServer) -> None:
    replication = server.replication
    replication.held_progress = progress(server, account.now)
    replication.held_state = replication.state
    replication.held_remaining = None if replication.due is None else max(0.0, replication.due - account.now)


def _release(account: Account, server: SourceServer) -> None:
    held, remaining = server.replication.held_state, server.replication.held_remaining
    clear_hold(server)
    if held in ("", "CONTINUOUS"):
        enter(account, server, "BACKLOG")
    else:
        enter(account, server, held, remaining)


def _usual_duration(server: SourceServer, state: str) -> float | None:
    timings = server.timings
    return {
        "INITIATING": timings.initiation,
        "INITIAL_SYNC": timings.initial_sync,
        "RESCAN": timings.initial_sync,
        "BACKLOG": timings.backlog,
        "CREATING_SNAPSHOT": timings.first_snapshot,
    }.get(state)
