"""Decisions of people in the state table."""

from runtime.adapters.state import items
from runtime.adapters.state.documents import Report, readable
from runtime.adapters.state.table import ABSENT, StateTable
from runtime.models.decisions import Signal


class DynamoDbDecisions:
    """Signals lie beside the record of their migration, one of each name."""

    def __init__(self, table: StateTable, report: Report) -> None:
        self._table = table
        self._report = report

    def keep(self, signal: Signal) -> bool:
        return self._table.put(items.signal_item(signal), ABSENT)

    def of(self, migration_id: str) -> tuple[Signal, ...]:
        found = self._table.partition(items.migration_key(migration_id), items.SIGNAL_PREFIX)
        signals = readable(found, Signal.from_json, self._report)
        return tuple(sorted(signals, key=lambda signal: signal.at))
