"""The decisions that are about a migration, and not about an earlier one of its id."""

from datetime import datetime

from runtime.logic.ports import Ports
from runtime.models.decisions import Signal
from runtime.models.record import MigrationRecord


def decisions_of(ports: Ports, record: MigrationRecord) -> tuple[Signal, ...]:
    """The decisions a migration got since its request was accepted, oldest first."""
    return tuple(signal for signal in ports.decisions.of(record.migration_id) if not is_older(record, signal.at))


def is_older(record: MigrationRecord, moment: datetime) -> bool:
    """Whether something was said before there was a request to say it of, as a replayed event was.

    EventBridge tells times in whole seconds, cut off.
    """
    return moment < record.created_at.replace(microsecond=0)
