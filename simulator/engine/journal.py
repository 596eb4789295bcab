"""The simulator's own log: every API call and everything that happened, for people and tests to read."""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import Any

from simulator.model.forms.formats import datetime_text

HIDDEN = "(hidden)"
_LOOKED_THROUGH = 5_000  # entries, so that a log full of reading calls costs no more


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: its number, the simulated second, what kind of thing, and the facts."""

    number: int
    at: float
    kind: str
    facts: Mapping[str, Any]

    def view(self) -> dict[str, Any]:
        """As JSON-ready data, tag values hidden."""
        return {"number": self.number, "time": datetime_text(self.at, "Z"), "kind": self.kind, **redacted(self.facts)}


class JournalHandler(logging.Handler):
    """Writes log records of the side effects into the journal, as kind `effect`."""

    def __init__(self, journal: "Journal", now: Callable[[], float]) -> None:
        super().__init__(logging.WARNING)
        self._journal, self._now = journal, now

    def emit(self, record: logging.LogRecord) -> None:
        self._journal.write(self._now(), "effect", {"message": record.getMessage()})


class Journal:
    """A bounded list of entries, oldest first."""

    def __init__(self, limit: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=limit)
        self._count = 0
        # Side effects write from their own threads.
        self._lock = Lock()

    def write(self, at: float, kind: str, facts: Mapping[str, Any]) -> None:
        """Append an entry."""
        with self._lock:
            self._count += 1
            self._entries.append(Entry(self._count, at, kind, facts))

    def read(self, *, since: int = 0, kind: str = "", limit: int | None = None) -> list[dict[str, Any]]:
        """Entries numbered above `since`, all kinds or one."""
        with self._lock:
            return [entry.view() for entry in islice(self._select(since, kind), limit)]

    def last(self, count: int, keep: Callable[[str, Mapping[str, Any]], bool]) -> list[dict[str, Any]]:
        """The newest of the latest thousands of entries that are to be kept, newest first."""
        with self._lock:
            newest = islice(reversed(self._entries), _LOOKED_THROUGH)
            return [entry.view() for entry in islice((e for e in newest if keep(e.kind, e.facts)), count)]

    def clear(self) -> None:
        """Forget everything; numbering goes on."""
        with self._lock:
            self._entries.clear()

    def _select(self, since: int, kind: str) -> Iterator[Entry]:
        if self._entries and since >= self._entries[0].number:
            newer: Iterator[Entry] = islice(self._entries, since - self._entries[0].number + 1, None)
        else:
            newer = iter(self._entries)
        return (entry for entry in newer if not kind or entry.kind == kind)


def redacted(facts: Mapping[str, Any]) -> dict[str, Any]:
    """A copy in which tag keys stay and tag values do not: the service model marks them sensitive."""
    return {name: _hide(each) if name in ("tags", "stagingAreaTags") else _copy(each) for name, each in facts.items()}


def _hide(tags: Any) -> Any:
    return dict.fromkeys(tags, HIDDEN) if isinstance(tags, Mapping) else HIDDEN


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return redacted(value)
    return list(value) if isinstance(value, tuple) else value
