"""What the shell offers for ids, waves and applications; when the stage does not answer, nothing."""

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import typer

from cli.deployed import Deployed
from cli.exits import CliError
from cli.refusals import aws_refusals
from cli.sent import Migration, OnItsWay
from cli.target import OPTIONS, Target, of_environment


def known(deployed: Deployed) -> list[Migration]:
    """Every migration and every request on its way."""
    records = list(deployed.state.migrations.find())
    ids = {record.migration_id for record in records}
    return [*records, *(sent for sent in deployed.outbox.requests(datetime.now(UTC)) if sent.migration_id not in ids)]


def complete_id(context: typer.Context, incomplete: str) -> list[str]:
    return _complete(context, incomplete, lambda each: each.migration_id)


def complete_wave(context: typer.Context, incomplete: str) -> list[str]:
    return _complete(context, incomplete, wave_of)


def complete_application(context: typer.Context, incomplete: str) -> list[str]:
    return _complete(context, incomplete, application_of)


def wave_of(migration: Migration) -> str:
    return migration.wave if isinstance(migration, OnItsWay) else migration.request.wave


def application_of(migration: Migration) -> str:
    return migration.app_name if isinstance(migration, OnItsWay) else migration.request.app_name


def _complete(context: typer.Context, incomplete: str, name: Callable[[Migration], str]) -> list[str]:
    try:
        with aws_refusals():
            found: Iterable[str] = {name(each) for each in known(Deployed(_target(context)))}
    except CliError:
        return []
    return sorted(text for text in found if text.startswith(incomplete))


def _target(context: typer.Context | None) -> Target:
    # No command runs while the shell completes, so what came before the cursor is read here.
    chosen = Target()
    while context is not None:
        chosen = chosen.or_else(Target(**{option: context.params.get(option) for option in OPTIONS}))
        context = context.parent  # type: ignore[assignment]
    return chosen.or_else(of_environment(os.environ))
