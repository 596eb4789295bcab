"""What the dispatchers and the sweep keep in the state table."""

from runtime.adapters.state import items
from runtime.adapters.state.documents import read
from runtime.adapters.state.table import ABSENT, StateTable, equals
from runtime.errors import RecordChangedError
from runtime.models.dispatch import Dispatch, Looked
from runtime.models.scope import Scope

BEGINS_KEPT = 60
"""Minutes for which a count is kept, for a person who wants to see who flooded the stage."""


class DynamoDbDispatches:
    """One dispatcher's state for each account and Region."""

    def __init__(self, table: StateTable) -> None:
        self._table = table

    def state(self, scope: Scope) -> Dispatch:
        item = self._table.get(items.key(items.scope_key(scope), items.DISPATCH))
        # One that cannot be read is not set aside: it may tell of a launch in doubt (I3).
        return read(item, Dispatch.from_json) if item else Dispatch(scope=scope)

    def save(self, state: Dispatch) -> Dispatch:
        written = state.model_copy(update={"version": state.version + 1})
        before = equals(items.VERSION, state.version) if state.version else ABSENT
        if not self._table.put(items.dispatch_item(written), before):
            raise RecordChangedError(f"another dispatcher is at work in {state.scope}")
        return written

    def looked(self, scope: Scope, looked: Looked) -> None:
        self._table.put(items.look_item(scope, looked), {})

    def last_look(self, scope: Scope) -> Looked:
        item = self._table.get(items.key(items.scope_key(scope), items.LOOKED))
        return read(item, Looked.from_json) if item else Looked()

    def begins(self, sender: str, minute: int, *, below: int) -> bool:
        expires_at = (minute + BEGINS_KEPT) * 60
        return self._table.book(items.begins_key(sender, minute), below=below, expires_at=expires_at)

    def count_sweep(self) -> int:
        return self._table.count(items.key(items.SWEEPS, items.COUNT), items.NUMBER)
