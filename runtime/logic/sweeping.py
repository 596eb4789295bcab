"""sweep: the one schedule that reads the truth for everything that waits (I10)."""

from datetime import timedelta
from typing import NamedTuple

from runtime.logic.intake import requested
from runtime.logic.ports import Ports
from runtime.logic.waiting import settle
from runtime.models.status import MigrationStatus

START_GRACE = timedelta(minutes=2)
"""An accepted migration without an execution for this long lost its MigrationRequested event."""


class SweepReport(NamedTuple):
    """What one sweep saw and did."""

    waiting: int
    resumed: int
    restarted: int


def sweep(ports: Ports) -> SweepReport:
    """Look at every open wait of this account and Region, and start what was accepted and never began."""
    forgotten = [
        record
        for record in ports.store.migrations(status=MigrationStatus.RECEIVED)
        if record.updated_at < ports.now() - START_GRACE
    ]
    if forgotten:
        ports.bus.publish([requested(record) for record in forgotten])
    waits = tuple(ports.store.open_waits(ports.scope))
    resumed = settle(ports, waits)
    return SweepReport(waiting=len(waits), resumed=resumed, restarted=len(forgotten))
