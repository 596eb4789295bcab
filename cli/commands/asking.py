"""Asking before something is done to many, or cannot be taken back."""

import sys
from typing import Annotated

import typer

from cli.exits import ExitCode, UsageError
from cli.output import ask

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def confirm(what: str, *, yes: bool) -> None:
    """Go on only with a yes; raises UsageError where nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"nobody can be asked whether to {what}: say --yes; nothing was sent")
    if not ask(f"{what}?"):
        raise typer.Exit(ExitCode.OK)
