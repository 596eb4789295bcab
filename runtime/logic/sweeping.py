"""sweep: the safety net under every event: it wakes the dispatchers and finds what was forgotten (I10)."""

from datetime import timedelta
from itertools import takewhile
from typing import NamedTuple

from runtime.logic.intake import requested
from runtime.logic.ports import Ports
from runtime.logic.signalling import execution_ended
from runtime.models.record import MigrationRecord
from runtime.models.status import MigrationStatus

START_GRACE = timedelta(minutes=2)
"""An accepted migration without an execution for this long lost its MigrationRequested event."""

ORPHAN_GRACE = timedelta(hours=1)
"""No step works longer than this without a wait; a migration that does may have lost its execution."""

UNDER_WAY = tuple(
    status for status in MigrationStatus if not status.is_terminal and status is not MigrationStatus.RECEIVED
)


class SweepReport(NamedTuple):
    """What one sweep saw and did."""

    scopes: int
    restarted: int
    frozen: int


def sweep(ports: Ports) -> SweepReport:
    """Have every account and Region looked at, and find what was accepted and never began or lost its end."""
    for scope in ports.scopes:
        ports.wakes.wake(scope)
    forgotten = _silent(ports, MigrationStatus.RECEIVED, START_GRACE)
    if forgotten:
        ports.bus.publish([requested(record) for record in forgotten])
    return SweepReport(len(ports.scopes), len(forgotten), _freeze_orphans(ports))


def _freeze_orphans(ports: Ports) -> int:
    # One status a sweep: an execution that died unheard is found within the quarter of an hour, for one query each.
    status = UNDER_WAY[int(ports.now().timestamp() // 60) % len(UNDER_WAY)]
    orphans = [
        (record, record.execution)
        for record in _silent(ports, status, ORPHAN_GRACE)
        if record.execution and not (record.scope and ports.store.waits(record.scope, record.migration_id))
        if not ports.resumer.is_running(record.execution)
    ]
    for record, execution in orphans:
        execution_ended(ports, record.migration_id, execution, "unheard")
    return len(orphans)


def _silent(ports: Ports, status: MigrationStatus, grace: timedelta) -> list[MigrationRecord]:
    limit = ports.now() - grace
    return list(takewhile(lambda record: record.updated_at < limit, ports.store.migrations(status=status)))
