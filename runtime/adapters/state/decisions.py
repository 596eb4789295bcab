"""Decisions of people in the state table."""

from datetime import datetime

from runtime.adapters.state import items
from runtime.adapters.state.documents import Report, read, readable
from runtime.adapters.state.table import ABSENT, StateTable, equals
from runtime.models.decisions import RefusedDecision, Signal
from runtime.models.table import DOCUMENT, PARTITION_KEY, SORT_KEY


class DynamoDbDecisions:
    """Signals lie beside the record of their migration, one of each name."""

    def __init__(self, table: StateTable, report: Report) -> None:
        self._table = table
        self._report = report

    def keep(self, signal: Signal, *, since: datetime | None = None) -> bool:
        item = items.signal_item(signal)
        if self._table.put(item, ABSENT):
            return True
        before = self._table.get(items.key(item[PARTITION_KEY]["S"], item[SORT_KEY]["S"])) if since else None
        if before is None or since is None or read(before, Signal.from_json).at >= since:
            return False
        return self._table.put(item, equals(DOCUMENT, items.document(before)))

    def of(self, migration_id: str) -> tuple[Signal, ...]:
        found = self._table.partition(items.migration_key(migration_id), items.SIGNAL_PREFIX)
        signals = readable(found, Signal.from_json, self._report)
        return tuple(sorted(signals, key=lambda signal: signal.at))

    def refuse(self, refused: RefusedDecision) -> bool:
        return self._table.put(items.refused_item(refused), ABSENT)

    def refused(self, migration_id: str) -> tuple[RefusedDecision, ...]:
        found = self._table.partition(items.migration_key(migration_id), items.REFUSED_PREFIX)
        decisions = readable(found, RefusedDecision.from_json, self._report)
        return tuple(sorted(decisions, key=lambda decision: decision.at))
