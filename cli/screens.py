"""How following looks: a live table on a terminal, a line for each change elsewhere, or JSON Lines."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli.details import change_line, rejection_line
from cli.following import Watched
from cli.output import console, say, say_json
from cli.views import live_view, migrations_table, summary
from runtime.models.record import JournalEntry, Rejection

News = Sequence[JournalEntry | Rejection]
Show = Callable[[News], None]


@contextmanager
def screen(watched: Watched, *, as_json: bool) -> Iterator[Show]:
    """Shows what is new in what is watched, and at the end how everything stands."""
    out = console()
    if as_json:
        yield _print_json
    elif out.is_terminal:
        yield from _live(watched, out)
    else:
        yield _print_lines
        say(summary(watched.in_order()).plain)


def _live(watched: Watched, out: Console) -> Iterator[Show]:
    with Live(console=out, auto_refresh=False, transient=True) as live:

        def show(news: News) -> None:
            for one in news:
                if isinstance(one, Rejection):
                    live.console.print(Text(rejection_line(one), style="red"))
            lines = live.console.height - 1
            view = live_view(watched.in_order(), watched.journals, now=datetime.now(UTC), lines=lines)
            live.update(view, refresh=True)

        try:
            yield show
        finally:
            live.update("", refresh=True)
    records = watched.in_order()
    if records:
        out.print(migrations_table(records, now=datetime.now(UTC)))
        out.print()
        out.print(summary(records))


def _print_lines(news: News) -> None:
    for one in news:
        say(rejection_line(one) if isinstance(one, Rejection) else change_line(one))


def _print_json(news: News) -> None:
    for one in news:
        say_json(one.to_json())
