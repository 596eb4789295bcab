"""Everything the command prints goes through here: what others wrote never steers the terminal."""

import json
import re
from collections.abc import Iterator

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

NARROWEST = 100
"""Where output goes to a file or a pipe nobody sets a width."""

_NOT_A_WORD = re.compile(r"[^\w\n -~]")
"""What may be something else than a letter, digit or sign."""


def say(text: str) -> None:
    """Lines on standard output."""
    typer.echo(_harmless(text))


def say_json(text: str) -> None:
    """JSON text on standard output; what cannot be seen is escaped, which changes nothing of it."""
    typer.echo(_NOT_A_WORD.sub(lambda found: _visible_in_json(found.group()), text))


def say_document(document: object) -> None:
    """A document as JSON that people can read, too."""
    say_json(json.dumps(document, indent=2, ensure_ascii=False))


def warn(text: str) -> None:
    """Lines on standard error."""
    typer.echo(_harmless(f"warning: {text}"), err=True)


def complain(text: str) -> None:
    """The error that ends the command, on standard error."""
    typer.secho("error: ", err=True, nl=False, fg=typer.colors.RED, bold=True)
    typer.echo(_harmless(text), err=True)


def console() -> Console:
    """Standard output for tables; wide enough for them when it is no terminal."""
    made = _Harmless(highlight=False)
    return made if made.is_terminal or made.width > NARROWEST else _Harmless(highlight=False, width=NARROWEST)


def words(value: str, style: str = "") -> Text:
    """Text of others as rich takes it: on one line, and its brackets no markup."""
    return Text(plain(value), style=style)


def plain(text: str) -> str:
    """Text of others on one line."""
    return _harmless("".join(" " if char.isspace() else char for char in text))


class _Harmless(Console):
    """Of the escape sequences only those for which rich itself is the author reach the terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=_harmless(segment.text))


def _harmless(text: str) -> str:
    return _NOT_A_WORD.sub(lambda found: found.group() if found.group().isprintable() else "\ufffd", text)


def _visible_in_json(char: str) -> str:
    return char if char.isprintable() else json.dumps(char)[1:-1]
