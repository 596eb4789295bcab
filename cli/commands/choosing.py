"""Which migrations a decision is for: those named, or those that fit and that it makes sense for."""

from collections.abc import Sequence
from datetime import UTC, datetime

from cli.commands.asking import confirm
from cli.deployed import Deployed
from cli.exits import InvalidError, UsageError
from cli.filters import Filters
from cli.finding import not_found, nothing_matched, on_their_way
from cli.output import console, note, show
from cli.sent import SENT
from cli.standings import RELEASED, standing
from cli.views import in_number, listing
from runtime.models.decisions import Decision
from runtime.models.record import MigrationRecord
from runtime.models.request import Gate
from runtime.models.status import MigrationStatus


def chosen(
    deployed: Deployed,
    filters: Filters,
    ids: Sequence[str] | None,
    decision: Decision,
    gate: Gate | None,
    *,
    yes: bool,
    as_json: bool,
) -> list[MigrationRecord]:
    """The migrations to decide; those that filters find are shown, and asked about."""
    if bool(ids) == bool(filters):
        raise UsageError("name migrations by ID or by filters, one of them")
    if ids:
        records = _named(deployed, list(dict.fromkeys(ids)))
        if refusals := [refusal for record in records if (refusal := _refusal(record, decision, gate))]:
            raise InvalidError("\n".join([*refusals, "nothing was sent"]))
        return records
    found = filters.find(deployed.state)
    records = [record for record in found if _refusal(record, decision, gate) is None]
    if not found:
        raise nothing_matched(deployed, filters)
    if not records:
        refusals = [text for record in found[:3] if (text := _refusal(record, decision, gate))]
        raise InvalidError("\n".join([*refusals, f"none of {len(found)} can be decided so; nothing was sent"]))
    if not as_json and not (yes and not console().is_terminal):
        show(listing(records, now=datetime.now(UTC)))
    if len(records) < len(found):
        note(
            f"{in_number(len(found) - len(records), 'other migration')} of {filters} left out: it would come to nothing"
        )
    about = f" the {gate} gate of" if gate else ""
    confirm(f"{decision}{about} {these(records)}", yes=yes)
    return records


def _named(deployed: Deployed, ids: list[str]) -> list[MigrationRecord]:
    found = deployed.state.migrations.records_of(ids)
    if missing := [id_ for id_ in ids if id_ not in found]:
        sent = {one.migration_id for one in on_their_way(deployed)}
        if coming := [id_ for id_ in missing if id_ in sent]:
            raise InvalidError(f"{', '.join(coming)} is {SENT}: decide once it is accepted; nothing was sent")
        raise not_found(deployed, missing)
    return [found[id_] for id_ in ids]


def these(records: Sequence[MigrationRecord]) -> str:
    """Them in a question."""
    return records[0].migration_id if len(records) == 1 else in_number(len(records), "migration")


def _refusal(record: MigrationRecord, decision: Decision, gate: Gate | None) -> str | None:
    """Why a decision would come to nothing."""
    name, status = record.migration_id, record.status
    if decision is Decision.RELEASE:
        if standing(record) == RELEASED:
            when = f" at {record.released_at:%Y-%m-%d %H:%M:%S}Z" if record.released_at else ""
            return f"{name} was released before{when}: its server can be migrated again"
        return None if status is MigrationStatus.FROZEN else f"{name} is {status}: only a FROZEN migration is released"
    if status.is_terminal:
        return f"{name} has ended {status}: `migrate retry {name}` tries the server again"
    # Before it is resolved to a server, only the deployment knows which gates the stage will require of it.
    if gate is not None and gate not in record.gates and record.source_server_id is not None:
        return f"{name} has no {gate} gate: neither its request nor the stage asks for one"
    return None
