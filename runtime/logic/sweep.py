"""sweep: the safety net under every event: it wakes the dispatchers and finds what was forgotten (I10).

However many servers wait, it makes a wake for each account and Region, two queries, and at most two hundred starts and
fifty questions about executions.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import takewhile
from typing import NamedTuple

from runtime.logic.ingress import may_begin, requested
from runtime.logic.ports import Ports
from runtime.logic.signals import execution_ended
from runtime.models.record import MigrationRecord
from runtime.models.status import MigrationStatus

START_GRACE = timedelta(minutes=2)
"""An accepted migration without an execution for this long lost its MigrationRequested event, or has no turn yet."""

RESTARTED = 200
"""Starts one sweep repeats: of a crowd that only waits for its turn they would else double the crowd each minute."""

ORPHAN_GRACE = timedelta(hours=1)
"""Whoever changed since then is at work; of the others, parked or not, some may have lost their execution."""

ASKED = 50
"""Executions one sweep asks about, however many are silent."""

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
        ports.wakes.wake(scope, everything=True)
    turn = ports.dispatches.count_sweep()
    forgotten = _in_turn(ports, _page(_silent(ports, MigrationStatus.RECEIVED, START_GRACE), RESTARTED, turn))
    if forgotten:
        ports.bus.publish([requested(record) for record in forgotten])
    return SweepReport(len(ports.scopes), len(forgotten), _freeze_orphans(ports, turn))


def _in_turn(ports: Ports, waiting: Sequence[MigrationRecord]) -> list[MigrationRecord]:
    """Those whose senders have a turn, oldest first; a sender without one is not asked about again."""
    found: list[MigrationRecord] = []
    without: set[str | None] = set()
    for record in waiting:
        if record.requester in without:
            continue
        if may_begin(ports, record):
            found.append(record)
        else:
            without.add(record.requester)
    return found


def _freeze_orphans(ports: Ports, turn: int) -> int:
    # One status a sweep, and of that one page: where a page holds all the silent ones of each status, an execution that
    # died unheard is found within eleven sweeps. Counted, because by the clock some periods skip statuses for good.
    rounds, status = divmod(turn, len(UNDER_WAY))
    page = _page(_silent(ports, UNDER_WAY[status], ORPHAN_GRACE), ASKED, rounds)
    # A parked execution dies as well, and its wait would go on for up to 300 days with the server locked.
    return sum(_freeze_if_orphaned(ports, record) for record in page)


def _freeze_if_orphaned(ports: Ports, record: MigrationRecord) -> bool:
    if record.execution is None or ports.resumer.is_running(record.execution):
        return False
    return execution_ended(ports, record.migration_id, record.execution, "unheard") == "frozen"


def _page(records: Sequence[MigrationRecord], size: int, turn: int) -> Sequence[MigrationRecord]:
    pages = [records[start : start + size] for start in range(0, len(records), size)]
    return pages[turn % len(pages)] if pages else ()


def _silent(ports: Ports, status: MigrationStatus, grace: timedelta) -> list[MigrationRecord]:
    limit = ports.now() - grace
    return list(takewhile(lambda record: record.updated_at < limit, ports.migrations.find(status=status)))
