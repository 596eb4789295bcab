"""The waits of parked steps in the state table, those of an account and Region in one partition."""

from collections.abc import Iterable, Mapping, Sequence

from runtime.adapters.state import items
from runtime.adapters.state.documents import Report, read, readable
from runtime.adapters.state.table import ABSENT, ROUNDS, Condition, StateTable, equals
from runtime.errors import RecordChangedError
from runtime.models.scope import Scope
from runtime.models.table import DOCUMENT, PARTITION_KEY, SORT_KEY
from runtime.models.waits import Outcome, Wait, due, wait_from_json


class DynamoDbWaits:
    """Each write goes by the stored text, so of several writers none undoes another's work."""

    def __init__(self, table: StateTable, report: Report) -> None:
        self._table = table
        self._report = report

    def park(self, wait: Wait) -> Wait:
        for _ in range(ROUNDS):
            stored, text = self._stored(wait)
            parked = (wait.after(stored) if stored else wait).model_copy(
                update={"lane": wait.lane or due(wait.parked_at)}
            )
            if self._put(parked, equals(DOCUMENT, text) if stored else ABSENT, stored):
                return parked
        raise _contended(wait)

    def of(self, scope: Scope, migration_id: str) -> tuple[Wait, ...]:
        found = self._table.partition(items.scope_key(scope), items.wait_prefix(migration_id))
        return tuple(readable(found, wait_from_json, self._report))

    def open(self, scope: Scope) -> Iterable[Wait]:
        found = self._table.partition(items.scope_key(scope), items.WAIT_PREFIX)
        return readable(found, wait_from_json, self._report)

    def page(self, scope: Scope, start: str | None, limit: int) -> tuple[Sequence[Wait], str | None]:
        first, last = start or items.WAIT_PREFIX, items.WAIT_PREFIX + items.LAST
        found = self._table.between(items.scope_key(scope), first, last, limit + 1)
        rest = found[limit][SORT_KEY]["S"] if len(found) > limit else None
        return tuple(readable(found[:limit], wait_from_json, self._report)), rest

    def those(self, scope: Scope, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Wait]:
        keys = [f"{items.wait_prefix(migration_id)}{name}" for migration_id, name in dict.fromkeys(names)]
        return {(wait.migration_id, wait.name): wait for wait in self._read(scope, keys).values()}

    def in_lanes(self, scope: Scope, first: str, last: str, limit: int) -> Sequence[Wait]:
        places = self._places(scope, items.LANE_PREFIX + first, last, limit)
        waits = self._read(scope, [place[items.WAIT]["S"] for place in places])
        for place in places:
            # Left by a release that closed the wait and knows no lanes. A wait parked just now is found by a round.
            if place[items.WAIT]["S"] not in waits:
                self._table.delete(items.key(place[PARTITION_KEY]["S"], place[SORT_KEY]["S"]), {})
        return [waits[key] for place in places if (key := place[items.WAIT]["S"]) in waits]

    def next_lane(self, scope: Scope, after: str, last: str) -> str | None:
        behind = items.lane_prefix(after) + items.LAST
        return next((items.lane_of(place) for place in self._places(scope, behind, last, 1)), None)

    def file(self, wait: Wait, lane: str) -> bool:
        return self._put(wait.model_copy(update={"lane": lane}), equals(DOCUMENT, wait.to_json()), wait)

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
            if self._delete(stored, equals(DOCUMENT, text)):
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
            if self._put(changed, equals(DOCUMENT, text), stored):
                return changed
            stored, text = self._stored(wait)
        raise _contended(wait)

    def _put(self, wait: Wait, condition: Condition, before: Wait | None) -> bool:
        """Write a wait and its place in its lane as one; False when the stored one does not meet the condition."""
        left = before.lane if before else None
        if wait.lane == left:
            return self._table.put(items.wait_item(wait), condition)
        changes = [self._table.putting(items.wait_item(wait), condition)]
        changes += [self._table.putting(items.lane_item(wait, wait.lane), {})] if wait.lane else []
        changes += [self._table.deleting(items.lane_key(wait, left), {})] if left else []
        return self._table.holds(changes)

    def _delete(self, wait: Wait, condition: Condition) -> bool:
        if wait.lane is None:
            return self._table.delete(_wait_key(wait), condition)
        place = items.lane_key(wait, wait.lane)
        return self._table.holds([self._table.deleting(_wait_key(wait), condition), self._table.deleting(place, {})])

    def _places(self, scope: Scope, first: str, last: str, limit: int) -> "Sequence[items.Item]":
        return self._table.between(items.scope_key(scope), first, items.lane_prefix(last) + items.LAST, limit)

    def _read(self, scope: Scope, sort_keys: Sequence[str]) -> dict[str, Wait]:
        partition = items.scope_key(scope)
        found = self._table.get_all([items.key(partition, sort_key) for sort_key in sort_keys])
        return {items.wait_key(wait): wait for wait in readable(found, wait_from_json, self._report)}

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
