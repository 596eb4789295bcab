"""How following looks: a live table on a terminal, a line for each change elsewhere, or JSON Lines."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Protocol

from rich.console import Console
from rich.live import Live

from cli.details import change_line, rejection_line, rejections_listing
from cli.following import Watched
from cli.keys import Keys, keys_of_terminal
from cli.output import console, note, say, say_json, show
from cli.sent import Migration
from cli.standings import failures_first
from cli.views import listing, live_view, summary
from runtime.models.record import JournalEntry, Rejection

News = Sequence[JournalEntry | Rejection]


class Screen(Protocol):
    """Where what is followed is seen."""

    def show(self, news: News) -> None:
        """Show what is new."""

    def pause(self, seconds: float) -> None:
        """Wait for the next look."""


@contextmanager
def screen(watched: Watched, *, as_json: bool) -> Iterator[Screen]:
    """Shows what is new in what is watched and at the end, also of Ctrl-C, how everything stands."""
    out = console()
    if as_json:
        yield _Lines(as_json=True)
    elif out.is_terminal and not out.is_dumb_terminal:
        try:
            # On a screen of its own, so that a resize leaves no half-drawn lines behind.
            with Live(console=out, auto_refresh=False, screen=True) as live, keys_of_terminal() as keys:
                yield _Table(watched, live, keys)
        finally:
            _conclude(watched, out)
    else:
        try:
            yield _Lines(as_json=False)
        finally:
            note(summary(watched.migrations()))


class _Lines:
    """A line for each change."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def show(self, news: News) -> None:
        for one in news:
            if self._as_json:
                say_json(one.to_json())
            else:
                say(rejection_line(one) if isinstance(one, Rejection) else change_line(one))

    def pause(self, seconds: float) -> None:
        sleep(seconds)


class _Table:
    """A table that is drawn anew at each look and each key."""

    def __init__(self, watched: Watched, live: Live, keys: Keys | None) -> None:
        self._watched, self._live, self._keys = watched, live, keys
        self._first, self._by_failure = 0, False

    def show(self, news: News) -> None:
        migrations: Sequence[Migration] = self._watched.migrations()
        if self._by_failure:
            migrations = sorted(migrations, key=failures_first)
        out = self._live.console
        self._first = max(min(self._first, len(migrations) - 1), 0)
        view = live_view(
            migrations,
            self._watched.journals,
            self._watched.rejected.values(),
            now=datetime.now(UTC),
            lines=out.height,
            width=out.width,
            first=self._first,
        )
        self._live.update(view, refresh=True)

    def pause(self, seconds: float) -> None:
        if self._keys is None:
            sleep(seconds)
            return
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            match self._keys.next(left):
                case "q" | "\x03":
                    raise KeyboardInterrupt
                case "s":
                    self._by_failure = not self._by_failure
                case "down" | "j":
                    self._first += 1
                case "up" | "k":
                    self._first -= 1
                case "pagedown" | " ":
                    self._first += self._live.console.height // 2
                case "pageup":
                    self._first -= self._live.console.height // 2
                case "home":
                    self._first = 0
                case _:
                    continue
            self.show(())


def _conclude(watched: Watched, out: Console) -> None:
    if rejected := list(watched.rejected.values()):
        show(rejections_listing(rejected), wraps=True)
        out.print()
    if migrations := watched.migrations():
        show(listing(sorted(migrations, key=failures_first), watched.journals, now=datetime.now(UTC)))
        out.print()
    out.print(summary(migrations))
