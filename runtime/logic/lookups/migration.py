"""What a step looks up first: its migration's record, the server as MGN has it, and the jobs that hold it."""

from datetime import timedelta

from runtime.errors import RecordChangedError, SourceServerGoneError
from runtime.logic.ports import Ports
from runtime.models.functions.steps import Step
from runtime.models.mgn import Job, SourceServer
from runtime.models.record import MigrationRecord

JOB_HORIZON = timedelta(days=1)
"""MGN jobs end within hours; older ones are not looked at when asking who works on a server."""


def load(ports: Ports, step: Step) -> tuple[MigrationRecord, Ports]:
    """The record of a step's migration, and the ports in its account and Region.

    Raises RecordChangedError while the table does not show the record.
    """
    record = ports.migrations.record(step.migration_id)
    if record is None:
        raise RecordChangedError(f"no migration {step.migration_id} in the state table yet")
    return record, ports.at(record.scope or ports.scope)


def server_of(record: MigrationRecord) -> str:
    """The id validation resolved; a migration past validation has one."""
    if record.source_server_id is None:
        raise SourceServerGoneError(f"{record.migration_id} has no source server yet")
    return record.source_server_id


def read_server(ports: Ports, record: MigrationRecord) -> SourceServer:
    """The migration's server as MGN has it now; raises SourceServerGoneError when MGN does not have it."""
    found = ports.mgn.servers([server_of(record)])
    if not found:
        raise SourceServerGoneError(f"{record.source_server_id} is not in MGN any more")
    return found[0]


def active_jobs_of(ports: Ports, source_server_id: str) -> tuple[Job, ...]:
    """The MGN jobs that hold this server now, whoever started them."""
    recent = ports.mgn.jobs_since(ports.now() - JOB_HORIZON)
    return tuple(job for job in recent if job.is_active and job.server(source_server_id))
