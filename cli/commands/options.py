"""Options that several commands share."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.completion import complete_id

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text for people.")]
Interval = Annotated[float, typer.Option(help="Seconds between two looks.", min=0.05, max=3_600)]
MigrationIds = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID]...", help="Migrations; or name them by filters.", autocompletion=complete_id),
]


class Form(StrEnum):
    """What a list is printed as."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"
    NAME = "name"


Output = Annotated[
    Form, typer.Option("-o", "--output", help="How to print the list; name prints the ids alone.", show_default=True)
]


def examples(*lines: str) -> str:
    """The examples of a command, as its help shows them."""
    return block("Examples", *("$ " + line.replace("[", r"\[") for line in lines))


def block(title: str, *lines: str) -> str:
    """Lines under a title in a help text."""
    return "\n".join([f"[bold]{title}[/]", *lines])
