"""The waits of parked steps in the state table, those of an account and Region in one partition."""

from collections.abc import Iterable, Mapping

from runtime.adapters.state import items
from runtime.adapters.state.documents import Report, read, readable
from runtime.adapters.state.table import ABSENT, ROUNDS, StateTable, equals
from runtime.errors import RecordChangedError
from runtime.models.scope import Scope
from runtime.models.table import DOCUMENT
from runtime.models.waits import Outcome, Wait, wait_from_json


class DynamoDbWaits:
    """Each write goes by the stored text, so of several writers none undoes another's work."""

    def __init__(self, table: StateTable, report: Report) -> None:
        self._table = table
        self._report = report

    def park(self, wait: Wait) -> Wait:
        for _ in range(ROUNDS):
            stored, text = self._stored(wait)
            parked = wait.after(stored) if stored else wait
            if self._table.put(items.wait_item(parked), equals(DOCUMENT, text) if stored else ABSENT):
                return parked
        raise _contended(wait)

    def of(self, scope: Scope, migration_id: str) -> tuple[Wait, ...]:
        found = self._table.partition(items.scope_key(scope), items.wait_prefix(migration_id))
        return tuple(readable(found, wait_from_json, self._report))

    def open(self, scope: Scope) -> Iterable[Wait]:
        found = self._table.partition(items.scope_key(scope), items.WAIT_PREFIX)
        return readable(found, wait_from_json, self._report)

    def amend(self, wait: Wait, changes: Mapping[str, object]) -> bool:
        stored = self._change(wait, changes)
        return stored is not None and stored.outcome is None

    def decide(self, wait: Wait, outcome: Outcome) -> Wait:
        return self._change(wait, {"outcome": outcome}) or wait.model_copy(update={"outcome": outcome})

    def close(self, wait: Wait) -> None:
        stored, text = _as_read(wait)
        for _ in range(ROUNDS):
            if stored is None or not stored.is_of_the_step_of(wait):
                return
            if self._table.delete(_wait_key(wait), equals(DOCUMENT, text)):
                return
            stored, text = self._stored(wait)
        raise _contended(wait)

    def _change(self, wait: Wait, changes: Mapping[str, object]) -> Wait | None:
        """The undecided wait with these changes, or the decided one that stands; None when its step went on."""
        stored, text = _as_read(wait)
        for _ in range(ROUNDS):
            if stored is None or not stored.is_of_the_step_of(wait):
                return None
            if stored.outcome is not None:
                return stored
            changed = stored.model_copy(update=changes)
            if self._table.put(items.wait_item(changed), equals(DOCUMENT, text)):
                return changed
            stored, text = self._stored(wait)
        raise _contended(wait)

    def _stored(self, wait: Wait) -> tuple[Wait | None, str]:
        """The wait as it is stored, and its text: one that an older release wrote may lack what this one would add."""
        item = self._table.get(_wait_key(wait))
        return (read(item, wait_from_json), items.document(item)) if item else (None, "")


def _as_read(wait: Wait) -> tuple[Wait | None, str]:
    # Usually the caller's wait is the stored one, word for word, so a first write needs no read before it.
    return wait, wait.to_json()


def _wait_key(wait: Wait) -> "items.Item":
    return items.key(items.scope_key(wait.scope), items.wait_key(wait))


def _contended(wait: Wait) -> RecordChangedError:
    return RecordChangedError(f"{wait.migration_id}: others keep writing the wait {wait.name}")
