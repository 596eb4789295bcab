"""`migrate retry`: the servers of migrations that ended badly once more."""

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime

import typer

from cli.commands.asking import Yes, confirm
from cli.commands.handing_in import hand_in
from cli.commands.options import AsJson, MigrationIds
from cli.commands.submit import Door, WaitForEnd
from cli.deployed import Deployed
from cli.exits import InvalidError, UsageError
from cli.filters import Filters, takes_filters
from cli.finding import not_found, nothing_matched
from cli.output import note, show
from cli.reading.requests import Message
from cli.sending import Via
from cli.standings import S
from cli.target import Target, takes_target
from cli.views import in_number, listing
from runtime.models.record import MigrationRecord
from runtime.models.request import MigrationRequest

TRIES_LOOKED_FOR = 100
LONGEST_ID = 80


@takes_target
@takes_filters
def retry(
    target: Target,
    filters: Filters,
    ids: MigrationIds = None,
    via: Door = Via.SQS,
    wait: WaitForEnd = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Submit the servers of migrations that did not complete once more, with all their options.

    Each gets a new id, mig-1-r2 after mig-1, and names the old one in retryOf.
    """
    if bool(ids) == bool(filters):
        raise UsageError("name migrations by ID or by filters, one of them")
    deployed = Deployed(target)
    now = datetime.now(UTC)
    if ids:
        found = deployed.state.migrations.records_of(ids)
        if missing := [id_ for id_ in dict.fromkeys(ids) if id_ not in found]:
            raise not_found(deployed, missing)
        records = list(found.values())
        if refusals := [text for record in records if (text := _refusal(record, now))]:
            raise InvalidError("\n".join([*refusals, "nothing was sent"]))
    else:
        records = _fitting(deployed, filters, now)
        if not as_json:
            show(listing(records, now=now))
        confirm(f"retry {in_number(len(records), 'migration')}", yes=yes)
    messages = list(_messages(deployed, records))
    raise typer.Exit(hand_in(deployed, messages, via, wait=wait, as_json=as_json))


def _fitting(deployed: Deployed, filters: Filters, now: datetime) -> list[MigrationRecord]:
    """Of those that fit, the ones whose server was not tried again since."""
    found = filters.find(deployed.state)
    if not found:
        raise nothing_matched(deployed, filters)
    tried = {record.request.retry_of for record in found}
    records = [record for record in found if not _refusal(record, now) and record.migration_id not in tried]
    if not records:
        refusals = [text for record in found[:3] if (text := _refusal(record, now))]
        raise InvalidError("\n".join([*refusals, f"none of {len(found)} can be retried; nothing was sent"]))
    if len(records) < len(found):
        note(f"{in_number(len(found) - len(records), 'other migration')} of {filters} left out")
    return records


def _refusal(record: MigrationRecord, now: datetime) -> str | None:
    """Why a migration is not tried again."""
    name, status, window = record.migration_id, record.status, record.request.window
    if not status.is_terminal:
        return f"{name} is {status}: it has not ended"
    if status is S.COMPLETED:
        return f"{name} is COMPLETED: there is nothing to try again"
    if status is S.FROZEN and not record.is_released:
        return f'{name} is FROZEN: bring its server in order, then `migrate release {name} --reason "…"`'
    if window is not None and window.not_after <= now:
        return f"{name}: its window closed at {window.not_after:%Y-%m-%d %H:%M}Z; submit a request with another one"
    return None


def _messages(deployed: Deployed, records: Sequence[MigrationRecord]) -> Iterator[Message]:
    names = {record.migration_id: list(next_ids(record.migration_id)) for record in records}
    taken = deployed.state.migrations.records_of([name for each in names.values() for name in each]).keys()
    for number, record in enumerate(records, 1):
        changes = {"migration_id": _first_free(names[record.migration_id], taken), "retry_of": record.migration_id}
        request = MigrationRequest.model_validate({**record.request.model_dump(by_alias=False), **changes})
        yield Message("retry", number, request.model_dump_json(exclude_defaults=True), request)


def next_ids(migration_id: str) -> Iterator[str]:
    """The ids of further tries: mig-1-r2, mig-1-r3, …"""
    found = re.fullmatch(r"(.+)-r(\d{1,3})", migration_id)
    stem, tried = (found[1], int(found[2])) if found else (migration_id, 1)
    for number in range(tried + 1, tried + 1 + TRIES_LOOKED_FOR):
        suffix = f"-r{number}"
        yield f"{stem[: LONGEST_ID - len(suffix)]}{suffix}"


def _first_free(names: Sequence[str], taken: Collection[str]) -> str:
    free = next((name for name in names if name not in taken), None)
    if free is None:
        raise InvalidError(f"{names[0]} and {TRIES_LOOKED_FOR - 1} more were tried; submit it under another id")
    return free
