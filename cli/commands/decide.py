"""`migrate approve`, `reject`, `cancel` and `release`: decisions put on the deployment's queue of decisions."""

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import ValidationError

from cli.commands.asking import Yes, confirm
from cli.commands.options import AsJson, MigrationIds
from cli.deployed import Deployed
from cli.exits import InvalidError, UsageError
from cli.filters import Filters, takes_filters
from cli.finding import not_found, nothing_matched, on_their_way
from cli.output import advise, console, note, progress, say, say_document, show
from cli.sending import Via, send_signals
from cli.sent import SENT
from cli.standings import RELEASED, standing
from cli.target import Target, takes_target
from cli.views import in_number, listing
from runtime.logic.ingress import explain
from runtime.models.decisions import Decision
from runtime.models.events import MigrationSignal
from runtime.models.record import MigrationRecord
from runtime.models.request import Gate
from runtime.models.status import MigrationStatus


def _why(text: str) -> str:
    if not text.strip():
        raise typer.BadParameter("say why: it is kept with the migration")
    return text


GateOption = Annotated[Gate, typer.Option("--gate", help="Which gate it is about.")]
By = Annotated[str | None, typer.Option("--by", help="Who decides; else your user name.", metavar="NAME")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with the migration.", metavar="TEXT", parser=_why)]
Door = Annotated[
    Via, typer.Option(help="Send to the queue, where AWS notes who you are, or to the bus if the stage allows that.")
]


@takes_target
@takes_filters
def approve(
    target: Target,
    filters: Filters,
    gate: GateOption,
    reason: Why,
    ids: MigrationIds = None,
    by: By = None,
    via: Door = Via.SQS,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Open a gate of migrations: before the cutover, or before it is made final.

    An approval that comes before the migration reaches the gate waits for it there.
    """
    chosen = _chosen(Deployed(target), filters, ids, Decision.APPROVE, gate, yes=yes, as_json=as_json)
    _decide(*chosen, Decision.APPROVE, gate=gate, by=by, reason=reason, via=via, as_json=as_json)


@takes_target
@takes_filters
def reject(
    target: Target,
    filters: Filters,
    gate: GateOption,
    reason: Why,
    ids: MigrationIds = None,
    by: By = None,
    via: Door = Via.SQS,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Refuse a gate of migrations; they are rolled back."""
    chosen = _chosen(Deployed(target), filters, ids, Decision.REJECT, gate, yes=yes, as_json=as_json)
    _decide(*chosen, Decision.REJECT, gate=gate, by=by, reason=reason, via=via, as_json=as_json)


@takes_target
@takes_filters
def cancel(
    target: Target,
    filters: Filters,
    reason: Why,
    ids: MigrationIds = None,
    by: By = None,
    via: Door = Via.SQS,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Cancel migrations; what they did so far is undone."""
    chosen = _chosen(Deployed(target), filters, ids, Decision.CANCEL, None, yes=yes, as_json=as_json)
    _decide(*chosen, Decision.CANCEL, by=by, reason=reason, via=via, as_json=as_json)


@takes_target
@takes_filters
def release(
    target: Target,
    filters: Filters,
    reason: Why,
    ids: MigrationIds = None,
    by: By = None,
    via: Door = Via.SQS,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Release the servers of frozen migrations, so that they can be migrated again.

    Do this after a person has brought the server back in order: nothing is undone by it. What is left of the migration
    is looked up and shown before you are asked.
    """
    deployed = Deployed(target)
    _, records = _chosen(deployed, filters, ids, Decision.RELEASE, None, yes=True, as_json=as_json)
    if not as_json:
        from cli.leftovers import leftovers

        for record in records:
            for left in leftovers(deployed, record):
                note(f"{record.migration_id}: {left}")
    confirm(f"release {_these(records)}", yes=yes)
    _decide(deployed, records, Decision.RELEASE, by=by, reason=reason, via=via, as_json=as_json)


def _chosen(
    deployed: Deployed,
    filters: Filters,
    ids: Sequence[str] | None,
    decision: Decision,
    gate: Gate | None,
    *,
    yes: bool,
    as_json: bool,
) -> tuple[Deployed, list[MigrationRecord]]:
    """The migrations to decide; those that filters find are shown, and asked about."""
    if bool(ids) == bool(filters):
        raise UsageError("name migrations by ID or by filters, one of them")
    if ids:
        records = _named(deployed, list(dict.fromkeys(ids)))
        if refusals := [refusal for record in records if (refusal := _refusal(record, decision, gate))]:
            raise InvalidError("\n".join([*refusals, "nothing was sent"]))
        return deployed, records
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
    confirm(f"{decision}{about} {_these(records)}", yes=yes)
    return deployed, records


def _named(deployed: Deployed, ids: list[str]) -> list[MigrationRecord]:
    found = deployed.state.migrations.records_of(ids)
    if missing := [id_ for id_ in ids if id_ not in found]:
        sent = {one.migration_id for one in on_their_way(deployed)}
        if coming := [id_ for id_ in missing if id_ in sent]:
            raise InvalidError(f"{', '.join(coming)} is {SENT}: decide once it is accepted; nothing was sent")
        raise not_found(deployed, missing)
    return [found[id_] for id_ in ids]


def _decide(
    deployed: Deployed,
    records: Sequence[MigrationRecord],
    decision: Decision,
    *,
    by: str | None,
    reason: str,
    via: Via,
    as_json: bool,
    gate: Gate | None = None,
) -> None:
    who = _user() if by is None else by
    signals = [_signal(record.migration_id, decision, gate, who, reason) for record in records]
    with progress("sending", len(signals)) as bar:
        sent = send_signals(deployed, signals, via, lambda count: bar.advance(bar.task_ids[0], count))
    if as_json:
        rows = [
            {"messageId": id_, **signal.model_dump(mode="json", exclude_none=True)}
            for id_, signal in zip(sent, signals, strict=True)
        ]
        say_document(rows)
        return
    for signal in signals:
        about = f" the {signal.gate} gate of" if signal.gate else ""
        say(f"sent: {decision}{about} {signal.migration_id}, by {signal.by}")
    if len(signals) == 1:
        advise(f"see what becomes of it: migrate status {signals[0].migration_id}")


def _these(records: Sequence[MigrationRecord]) -> str:
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


def _signal(migration_id: str, decision: Decision, gate: Gate | None, by: str, reason: str) -> MigrationSignal:
    try:
        return MigrationSignal(migration_id=migration_id, decision=decision, gate=gate, by=by, reason=reason)
    except ValidationError as error:
        raise InvalidError(f"{explain(error)}; nothing was sent") from error


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise InvalidError("your user has no name: say who decides with --by") from error
