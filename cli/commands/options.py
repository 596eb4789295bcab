"""Options that several commands share."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text for people.")]
Interval = Annotated[float, typer.Option(help="Seconds between two looks.", min=0.05, max=3_600)]
Wave = Annotated[str | None, typer.Option(help="Only this wave.")]
Application = Annotated[str | None, typer.Option("--app", help="Only this application.")]


def examples(*lines: str) -> str:
    """The examples of a command, as its help shows them."""
    return block("Examples", *("$ " + line.replace("[", r"\[") for line in lines))


def block(title: str, *lines: str) -> str:
    """Lines under a title in a help text."""
    return "\n".join([f"[bold]{title}[/]", *lines])
