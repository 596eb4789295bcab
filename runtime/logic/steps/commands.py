"""SSM commands, each sent once: its id is journaled under what it is for."""

from runtime.errors import CheckFailedError, CheckPendingError
from runtime.logic.journal import note
from runtime.logic.ports import Ports
from runtime.models.record import Facts, MigrationRecord
from runtime.models.request import DocumentParameters


def run_command(
    ports: Ports,
    record: MigrationRecord,
    *,
    key: str,
    instance_id: str,
    document: str,
    parameters: DocumentParameters,
    actor: str,
) -> MigrationRecord:
    """Send the document unless it was sent before, and pass once it succeeded.

    Raises CheckPendingError while it runs and CheckFailedError when it ends any other way.
    """
    sent = record.commands or {}
    if key not in sent:
        sent = {**sent, key: ports.commands.send(instance_id, document, parameters)}
        record = note(ports, record, Facts(commands=sent), actor=actor, reason=f"sent {document} to {instance_id}")
    status = ports.commands.status(sent[key], instance_id)
    if status.goes_on:
        raise CheckPendingError(f"{document} is {status.status} on {instance_id}")
    if status.status != "Success":
        raise CheckFailedError(f"{document} ended {status.status} on {instance_id}: {status.detail}")
    return record
