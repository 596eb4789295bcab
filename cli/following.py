"""Following migrations to their ends, one look at the state table at a time."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from cli.deployed import CONNECTIONS
from cli.sent import CLOCK_SKEW, GIVEN_UP, Migration, OnItsWay
from runtime.errors import TransientError
from runtime.logic.ports import State
from runtime.models.record import JournalEntry, MigrationRecord, Rejection
from runtime.models.status import MigrationStatus

PATIENCE = 30
"""So many looks in a row may fail; boto tries each call several times."""


@dataclass
class Watched:
    """What is known of the migrations that are followed; those that ended are not read again."""

    state: State
    on_the_way: dict[str, OnItsWay] = field(default_factory=dict)
    records: dict[str, MigrationRecord] = field(default_factory=dict)
    journals: dict[str, Sequence[JournalEntry]] = field(default_factory=dict)
    rejected: dict[str, Rejection] = field(default_factory=dict)
    failed_looks: int = 0

    def look_patiently(self, migration_ids: Iterable[str]) -> list[JournalEntry | Rejection]:
        """`look`, by which nothing new is seen while AWS does not answer; raises its error once that lasts."""
        try:
            news = self.look(migration_ids)
        except TransientError:
            self.failed_looks += 1
            if self.failed_looks >= PATIENCE:
                raise
            return []
        self.failed_looks = 0
        return news

    def look(self, migration_ids: Iterable[str]) -> list[JournalEntry | Rejection]:
        """Read what has not ended; the journal entries and rejections that are new, by time."""
        wanted = [id_ for id_ in migration_ids if not self.has_ended(id_)]
        found = self.state.migrations.records_of(wanted)
        self._accept(found)
        moved = [
            record
            for id_, record in found.items()
            if id_ not in self.on_the_way and record.sequence != self._sequence(id_)
        ]
        with ThreadPoolExecutor(CONNECTIONS) as readers:
            journals = list(readers.map(self.state.migrations.journal, [record.migration_id for record in moved]))
        news: list[JournalEntry] = []
        for record, journal in zip(moved, journals, strict=True):
            # The journal may be ahead of the record read before it; the rest comes with the next look.
            known = [entry for entry in journal if entry.sequence <= record.sequence]
            news += [entry for entry in known if entry.sequence > self._sequence(record.migration_id)]
            self.records[record.migration_id] = record
            self.journals[record.migration_id] = known
        return [*sorted(news, key=lambda entry: (entry.at, entry.migration_id, entry.sequence)), *self._rejections()]

    def look_at_the_door(self) -> None:
        """Look for what became of the requests on their way, and not at how their migrations go on."""
        found = self.state.migrations.records_of(list(self.on_the_way))
        self._accept(found)
        self._rejections()

    def has_ended(self, migration_id: str) -> bool:
        """Whether nothing more will come of it."""
        record = self.records.get(migration_id)
        return migration_id in self.rejected or (record is not None and record.status.is_terminal)

    def lost(self, now: datetime) -> list[OnItsWay]:
        """Requests that nobody has taken for so long that they are not waited for."""
        return [sent for sent in self.on_the_way.values() if now - sent.at > GIVEN_UP]

    def all_completed(self) -> bool:
        records = self.records.values()
        completed = all(record.status is MigrationStatus.COMPLETED for record in records)
        return completed and not self.rejected and not self.on_the_way

    def migrations(self) -> list[Migration]:
        """By acceptance, so that rows keep their place; those on their way come last."""
        records = sorted(self.records.values(), key=lambda record: (record.created_at, record.migration_id))
        return [*records, *self.on_the_way.values()]

    def _accept(self, found: Mapping[str, MigrationRecord]) -> None:
        for sent in list(self.on_the_way.values()):
            if sent.is_accepted_as(found.get(sent.migration_id)):
                del self.on_the_way[sent.migration_id]

    def _rejections(self) -> list[Rejection]:
        waiting = list(self.on_the_way.values())
        by_queue = [sent.message_id for sent in waiting if sent.message_id is not None]
        by_bus = [sent.at for sent in waiting if sent.message_id is None]
        found = list(self.state.migrations.rejections_of(by_queue)) if by_queue else []
        if by_bus:
            found += self.state.migrations.rejections(since=min(by_bus) - CLOCK_SKEW)
        news = []
        for sent in waiting:
            if (rejection := next((one for one in found if sent.is_answered_by(one)), None)) is not None:
                del self.on_the_way[sent.migration_id]
                self.rejected[sent.migration_id] = rejection
                news.append(rejection)
        return news

    def _sequence(self, migration_id: str) -> int:
        return self.records[migration_id].sequence if migration_id in self.records else 0
