"""Following migrations to their ends, one look at the state table at a time."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from cli.deployed import CONNECTIONS
from cli.sending import Sent, Via
from runtime.logic.ports import State
from runtime.models.record import JournalEntry, MigrationRecord, Rejection
from runtime.models.status import MigrationStatus

READERS = CONNECTIONS
UNDER_WAY = tuple(status for status in MigrationStatus if not status.is_terminal)


@dataclass
class Watched:
    """What is known of the migrations that are followed; those that ended are not read again."""

    state: State
    records: dict[str, MigrationRecord] = field(default_factory=dict)
    journals: dict[str, Sequence[JournalEntry]] = field(default_factory=dict)

    def look(self, migration_ids: Iterable[str]) -> list[JournalEntry]:
        """Read what has not ended; the journal entries that are new, by time."""
        with ThreadPoolExecutor(READERS) as readers:
            found = readers.map(self.state.migrations.record, [id_ for id_ in migration_ids if not self.has_ended(id_)])
            moved = [record for record in found if record and record.sequence != self._sequence(record.migration_id)]
            journals = list(readers.map(self.state.migrations.journal, [record.migration_id for record in moved]))
        news: list[JournalEntry] = []
        for record, journal in zip(moved, journals, strict=True):
            # The journal may be ahead of the record read before it; the rest comes with the next look.
            known = [entry for entry in journal if entry.sequence <= record.sequence]
            news += [entry for entry in known if entry.sequence > self._sequence(record.migration_id)]
            self.records[record.migration_id] = record
            self.journals[record.migration_id] = known
        return sorted(news, key=lambda entry: (entry.at, entry.migration_id, entry.sequence))

    def has_ended(self, migration_id: str) -> bool:
        return migration_id in self.records and self.records[migration_id].status.is_terminal

    def all_completed(self) -> bool:
        return all(record.status is MigrationStatus.COMPLETED for record in self.records.values())

    def in_order(self) -> list[MigrationRecord]:
        """By acceptance, so that rows keep their place."""
        return sorted(self.records.values(), key=lambda record: (record.created_at, record.migration_id))

    def _sequence(self, migration_id: str) -> int:
        return self.records[migration_id].sequence if migration_id in self.records else 0


def ids_under_way(state: State, *, wave: str | None = None, application: str | None = None) -> list[str]:
    """The migrations that have not ended."""
    if wave is not None or application is not None:
        found = list(state.migrations.find(wave=wave, application=application))
    else:
        with ThreadPoolExecutor(len(UNDER_WAY)) as readers:
            lists = readers.map(lambda status: list(state.migrations.find(status=status)), UNDER_WAY)
            found = [record for records in lists for record in records]
    return [record.migration_id for record in found if not record.status.is_terminal]


@dataclass
class Submission:
    """Messages on their way: each becomes a migration or a stored rejection."""

    sent: Sequence[Sent]
    via: Via
    since: datetime
    rejections: dict[str, Rejection] = field(default_factory=dict)

    def migration_ids(self) -> list[str]:
        """The migrations to follow: those of the messages that were not rejected."""
        return [sent.message.migration_id for sent in self.sent if sent.message.migration_id and not self._lost(sent)]

    def look(self, watched: Watched) -> list[Rejection]:
        """Look for rejections while a message has no migration of its own yet; those that are new."""
        waiting = {self._key(sent) for sent in self.sent if not self._lost(sent) and not _accepted(sent, watched)}
        if not waiting:
            return []
        news = {
            key: one for one in watched.state.migrations.rejections() if (key := self._key_of(one)) in waiting and key
        }
        self.rejections |= news
        return list(news.values())

    def has_ended(self, watched: Watched) -> bool:
        return all(self._lost(sent) or _ended(sent, watched) for sent in self.sent)

    def _lost(self, sent: Sent) -> bool:
        return self._key(sent) in self.rejections

    def _key(self, sent: Sent) -> str | None:
        return sent.id if self.via is Via.SQS else sent.message.migration_id

    def _key_of(self, rejection: Rejection) -> str | None:
        if self.via is Via.SQS:
            return rejection.message_id
        # What comes over the bus has a message id of its own, so only the migration id is left to go by.
        return rejection.migration_id if rejection.at >= self.since else None


def _accepted(sent: Sent, watched: Watched) -> bool:
    """There is a migration of this very request, not of another with its id."""
    record = watched.records.get(sent.message.migration_id or "")
    request = sent.message.request
    return record is not None and (request is None or record.request.digest() == request.digest())


def _ended(sent: Sent, watched: Watched) -> bool:
    return _accepted(sent, watched) and watched.has_ended(sent.message.migration_id or "")
