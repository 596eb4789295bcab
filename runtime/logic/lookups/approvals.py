"""Which decisions opened the gates of a migration."""

from collections.abc import Iterable

from runtime.models.decisions import Decision, Signal
from runtime.models.record import MigrationRecord


def approvals(record: MigrationRecord, signals: Iterable[Signal]) -> tuple[Signal, ...]:
    """The decisions that open gates this migration has."""
    return tuple(signal for signal in signals if signal.decision is Decision.APPROVE and signal.gate in record.gates)


def in_words(approved: Iterable[Signal]) -> str:
    """Who opened which gates, and why; it begins with a semicolon, for it ends a reason."""
    return "".join(f"; {each.gate} approved by {each.words}" for each in approved)
