"""Data replication as the service shows it (docs/mgn.md#replication)."""

from math import inf

from simulator.model.account.account import Account
from simulator.model.account.server import GIB, Replication, SourceServer
from simulator.model.forms.formats import View, datetime_text, duration_text
from simulator.model.replication.replicating import INITIATION_STEPS, progress

_WRITES_WHILE_STALLED = 1024**2  # bytes a second that pile up as backlog
_ALL_SUCCEEDED = [{"name": name, "status": "SUCCEEDED"} for name in INITIATION_STEPS]
_SHIPPING_SHARE = 6  # one sixth of an agentless cycle is spent shipping


def replication_view(account: Account, server: SourceServer) -> View:
    """The DataReplicationInfo structure."""
    style, replication = account.knobs.timestamps, server.replication
    lag = lag_seconds(account, server)
    view: View = {
        "dataReplicationState": _visible_state(account, server),
        "replicatedDisks": _disks(account, server),
    }
    if lag is not None:
        view["lagDuration"] = duration_text(lag)
        view["lastSnapshotDateTime"] = datetime_text(_last_snapshot(account, server, lag), style)
    if replication.due is not None and replication.due < inf and replication.state != "INITIATING":
        view["etaDateTime"] = datetime_text(replication.due, style)
    if replication.started_at is not None:
        view["dataReplicationInitiation"] = {
            "startDateTime": datetime_text(replication.started_at, style),
            "steps": _steps(replication, account.now, server),
        }
        if replication.next_attempt_at is not None:
            next_attempt = datetime_text(replication.next_attempt_at, style)
            view["dataReplicationInitiation"]["nextAttemptDateTime"] = next_attempt
    if replication.error:
        view["dataReplicationError"] = {"error": replication.error, "rawError": replication.raw_error}
    return view


def lag_seconds(account: Account, server: SourceServer) -> float | None:
    """Seconds since the server was last in continuous mode; None means not launchable (docs/mgn.md#replication)."""
    replication = server.replication
    if not replication.launchable or replication.continuous_at is None:
        return None
    if replication.state == "CONTINUOUS":
        if server.replication_type == "SNAPSHOT_SHIPPING":
            return (account.now - replication.since) % server.timings.shipping_cycle
        return 0.0
    return max(0.0, account.now - replication.continuous_at)


def _visible_state(account: Account, server: SourceServer) -> str:
    """The replication state; agentless servers alternate instead of being continuous (docs/mgn.md#agentless)."""
    state = server.replication.state
    if state != "CONTINUOUS" or server.replication_type != "SNAPSHOT_SHIPPING":
        return state
    cycle = server.timings.shipping_cycle
    shipping = (account.now - server.replication.since) % cycle >= cycle * (1 - 1 / _SHIPPING_SHARE)
    return "SHIPPING_SNAPSHOT" if shipping else "PENDING_SNAPSHOT_SHIPPING"


def _last_snapshot(account: Account, server: SourceServer, lag: float) -> float:
    if lag > 0 or server.replication.state != "CONTINUOUS":
        return account.now - lag
    return account.now - (account.now - server.replication.since) % server.timings.snapshot_interval


def _steps(replication: Replication, now: float, server: SourceServer) -> list[View]:
    if not replication.steps_reset and "INITIATING" not in (replication.state, replication.held_state):
        return _ALL_SUCCEEDED
    return [
        {"name": name, "status": _step_status(replication, now, server, index)}
        for index, name in enumerate(INITIATION_STEPS)
    ]


def _step_status(replication: Replication, now: float, server: SourceServer, index: int) -> str:
    if replication.steps_reset:
        return "NOT_STARTED"
    done = int(progress(server, now) * len(INITIATION_STEPS))
    if index < done:
        return "SUCCEEDED"
    if index > done:
        return "NOT_STARTED"
    return "FAILED" if replication.state == "STALLED" else "IN_PROGRESS"


def _disks(account: Account, server: SourceServer) -> list[View]:
    replication = server.replication
    gone = replication.state == "DISCONNECTED" and account.knobs.disk_totals_after_disconnect == "zeroed"
    working = replication.held_state or replication.state
    share = progress(server, account.now)
    copied = {"INITIATING": 0.0, "INITIAL_SYNC": share, "STOPPED": 0.0}.get(working, 1.0)
    rescanned = share if working == "RESCAN" else copied
    backlog = _backlog(account, server, share)
    return [
        {
            "deviceName": disk.device_name,
            "totalStorageBytes": 0 if gone else disk.size_bytes,
            "replicatedStorageBytes": 0 if gone else int(disk.size_bytes * copied),
            "rescannedStorageBytes": 0 if gone else int(disk.size_bytes * rescanned),
            "backloggedStorageBytes": backlog if index == 0 else 0,
        }
        for index, disk in enumerate(server.hardware.disks)
    ]


def _backlog(account: Account, server: SourceServer, share: float) -> int:
    replication = server.replication
    if replication.state == "BACKLOG":
        return int((replication.backlog_bytes or GIB) * (1 - share))
    if replication.state in ("STALLED", "PAUSED") and replication.launchable:
        return int((account.now - replication.since) * _WRITES_WHILE_STALLED)
    return replication.backlog_bytes if replication.state == "RESCAN" else 0
