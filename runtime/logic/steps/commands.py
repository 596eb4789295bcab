"""SSM commands, each sent once: what is about to be sent is journaled first, and found again by its comment."""

import hashlib
from datetime import timedelta

from runtime.errors import CheckFailedError, CheckPendingError
from runtime.logic.journal import note
from runtime.logic.ports import Ports
from runtime.logic.steps.pending import still_pending
from runtime.models.record import Facts, MigrationRecord, Patience
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

    Raises CheckPendingError while it runs and CheckFailedError when it ends any other way or not within its budget.
    """
    what = f"{document} on {instance_id}"
    if key not in (record.commands or {}):
        comment = comment_of(record.migration_id, key)
        record, found = _sent_before(ports, record, key, instance_id, comment, what=what, actor=actor)
        try:
            command_id = found or ports.commands.send(instance_id, document, parameters, comment)
        except CheckPendingError as error:
            still_pending(ports, record, Patience.CHECKS, str(error), actor=actor)
        facts = Facts(commands={**(record.commands or {}), key: command_id})
        record = note(ports, record, facts, actor=actor, reason=f"sent {document} to {instance_id}")
    command_id = (record.commands or {})[key]
    status = ports.commands.status(command_id, instance_id)
    if status.goes_on:
        still_pending(ports, record, Patience.COMMANDS, f"{what} is {status.status}", actor=actor)
    if status.status != "Success":
        raise CheckFailedError(f"{document} ended {status.status} on {instance_id}: {status.detail}")
    return record


def comment_of(migration_id: str, key: str) -> str:
    """The comment that names a command; SSM keeps 100 characters."""
    digest = hashlib.sha256(f"{migration_id} {key}".encode()).hexdigest()[:32]
    return f"migration {migration_id[:50]} {digest}"


def _sent_before(
    ports: Ports, record: MigrationRecord, key: str, instance_id: str, comment: str, *, what: str, actor: str
) -> tuple[MigrationRecord, str | None]:
    """The record in which the intent to send is written, and the command an earlier attempt sent and did not journal.

    Raises CheckPendingError while such a command may still come to light.
    """
    intended = record.commands_intended or {}
    if since := intended.get(key):
        found = ports.commands.find(instance_id, comment, since)
        if found is None and ports.now() < since + timedelta(seconds=ports.budgets.request_life):
            still_pending(ports, record, Patience.CHECKS, f"{what} may have been sent; looking for it", actor=actor)
        if found is not None:
            return record, found
    facts = Facts(commands_intended={**intended, key: ports.now()})
    return note(ports, record, facts, actor=actor, reason=f"about to send {what}"), None
