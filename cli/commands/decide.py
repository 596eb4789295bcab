"""`migrate approve`, `reject`, `cancel` and `release`: decisions put on the deployment's queue of decisions."""

import getpass
from collections.abc import Sequence
from typing import Annotated

import typer
from pydantic import ValidationError

from cli.commands.asking import Yes, confirm
from cli.commands.choosing import chosen, these
from cli.commands.options import AsJson, MigrationIds
from cli.deployed import Deployed
from cli.exits import InvalidError
from cli.filters import Filters, takes_filters
from cli.output import advise, note, progress, say, say_document
from cli.sending import Via, send_signals
from cli.target import Target, takes_target
from runtime.logic.ingress import explain
from runtime.models.decisions import Decision
from runtime.models.events import MigrationSignal
from runtime.models.record import MigrationRecord
from runtime.models.request import Gate


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
    deployed = Deployed(target)
    records = chosen(deployed, filters, ids, Decision.APPROVE, gate, yes=yes, as_json=as_json)
    _decide(deployed, records, Decision.APPROVE, gate=gate, by=by, reason=reason, via=via, as_json=as_json)


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
    deployed = Deployed(target)
    records = chosen(deployed, filters, ids, Decision.REJECT, gate, yes=yes, as_json=as_json)
    _decide(deployed, records, Decision.REJECT, gate=gate, by=by, reason=reason, via=via, as_json=as_json)


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
    deployed = Deployed(target)
    records = chosen(deployed, filters, ids, Decision.CANCEL, None, yes=yes, as_json=as_json)
    _decide(deployed, records, Decision.CANCEL, by=by, reason=reason, via=via, as_json=as_json)


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
    records = chosen(deployed, filters, ids, Decision.RELEASE, None, yes=True, as_json=as_json)
    if not as_json:
        from cli.leftovers import leftovers

        for record in records:
            for left in leftovers(deployed, record):
                note(f"{record.migration_id}: {left}")
    confirm(f"release {these(records)}", yes=yes)
    _decide(deployed, records, Decision.RELEASE, by=by, reason=reason, via=via, as_json=as_json)


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
