"""Source servers as the service shows them (docs/mgn.md#identity)."""

import json
from math import inf
from typing import Any

from simulator.model.account import Account
from simulator.model.formats import datetime_text, duration_text
from simulator.model.replicating import INITIATION_STEPS, progress
from simulator.model.server import GIB, WITHOUT_AGENT, PhaseRecord, Replication, SourceServer

View = dict[str, Any]

_WRITES_WHILE_STALLED = 1024**2  # bytes a second that pile up as backlog
_ALL_SUCCEEDED = [{"name": name, "status": "SUCCEEDED"} for name in INITIATION_STEPS]
_SHIPPING_SHARE = 6  # one sixth of an agentless cycle is spent shipping


def server_view(account: Account, server: SourceServer) -> View:
    """The whole SourceServer structure."""
    return {**_changing(account, server), "sourceProperties": source_properties(account, server)}


def server_json(account: Account, server: SourceServer) -> str:
    """The same as JSON text; the hardware part is rendered once, as it never changes."""
    if not server.static_json:
        server.static_json = json.dumps(source_properties(account, server), separators=(",", ":"))
    changing = json.dumps(_changing(account, server), separators=(",", ":"))
    return f'{changing[:-1]},"sourceProperties":{server.static_json}}}'


def tags_view(account: Account, tags: dict[str, str], arn: str) -> dict[str, str]:
    """Tags; none at all may show up as the service's quirk."""
    return dict(tags) or ({"resourceArn": arn} if account.knobs.tags_quirk else {})


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


def visible_replication_state(account: Account, server: SourceServer) -> str:
    """The replication state; agentless servers alternate instead of being continuous (docs/mgn.md#agentless)."""
    state = server.replication.state
    if state != "CONTINUOUS" or server.replication_type != "SNAPSHOT_SHIPPING":
        return state
    cycle = server.timings.shipping_cycle
    shipping = (account.now - server.replication.since) % cycle >= cycle * (1 - 1 / _SHIPPING_SHARE)
    return "SHIPPING_SNAPSHOT" if shipping else "PENDING_SNAPSHOT_SHIPPING"


def source_properties(account: Account, server: SourceServer) -> View:
    """What the agent reported about the machine."""
    hardware = server.hardware
    hints = {
        "fqdn": hardware.fqdn,
        "hostname": hardware.hostname,
        "vmWareUuid": hardware.vmware_uuid,
        "awsInstanceID": hardware.aws_instance_id,
        "vmPath": hardware.vm_path,
    }
    return {
        "lastUpdatedDateTime": datetime_text(server.added_at, account.knobs.timestamps),
        "recommendedInstanceType": hardware.recommended_instance_type,
        "identificationHints": {name: value for name, value in hints.items() if value},
        "networkInterfaces": [
            {"macAddress": hardware.mac_address, "ips": list(hardware.ip_addresses), "isPrimary": True}
        ],
        "disks": [{"deviceName": disk.device_name, "bytes": disk.size_bytes} for disk in hardware.disks],
        "cpus": [{"cores": hardware.cpu_cores, "modelName": hardware.cpu_model}],
        "ramBytes": hardware.ram_bytes,
        "os": {"fullString": hardware.os},
    }


def _changing(account: Account, server: SourceServer) -> View:
    view: View = {
        "sourceServerID": server.server_id,
        "arn": server.arn,
        "isArchived": server.archived,
        "tags": tags_view(account, server.tags, server.arn),
        "launchedInstance": _launched(account, server),
        "dataReplicationInfo": _replication(account, server),
        "lifeCycle": _lifecycle(account, server),
        "replicationType": server.replication_type,
    }
    optional = {
        "vcenterClientID": server.vcenter_client_id,
        "applicationID": server.application_id,
        "userProvidedID": server.user_provided_id,
        "fqdnForActionFramework": server.fqdn_for_actions,
        "connectorAction": server.connector_action,
    }
    view.update((name, value) for name, value in optional.items() if value)
    return view


def _launched(account: Account, server: SourceServer) -> View:
    launched = server.launched
    if launched is None:
        return {}
    view: View = {
        "ec2InstanceID": launched.instance_id,
        "jobID": launched.job_id,
        "firstBoot": launched.first_boot,
    }
    if account.knobs.last_known_checks and launched.checked_at:
        passed = "PASSED" if launched.status == "ok" else "FAILED"
        view["lastKnownChecks"] = [
            {"type": "EC2", "name": name, "status": passed, "checkedAt": round(launched.checked_at)}
            for name in ("SystemStatus", "InstanceStatus")
        ]
    return view


def _lifecycle(account: Account, server: SourceServer) -> View:
    style = account.knobs.timestamps
    replication = server.replication
    end = account.now if replication.ended_at is None else replication.ended_at
    view: View = {
        "addedToServiceDateTime": datetime_text(server.added_at, style),
        "lastTest": _phase(server.last_test, style),
        "lastCutover": _phase(server.last_cutover, style),
        "state": server.state,
    }
    if server.state not in WITHOUT_AGENT:
        connected = replication.state not in ("DISCONNECTED", "STALLED")
        beat = server.timings.heartbeat
        seen = (account.now - (account.now - server.added_at) % beat) if connected else replication.since
        view["lastSeenByServiceDateTime"] = datetime_text(seen, style)
    if replication.first_byte_at is not None:
        view["firstByteDateTime"] = datetime_text(replication.first_byte_at, style)
        view["elapsedReplicationDuration"] = duration_text(end - replication.first_byte_at)
    return view


def _phase(record: PhaseRecord, style: str) -> View:
    """What never happened is an empty object (docs/mgn.md#lifecycle)."""
    initiated: View = {}
    if record.initiated_at is not None:
        initiated = {"apiCallDateTime": datetime_text(record.initiated_at, style), "jobID": record.job_id}
    return {
        "initiated": initiated,
        "reverted": _call(record.reverted_at, style),
        "finalized": _call(record.finalized_at, style),
    }


def _call(at: float | None, style: str) -> View:
    return {} if at is None else {"apiCallDateTime": datetime_text(at, style)}


def _replication(account: Account, server: SourceServer) -> View:
    style, replication = account.knobs.timestamps, server.replication
    lag = lag_seconds(account, server)
    view: View = {
        "dataReplicationState": visible_replication_state(account, server),
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
