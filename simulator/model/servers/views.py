"""Source servers as the service shows them (docs/mgn.md#identity)."""

import json

from simulator.model.account.account import Account
from simulator.model.account.server import WITHOUT_AGENT, PhaseRecord, SourceServer
from simulator.model.forms.formats import View, datetime_text, duration_text
from simulator.model.replication.views import replication_view


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
        "dataReplicationInfo": replication_view(account, server),
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
