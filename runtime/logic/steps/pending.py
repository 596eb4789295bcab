"""What a step finds unready is tried again, less and less often, until its budget is used up."""

from datetime import UTC, datetime, timedelta
from math import ceil
from typing import NoReturn

from runtime.errors import CheckFailedError, CheckPendingError
from runtime.logic.journal import note
from runtime.logic.ports import Ports
from runtime.models.functions.environment import Budgets
from runtime.models.record import Facts, MigrationRecord, Patience, Pending

LONGEST_PAUSE = timedelta(minutes=2)
SHARE_OF_AGE = 4
"""A try comes this part of the time waited so far after the one before, and so never much too late."""


def still_pending(ports: Ports, record: MigrationRecord, patience: Patience, seen: str, *, actor: str) -> NoReturn:
    """Raises CheckPendingError while the budget lasts, which counts from the first time, and CheckFailedError after."""
    pending = _pending(record, patience)
    if pending is None:
        pending = Pending(status=record.status, patience=patience, since=ports.now())
        note(ports, record, Facts(pending=pending), actor=actor, reason=f"waiting: {seen}")
    if ports.now() >= _deadline(pending, ports.budgets):
        raise CheckFailedError(f"{seen}, since {pending.since.isoformat(timespec='seconds')}")
    raise CheckPendingError(seen)


def next_try(record: MigrationRecord, *, now: datetime, budgets: Budgets) -> tuple[datetime, datetime]:
    """When to try again what is pending, and its deadline; raises CheckFailedError where nothing is."""
    pending = record.pending
    if pending is None or pending.status is not record.status:
        raise CheckFailedError(f"{record.migration_id}: no step has said what it waits for in {record.status}")
    pause = min(max((now - pending.since) / SHARE_OF_AGE, timedelta(seconds=budgets.look)), LONGEST_PAUSE)
    deadline = max(_deadline(pending, budgets), now)
    return min(_rounded_up(now + pause, budgets.look), deadline), deadline


def _pending(record: MigrationRecord, patience: Patience) -> Pending | None:
    found = record.pending
    return found if found and (found.status, found.patience) == (record.status, patience) else None


def _deadline(pending: Pending, budgets: Budgets) -> datetime:
    seconds = budgets.checks if pending.patience is Patience.CHECKS else budgets.commands
    return pending.since + timedelta(seconds=seconds)


def _rounded_up(moment: datetime, seconds: float) -> datetime:
    # Many servers are tried at the same moments: one look of the dispatcher ends all their waits.
    return datetime.fromtimestamp(ceil(moment.timestamp() / seconds) * seconds, UTC)
