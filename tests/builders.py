"""Models with defaults for everything a test does not care about: name only what the test is about."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from runtime.models.decisions import Decision, Signal
from runtime.models.mgn import (
    IdentificationHints,
    InstanceHealth,
    Job,
    LaunchedInstance,
    LifeCycle,
    ParticipatingServer,
    SourceProperties,
    SourceServer,
)
from runtime.models.record import (
    Facts,
    JournalEntry,
    LaunchKind,
    Lock,
    MigrationRecord,
    Rejection,
)
from runtime.models.request import Gate, MigrationRequest, Phase
from runtime.models.scope import Scope
from runtime.models.status import MigrationStatus
from runtime.models.waits import LaunchIntent, Wait, WaitKind, due

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
SCOPE = Scope("111122223333", "us-east-1")
TARGET_ACCOUNT = "222233334444"
TARGET_REGION = "eu-west-1"
TARGET_SCOPE = Scope(TARGET_ACCOUNT, TARGET_REGION)
SERVER_ID = "s-11111111111111111"
OTHER_SERVER_ID = "s-22222222222222222"
JOB_ID = "mgnjob-11111111111111111"
INSTANCE_ID = "i-11111111111111111"
SUBNET_ID = "subnet-11111111111111111"
SECURITY_GROUP_ID = "sg-11111111111111111"


def server_id(number: int) -> str:
    """The MGN id of the numbered server; number 1 is SERVER_ID's neighbour, not itself."""
    return f"s-{number:017d}"


def a_request(migration_id: str = "mig-1", **changes: Any) -> MigrationRequest:
    """What the earlier producers send, plus `changes` by Python name."""
    message = {
        "migration_id": migration_id,
        "app_name": "billing",
        "source": "azure",
        "environment": "production",
        "wave": "1",
        "source_vm_id": "billing-web-01",
        "target_vm_name": "billing-web-01-aws",
        "instance_type": "m5.large",
        "subnet_id": SUBNET_ID,
        "security_group_ids": (SECURITY_GROUP_ID,),
    }
    return MigrationRequest.model_validate({**message, **changes})


def a_server(
    source_server_id: str = SERVER_ID,
    *,
    state: str = "READY_FOR_TEST",
    replication: str = "CONTINUOUS",
    lag: str | None = "P0D",
    hostname: str = "billing-web-01",
    job_id: str | None = None,
    instance_id: str | None = None,
    first_boot: str = "SUCCEEDED",
    **changes: Any,
) -> SourceServer:
    """A healthy server; with `job_id` or `instance_id` it also has a launched instance."""
    launched = None
    if job_id or instance_id:
        launched = LaunchedInstance(ec2_instance_id=instance_id or INSTANCE_ID, job_id=job_id, first_boot=first_boot)
    return SourceServer.model_validate(
        {
            "source_server_id": source_server_id,
            "life_cycle": LifeCycle(state=state),
            "data_replication_info": {"dataReplicationState": replication, "lagDuration": lag},
            "launched_instance": launched,
            "source_properties": SourceProperties(
                identification_hints=IdentificationHints(hostname=hostname, fqdn=f"{hostname}.example.com")
            ),
            **changes,
        }
    )


def a_job(job_id: str = JOB_ID, *servers: str, launch_status: str = "PENDING", **changes: Any) -> Job:
    """A started test launch of `servers`, all with one launch status."""
    participating = tuple(
        ParticipatingServer(
            source_server_id=server,
            launch_status=launch_status,
            launched_ec2_instance_id=INSTANCE_ID if launch_status == "LAUNCHED" else None,
        )
        for server in servers or (SERVER_ID,)
    )
    job = {
        "job_id": job_id,
        "type": "LAUNCH",
        "initiated_by": "START_TEST",
        "status": "STARTED",
        "creation_date_time": "2026-01-05T12:00:00Z",
        "participating_servers": participating,
    }
    return Job.model_validate({**job, **changes})


def some_health(instance_id: str = INSTANCE_ID, **changes: Any) -> InstanceHealth:
    """An instance that is up, passes its status checks and is online in SSM."""
    health = {
        "instance_id": instance_id,
        "state": "running",
        "instance_status": "ok",
        "system_status": "ok",
        "ssm_ping": "Online",
        "private_ip": "10.0.0.10",
    }
    return InstanceHealth.model_validate({**health, **changes})


def a_record(
    migration_id: str = "mig-1", *, request: MigrationRequest | None = None, **changes: Any
) -> MigrationRecord:
    """A migration right after it was accepted."""
    record = {
        "migration_id": migration_id,
        "correlation_id": f"cor-{migration_id}",
        "status": MigrationStatus.RECEIVED,
        "sequence": 1,
        "request": request or a_request(migration_id),
        "created_at": NOON,
        "updated_at": NOON,
        "reason": "accepted",
    }
    return MigrationRecord.model_validate({**record, **changes})


def an_entry(record: MigrationRecord, *, from_status: MigrationStatus | None = None, **changes: Any) -> JournalEntry:
    """The journal entry that made `record` what it is."""
    entry = {
        "migration_id": record.migration_id,
        "sequence": record.sequence,
        "correlation_id": record.correlation_id,
        "from_status": from_status,
        "to_status": record.status,
        "at": record.updated_at,
        "actor": "test",
        "reason": record.reason,
        "facts": Facts(request=record.request) if record.sequence == 1 else Facts(expires_at=record.expires_at),
    }
    return JournalEntry.model_validate({**entry, **changes})


def a_wait(name: str = "launch-test", migration_id: str = "mig-1", **changes: Any) -> Any:
    """A parked launch; with another `kind`, the wait of that kind, and what the others have is left out."""
    kind = changes.get("kind", WaitKind.LAUNCH)
    wait: dict[str, Any] = {
        "migration_id": migration_id,
        "name": name,
        "kind": kind,
        "scope": SCOPE,
        "source_server_id": SERVER_ID,
        "parked_at": NOON,
        "deadline": NOON + timedelta(hours=2),
        "token": f"token-of-{migration_id}-{name}",
        **_OF_KIND.get(kind, {}),
    }
    wait |= changes
    return _ANY_WAIT.validate_python({"lane": due(wait["parked_at"]), **wait})


_ANY_WAIT: TypeAdapter[Wait] = TypeAdapter(Annotated[Wait, Field(discriminator="kind")])
_OF_KIND: dict[WaitKind, dict[str, object]] = {
    WaitKind.LAUNCH: {"phase": Phase.TEST, "intent": LaunchIntent(kind=LaunchKind.TEST, wave="1")},
    WaitKind.BOOT: {"phase": Phase.TEST, "job_id": JOB_ID, "instance_id": INSTANCE_ID},
    WaitKind.APPROVAL: {"gate": Gate.CUTOVER},
    WaitKind.SOAK: {"not_before": NOON},
}


def a_signal(decision: Decision = Decision.APPROVE, migration_id: str = "mig-1", **changes: Any) -> Signal:
    """A decision by a person."""
    signal = {"migration_id": migration_id, "decision": decision, "by": "ada@example.com", "at": NOON}
    return Signal.model_validate({**signal, **changes})


def a_lock(owner: str = "mig-1", source_server_id: str = SERVER_ID, **changes: Any) -> Lock:
    """A migration's lock on a server."""
    lock = {"scope": SCOPE, "source_server_id": source_server_id, "owner": owner, "since": NOON, "reason": "claimed"}
    return Lock.model_validate({**lock, **changes})


def a_rejection(message_id: str = "message-1", **changes: Any) -> Rejection:
    """A message that was no request."""
    rejection = {
        "message_id": message_id,
        "at": NOON,
        "reason": "appName: field required",
        "body_digest": "0" * 64,
        "body_excerpt": "{}",
        "expires_at": int((NOON + timedelta(days=90)).timestamp()),
    }
    return Rejection.model_validate({**rejection, **changes})
