"""Everything the invariants are judged by, read once after the last migration ended."""

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3

from localcloud.callback_receiver import CallbackReceiver
from localcloud.sample import Message
from localcloud.state import CloudState
from runtime.adapters.store import DynamoDbMigrationStore
from runtime.models.deployment import Deployment
from runtime.models.events import MigrationStatusChanged
from runtime.models.record import JournalEntry, Lock, MigrationRecord, Rejection

LogEntry = dict[str, Any]


@dataclass(frozen=True)
class Evidence:
    """What the front door took, the table kept, MGN did, EC2 runs, receivers heard and functions logged."""

    sent: tuple[Message, ...]
    records: tuple[MigrationRecord, ...]
    journals: dict[str, tuple[JournalEntry, ...]]
    rejections: tuple[Rejection, ...]
    locks: tuple[Lock, ...]
    mgn_log: tuple[LogEntry, ...]
    servers: dict[str, dict[str, Any]]
    jobs: tuple[dict[str, Any], ...]
    running_instances: frozenset[str]
    callbacks: dict[str, MigrationStatusChanged]
    deliveries: int
    logs: str
    secrets: tuple[str, ...]


def gather(
    state: CloudState, deployment: Deployment, sent: tuple[Message, ...], receiver: CallbackReceiver
) -> Evidence:
    """Read it all."""
    dynamodb, mgn, ec2, logs = (_client(state, name) for name in ("dynamodb", "mgn", "ec2", "logs"))
    secrets = _client(state, "secretsmanager")
    store = DynamoDbMigrationStore(dynamodb, deployment.state_table_name)
    records = tuple(store.migrations())
    servers = [s for page in mgn.get_paginator("describe_source_servers").paginate(filters={}) for s in page["items"]]
    reservations = ec2.describe_instances()["Reservations"]
    return Evidence(
        sent=sent,
        records=records,
        journals={record.migration_id: store.journal(record.migration_id) for record in records},
        rejections=tuple(store.rejections()),
        locks=tuple(
            lock
            for record in records
            if record.scope and record.source_server_id
            if (lock := store.lock_of(record.scope, record.source_server_id))
        ),
        mgn_log=tuple(simulator_log(state.simulator_url or "")),
        servers={server["sourceServerID"]: server for server in servers},
        jobs=tuple(job for page in mgn.get_paginator("describe_jobs").paginate(filters={}) for job in page["items"]),
        running_instances=frozenset(
            instance["InstanceId"]
            for reservation in reservations
            for instance in reservation["Instances"]
            if instance["State"]["Name"] == "running"
        ),
        callbacks=dict(receiver.callbacks),
        deliveries=receiver.deliveries,
        logs="\n".join(_log_lines(logs)),
        secrets=tuple(
            secrets.get_secret_value(SecretId=listed["ARN"])["SecretString"]
            for listed in secrets.list_secrets()["SecretList"]
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


def _client(state: CloudState, name: str) -> Any:
    # The demo looks from outside, so it asks the simulator itself and not through a role.
    endpoint = state.simulator_url if name == "mgn" else state.endpoint
    return boto3.client(
        name,  # type: ignore[call-overload]
        endpoint_url=endpoint,
        region_name=state.region,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
