"""The state table as a few dictionaries. Proven against the real adapter by the contract tests of each entity."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from threading import RLock

from runtime.errors import RecordChangedError
from runtime.models.decisions import RefusedDecision, Signal
from runtime.models.dispatch import Dispatch
from runtime.models.record import JournalEntry, Lock, MigrationRecord, Position, Rejection
from runtime.models.scope import Scope
from runtime.models.status import MigrationStatus
from runtime.models.waits import Outcome, Wait


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

        found = [
            record
            for record in self.records.values()
            if status in (None, record.status)
            and wave in (None, record.request.wave)
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
    """Waits by scope, migration and name."""

    def __init__(self) -> None:
        self.parked: dict[tuple[Scope, str, str], Wait] = {}
        self._one_at_a_time = RLock()

    def park(self, wait: Wait) -> Wait:
        with self._one_at_a_time:
            stored = self._stored(wait)
            parked = wait.after(stored) if stored else wait
            self.parked[_key(wait)] = parked
            return parked

    def of(self, scope: Scope, migration_id: str) -> tuple[Wait, ...]:
        return tuple(wait for wait in self.open(scope) if wait.migration_id == migration_id)

    def open(self, scope: Scope) -> Iterable[Wait]:
        return iter([wait for _, wait in sorted(self.parked.items()) if wait.scope == scope])

    def amend(self, wait: Wait, changes: Mapping[str, object]) -> bool:
        with self._one_at_a_time:
            stored = self._stored(wait)
            if stored is None or not stored.is_of_the_step_of(wait) or stored.outcome is not None:
                return False
            self.parked[_key(wait)] = stored.model_copy(update=changes)
            return True

    def decide(self, wait: Wait, outcome: Outcome) -> Wait:
        with self._one_at_a_time:
            stored = self._stored(wait)
            if stored is None or not stored.is_of_the_step_of(wait):
                return wait.model_copy(update={"outcome": outcome})
            if stored.outcome is None:
                self.parked[_key(wait)] = stored = stored.model_copy(update={"outcome": outcome})
            return stored

    def close(self, wait: Wait) -> None:
        with self._one_at_a_time:
            stored = self._stored(wait)
            if stored is not None and stored.is_of_the_step_of(wait):
                del self.parked[_key(wait)]

    def _stored(self, wait: Wait) -> Wait | None:
        return self.parked.get(_key(wait))


class InMemoryTokens:
    """Task tokens, in order of their keys."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self._one_at_a_time = RLock()

    def keep(self, token: str, until: datetime) -> str:
        with self._one_at_a_time:
            if token not in self.kept:
                self.kept.append(token)
            return f"key-{self.kept.index(token)}"

    def token(self, key: str) -> str | None:
        number = int(key.removeprefix("key-"))
        return self.kept[number] if number < len(self.kept) else None


class InMemoryDispatches:
    """The dispatchers' states by scope."""

    def __init__(self) -> None:
        self.states: dict[Scope, Dispatch] = {}
        self.looks: dict[Scope, datetime] = {}
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

    def looked(self, scope: Scope, at: datetime) -> None:
        self.looks[scope] = at

    def last_look(self, scope: Scope) -> datetime | None:
        return self.looks.get(scope)

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
