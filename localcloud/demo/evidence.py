"""Everything the invariants are judged by, read once after the last migration ended."""

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from localcloud.demo.receiver import CallbackReceiver
from localcloud.sample import Message
from localcloud.state import CloudState
from runtime.adapters.state.documents import refuse
from runtime.adapters.state.state import DynamoDbState
from runtime.models.deployment import Deployment
from runtime.models.events import MigrationStatusChanged
from runtime.models.record import JournalEntry, Lock, MigrationRecord, Rejection
from runtime.models.scope import Scope

LogEntry = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """What MGN did and what EC2 runs in one account and Region."""

    mgn_log: tuple[LogEntry, ...]
    servers: dict[str, dict[str, Any]]
    jobs: tuple[dict[str, Any], ...]
    running_instances: frozenset[str]


@dataclass(frozen=True)
class Evidence:
    """What the front door took, the table kept, MGN and EC2 did, receivers heard and functions logged."""

    sent: tuple[Message, ...]
    records: tuple[MigrationRecord, ...]
    journals: dict[str, tuple[JournalEntry, ...]]
    rejections: tuple[Rejection, ...]
    locks: tuple[Lock, ...]
    places: dict[Scope, Place]
    callbacks: dict[str, MigrationStatusChanged]
    deliveries: int
    logs: str
    secrets: tuple[str, ...]


def gather(
    state: CloudState, deployment: Deployment, sent: tuple[Message, ...], receiver: CallbackReceiver
) -> Evidence:
    """Read it all."""
    secrets = state.client("secretsmanager")
    kept = DynamoDbState(state.client("dynamodb"), deployment.state_table_name, refuse)
    records = tuple(kept.migrations.find())
    return Evidence(
        sent=sent,
        records=records,
        journals={record.migration_id: kept.migrations.journal(record.migration_id) for record in records},
        rejections=tuple(kept.migrations.rejections()),
        locks=tuple(
            lock
            for record in records
            if record.scope and record.source_server_id
            if (lock := kept.migrations.lock_of(record.scope, record.source_server_id))
        ),
        places={scope: _place(state, scope) for scope in state.simulators},
        callbacks=dict(receiver.callbacks),
        deliveries=receiver.deliveries,
        logs="\n".join(_log_lines(state.client("logs"))),
        secrets=(
            receiver.key,
            *(
                secrets.get_secret_value(SecretId=listed["ARN"])["SecretString"]
                for listed in secrets.list_secrets()["SecretList"]
            ),
        ),
    )


def _place(state: CloudState, scope: Scope) -> Place:
    mgn, ec2 = state.client("mgn", scope), state.client("ec2", scope)
    servers = [s for page in mgn.get_paginator("describe_source_servers").paginate(filters={}) for s in page["items"]]
    return Place(
        mgn_log=tuple(simulator_log(state.simulators[scope])),
        servers={server["sourceServerID"]: server for server in servers},
        jobs=tuple(job for page in mgn.get_paginator("describe_jobs").paginate(filters={}) for job in page["items"]),
        running_instances=frozenset(
            instance["InstanceId"]
            for reservation in ec2.describe_instances()["Reservations"]
            for instance in reservation["Instances"]
            if instance["State"]["Name"] == "running"
        ),
    )


def simulator_log(url: str) -> list[LogEntry]:
    """The simulator's own log of calls, jobs, instances and events."""
    with urllib.request.urlopen(f"{url}/_simulator/log", timeout=30) as answer:
        entries: list[LogEntry] = json.load(answer)["entries"]
    return entries


def _log_lines(logs: Any) -> Iterator[str]:
    for page in logs.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            for events in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
                yield from (event["message"] for event in events["events"])
