"""The state table as a few dictionaries. Proven against the real adapter by the contract tests of each entity."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from threading import RLock

from runtime.errors import RecordChangedError
from runtime.models.decisions import RefusedDecision, Signal
from runtime.models.dispatch import Dispatch, Looked
from runtime.models.record import JournalEntry, Lock, MigrationRecord, Position, Rejection
from runtime.models.scope import Scope
from runtime.models.status import MigrationStatus
from runtime.models.waits import LaunchWait, Outcome, UndoWait, Wait, due

LAST = "\uffff"
"""Sorts behind every migration id."""


class InMemoryMigrations:
    """Migrations. Open the dictionaries to look at what a test left behind."""

    def __init__(self) -> None:
        self.records: dict[str, MigrationRecord] = {}
        self.journals: dict[str, list[JournalEntry]] = {}
        self.locks: dict[tuple[Scope, str], Lock] = {}
        self.rejected: dict[str, Rejection] = {}
        self._one_at_a_time = RLock()

    def record(self, migration_id: str) -> MigrationRecord | None:
        return self.records.get(migration_id)

    def journal(self, migration_id: str) -> tuple[JournalEntry, ...]:
        return tuple(self.journals.get(migration_id, ()))

    def entry(self, migration_id: str, sequence: int) -> JournalEntry | None:
        return next((entry for entry in self.journal(migration_id) if entry.sequence == sequence), None)

    def append(self, record: MigrationRecord, entry: JournalEntry, *, unlock: Lock | None = None) -> None:
        with self._one_at_a_time:
            stored = self.records.get(record.migration_id)
            if (stored.sequence if stored else 0) != entry.sequence - 1:
                raise RecordChangedError(f"{record.migration_id}: entry {entry.sequence} does not follow")
            self.records[record.migration_id] = record
            self.journals.setdefault(record.migration_id, []).append(entry)
            if unlock:
                self.unlock(unlock)

    def records_of(self, migration_ids: Sequence[str]) -> dict[str, MigrationRecord]:
        return {id_: self.records[id_] for id_ in migration_ids if id_ in self.records}

    def find(
        self,
        *,
        status: MigrationStatus | None = None,
        wave: str | None = None,
        application: str | None = None,
        after: Position | None = None,
        since: datetime | None = None,
    ) -> Iterable[MigrationRecord]:
        by_time = wave is None and application is None

        def place(of: MigrationRecord | Position) -> tuple[object, str]:
            return of.updated_at if by_time else of.status, of.migration_id

        # Most have another status, and whoever asks for one asks again every minute.
        of_status = [record for record in self.records.values() if status is None or record.status is status]
        found = [
            record
            for record in of_status
            if wave in (None, record.request.wave)
            and application in (None, record.request.app_name)
            and (since is None or record.updated_at >= since)
        ]
        return iter(record for record in sorted(found, key=place) if after is None or place(record) > place(after))

    def reject(self, rejection: Rejection) -> bool:
        with self._one_at_a_time:
            return self.rejected.setdefault(rejection.message_id, rejection) is rejection

    def rejections(self, *, since: datetime | None = None) -> Iterable[Rejection]:
        found = [rejection for rejection in self.rejected.values() if since is None or rejection.at >= since]
        return iter(sorted(found, key=lambda rejection: rejection.at))

    def rejections_of(self, message_ids: Sequence[str]) -> Iterable[Rejection]:
        return [self.rejected[id_] for id_ in message_ids if id_ in self.rejected]

    def lock(self, lock: Lock) -> Lock:
        with self._one_at_a_time:
            held = self.lock_of(lock.scope, lock.source_server_id)
            if held is not None and held.owner != lock.owner:
                return held
            self.locks[lock.scope, lock.source_server_id] = lock
            return lock

    def lock_of(self, scope: Scope, source_server_id: str) -> Lock | None:
        return self.locks.get((scope, source_server_id))

    def unlock(self, lock: Lock) -> None:
        with self._one_at_a_time:
            held = self.lock_of(lock.scope, lock.source_server_id)
            if held is not None and held.owner == lock.owner:
                del self.locks[lock.scope, lock.source_server_id]


class InMemoryWaits:
    """Waits by scope, migration and name, and the order of their lanes.

    `rows` counts what reading them returned, `asking` is how many wait for a launch.
    """

    def __init__(self) -> None:
        self.parked: dict[tuple[Scope, str, str], Wait] = {}
        self.rows = self.asking = 0
        self._of: dict[tuple[Scope, str], set[str]] = {}
        self._lanes: dict[Scope, list[tuple[str, str, str]]] = {}
        self._pages: dict[Scope, list[tuple[str, str]]] = {}
        self._one_at_a_time = RLock()

    def park(self, wait: Wait) -> Wait:
        with self._one_at_a_time:
            stored = self._stored(wait)
            parked = (wait.after(stored) if stored else wait).model_copy(
                update={"lane": wait.lane or due(wait.parked_at)}
            )
            self._put(parked)
            return parked

    def of(self, scope: Scope, migration_id: str) -> tuple[Wait, ...]:
        names = sorted(self._of.get((scope, migration_id), ()))
        return tuple(self._counted([self.parked[scope, migration_id, name] for name in names]))

    def open(self, scope: Scope) -> Iterable[Wait]:
        return iter(self._counted([self.parked[scope, *key] for key in self._pages.get(scope, ())]))

    def page(self, scope: Scope, start: str | None, limit: int) -> tuple[Sequence[Wait], str | None]:
        keys = self._pages.get(scope, [])
        at = bisect_left(keys, _parts(start)) if start else 0
        rest = keys[at + limit : at + limit + 1]
        found = self._counted([self.parked[scope, *key] for key in keys[at : at + limit]])
        return found, "#".join(rest[0]) if rest else None

    def those(self, scope: Scope, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Wait]:
        found = self._counted(
            [self.parked[scope, *key] for key in dict.fromkeys(names) if (scope, *key) in self.parked]
        )
        return {(wait.migration_id, wait.name): wait for wait in found}

    def in_lanes(self, scope: Scope, first: str, last: str, limit: int) -> Sequence[Wait]:
        places = self._places(scope, (first, "", ""), last, limit)
        self.rows += len(places)
        waits = (self.parked.get((scope, migration_id, name)) for _, migration_id, name in places)
        return self._counted([wait for wait in waits if wait is not None])

    def next_lane(self, scope: Scope, after: str, last: str) -> str | None:
        places = self._places(scope, (after, LAST, ""), last, 1)
        self.rows += len(places)
        return places[0][0] if places else None

    def file(self, wait: Wait, lane: str) -> bool:
        with self._one_at_a_time:
            if self._stored(wait) != wait:
                return False
            self._put(wait.model_copy(update={"lane": lane}))
            return True

    def amend(self, wait: Wait, changes: Mapping[str, object]) -> bool:
        with self._one_at_a_time:
            stored = self._stored(wait)
            if stored is None or not stored.is_of_the_step_of(wait) or stored.outcome is not None:
                return False
            self._put(stored.model_copy(update=changes))
            return True

    def decide(self, wait: Wait, outcome: Outcome) -> Wait:
        with self._one_at_a_time:
            stored = self._stored(wait)
            if stored is None or not stored.is_of_the_step_of(wait):
                return wait.model_copy(update={"outcome": outcome})
            if stored.outcome is None:
                stored = stored.model_copy(update={"outcome": outcome})
                self._put(stored)
            return stored

    def close(self, wait: Wait) -> None:
        with self._one_at_a_time:
            stored = self._stored(wait)
            if stored is not None and stored.is_of_the_step_of(wait):
                self._drop(stored)

    def _stored(self, wait: Wait) -> Wait | None:
        return self.parked.get(_key(wait))

    def _put(self, wait: Wait) -> None:
        before = self._stored(wait)
        if before is None:
            insort(self._pages.setdefault(wait.scope, []), (wait.migration_id, wait.name))
            self._of.setdefault((wait.scope, wait.migration_id), set()).add(wait.name)
        if before is not None and before.lane != wait.lane:
            self._leave(before)
        if wait.lane is not None and (before is None or before.lane != wait.lane):
            insort(self._lanes.setdefault(wait.scope, []), (wait.lane, wait.migration_id, wait.name))
        self.parked[_key(wait)] = wait
        self.asking += _asks(wait) - _asks(before)

    def _drop(self, wait: Wait) -> None:
        del self.parked[_key(wait)]
        self.asking -= _asks(wait)
        pages = self._pages[wait.scope]
        del pages[bisect_left(pages, (wait.migration_id, wait.name))]
        self._of[wait.scope, wait.migration_id].discard(wait.name)
        self._leave(wait)

    def _leave(self, wait: Wait) -> None:
        if wait.lane is not None:
            lanes = self._lanes[wait.scope]
            del lanes[bisect_left(lanes, (wait.lane, wait.migration_id, wait.name))]

    def _places(self, scope: Scope, first: tuple[str, str, str], last: str, limit: int) -> list[tuple[str, str, str]]:
        lanes = self._lanes.get(scope, [])
        at = bisect_left(lanes, first)
        return lanes[at : min(at + limit, bisect_left(lanes, (last, LAST, "")))]

    def _counted(self, waits: list[Wait]) -> list[Wait]:
        self.rows += len(waits)
        return waits


class InMemoryTokens:
    """Task tokens, in order of their keys."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self._numbers: dict[str, int] = {}
        self._one_at_a_time = RLock()

    def keep(self, token: str, until: datetime) -> str:
        with self._one_at_a_time:
            if token not in self._numbers:
                self._numbers[token] = len(self.kept)
                self.kept.append(token)
            return f"key-{self._numbers[token]}"

    def token(self, key: str) -> str | None:
        number = int(key.removeprefix("key-"))
        return self.kept[number] if number < len(self.kept) else None


class InMemoryDispatches:
    """The dispatchers' states by scope."""

    def __init__(self) -> None:
        self.states: dict[Scope, Dispatch] = {}
        self.looks: dict[Scope, Looked] = {}
        self.begun: Counter[tuple[str, int]] = Counter()
        self.sweeps = 0
        self._one_at_a_time = RLock()

    def state(self, scope: Scope) -> Dispatch:
        return self.states.get(scope, Dispatch(scope=scope))

    def save(self, state: Dispatch) -> Dispatch:
        with self._one_at_a_time:
            if self.state(state.scope).version != state.version:
                raise RecordChangedError(f"another dispatcher is at work in {state.scope}")
            written = state.model_copy(update={"version": state.version + 1})
            self.states[state.scope] = written
            return written

    def looked(self, scope: Scope, looked: Looked) -> None:
        self.looks[scope] = looked

    def last_look(self, scope: Scope) -> Looked:
        return self.looks.get(scope, Looked())

    def begins(self, sender: str, minute: int, *, below: int) -> bool:
        with self._one_at_a_time:
            if self.begun[sender, minute] >= below:
                return False
            self.begun[sender, minute] += 1
            return True

    def count_sweep(self) -> int:
        with self._one_at_a_time:
            self.sweeps += 1
            return self.sweeps


class InMemoryDecisions:
    """Signals by migration and name."""

    def __init__(self) -> None:
        self.received: dict[str, dict[str, Signal]] = {}
        self.turned_away: dict[str, dict[str, RefusedDecision]] = {}
        self._one_at_a_time = RLock()

    def keep(self, signal: Signal, *, since: datetime | None = None) -> bool:
        with self._one_at_a_time:
            received = self.received.setdefault(signal.migration_id, {})
            before = received.get(signal.name)
            if before and (since is None or before.at >= since):
                return False
            received[signal.name] = signal
            return True

    def of(self, migration_id: str) -> tuple[Signal, ...]:
        return tuple(sorted(self.received.get(migration_id, {}).values(), key=lambda signal: signal.at))

    def refuse(self, refused: RefusedDecision) -> bool:
        with self._one_at_a_time:
            return self.turned_away.setdefault(refused.migration_id, {}).setdefault(refused.name, refused) is refused

    def refused(self, migration_id: str) -> tuple[RefusedDecision, ...]:
        return tuple(sorted(self.turned_away.get(migration_id, {}).values(), key=lambda each: each.at))


class InMemoryState:
    """The whole table."""

    def __init__(self) -> None:
        self.migrations = InMemoryMigrations()
        self.waits = InMemoryWaits()
        self.dispatches = InMemoryDispatches()
        self.decisions = InMemoryDecisions()


def _key(wait: Wait) -> tuple[Scope, str, str]:
    return wait.scope, wait.migration_id, wait.name


def _asks(wait: Wait | None) -> bool:
    return isinstance(wait, LaunchWait | UndoWait) and wait.asks_for_launch


def _parts(place: str) -> tuple[str, str]:
    migration_id, _, name = place.partition("#")
    return migration_id, name
