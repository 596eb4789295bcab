"""Everything the command prints goes through here: what others wrote never steers the terminal."""

import codecs
import csv
import io
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

import yaml
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from cli.tables import Listing

_NOT_A_WORD = re.compile(r"[^\w\n\t -~]")
"""What may be something else than a letter, digit or sign."""

_NOT_ASCII = re.compile(r"[^\n -~]")

_PLAINER = {"…": "~", "·": "|", "–": "-", "→": "->", "█": "#", "░": "."}
"""What is written for our own signs where the output has no code for them."""


def _plainer(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(_PLAINER.get(char, "?") for char in error.object[error.start : error.end]), error.end


codecs.register_error("plainer", _plainer)


def take_any_text() -> None:
    """Nothing that is printed fails where the output's encoding lacks a character."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plainer")


def say(text: str) -> None:
    """Lines on standard output."""
    _write(_harmless(text))


def say_json(text: str) -> None:
    """JSON text on standard output; what cannot be seen is escaped, which changes nothing of it."""
    unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    _write((_NOT_A_WORD if unicode else _NOT_ASCII).sub(lambda found: _visible_in_json(found.group(), unicode), text))


def say_document(document: object) -> None:
    """A document as JSON that people can read, too."""
    say_json(json.dumps(document, indent=2, ensure_ascii=False))


def say_yaml(document: object) -> None:
    """A document as YAML; what cannot be seen is escaped."""
    _write(_harmless(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)).rstrip("\n"))


def say_csv(names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Rows as CSV under a line of names."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([names, *([plain(str(cell)) for cell in row] for row in rows)])
    _write(text.getvalue().rstrip("\n"))


def show(listing: Listing, *, wraps: bool = False, wide: bool = False, elsewhere: str = "") -> None:
    """A table on a terminal, elsewhere a line for each row. `wide` is as wide as it gets, whatever the terminal.

    `elsewhere` says where columns are that a narrow screen has no room for.
    """
    out = console()
    if not out.is_terminal:
        for line in listing.lines():
            say(line)
        return
    width = max(out.width, listing.width()) if wide else out.width
    table = listing.table(width, wraps=wraps)
    # The terminal wraps what is wider; rich would cut it.
    needed = sum(column.width or 0 for column in table.columns) + 2 * len(table.columns)
    (out if needed <= out.width else _Harmless(highlight=False, width=needed)).print(table)
    if not wide and (missing := listing.left_out(out.width)):
        advise(f"no room for {', '.join(missing)}{elsewhere}")


def show_facts(facts: Sequence[tuple[str, Text]]) -> None:
    """Names and their values, a line each; an id that is too long for the screen is left to the terminal to wrap."""
    out = console()
    width = max((len(name) for name, _ in facts), default=0) + 2
    for name, value in facts:
        if not out.is_terminal:
            say(f"{name}\t{value.plain}")
        elif " " not in value.plain:
            out.print(Text(name.ljust(width), style="bold").append_text(value), soft_wrap=True)
        else:
            grid = Table.grid(padding=(0, 2, 0, 0))
            grid.add_column(width=width - 2)
            grid.add_column(overflow="fold")
            grid.add_row(Text(name, style="bold"), value)
            out.print(grid)


def note(text: str | Text) -> None:
    """A line about what was printed: with it on a terminal, on standard error where programs read."""
    out = console()
    if out.is_terminal:
        out.print(text, soft_wrap=True)
    else:
        _write(_harmless(str(text)), sys.stderr)


def advise(text: str | Text) -> None:
    """What to do next and the like, for people at a terminal only."""
    out = console()
    if out.is_terminal:
        out.print(text if isinstance(text, Text) else words(text, style="dim"), soft_wrap=True)


def warn(text: str) -> None:
    """Lines on standard error."""
    _write(_harmless(f"warning: {text}"), sys.stderr)


def complain(text: str) -> None:
    """The error that ends the command, on standard error."""
    console(err=True).print(Text("error: ", style="bold red"), end="")
    _write(_harmless(text), sys.stderr)


def ask(question: str) -> bool:
    """A person's yes or no; no by default."""
    sys.stderr.write(f"{_harmless(question)} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def console(*, err: bool = False) -> Console:
    """Standard output, or standard error, for what rich makes."""
    return _Harmless(highlight=False, stderr=err)


@contextmanager
def progress(text: str, total: int) -> Iterator[Progress]:
    """A bar on standard error while something goes on, seen on a terminal only; the total may grow."""
    out = console(err=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    shown = Progress(*columns, console=out, transient=True, disable=not out.is_terminal or out.is_dumb_terminal)
    with shown:
        shown.add_task(text, total=total)
        yield shown


def words(value: str, style: str = "") -> Text:
    """Text of others as rich takes it: on one line, and its brackets no markup."""
    return Text(plain(value), style=style)


def broken(text: Text, width: int) -> list[Text]:
    """A text in lines of at most this width, broken between words."""
    return list(text.wrap(_Harmless(width=width), width))


def plain(text: str) -> str:
    """Text of others on one line."""
    return _harmless("".join(" " if char.isspace() else char for char in text))


class _Harmless(Console):
    """Of the escape sequences only those for which rich itself is the author reach the terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=_harmless(segment.text))


def _write(text: str, stream: TextIO | None = None) -> None:
    out = stream or sys.stdout
    out.write(f"{text}\n")
    out.flush()


def _harmless(text: str) -> str:
    return _NOT_A_WORD.sub(lambda found: found.group() if found.group().isprintable() else "\ufffd", text)


def _visible_in_json(char: str, unicode: bool) -> str:
    return char if unicode and char.isprintable() else json.dumps(char)[1:-1]
