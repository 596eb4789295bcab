"""`migrate approve`, `reject`, `cancel` and `release`: decisions put on the deployment's queue of decisions."""

import getpass
from typing import Annotated

import typer
from pydantic import ValidationError

from cli.commands.options import AsJson
from cli.deployed import Deployed
from cli.exits import InvalidError, NotFoundError
from cli.output import say, say_document
from cli.sending import Via, send_signals
from cli.target import Target, takes_target
from runtime.logic.ingress import explain
from runtime.models.decisions import Decision
from runtime.models.events import MigrationSignal
from runtime.models.record import MigrationRecord
from runtime.models.request import Gate
from runtime.models.status import MigrationStatus

Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="Migrations the decision is for.")]
GateOption = Annotated[Gate, typer.Option("--gate", help="Which gate it is about.")]
By = Annotated[str | None, typer.Option("--by", help="Who decides; else your user name.", metavar="NAME")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with the migration.", metavar="TEXT")]
Door = Annotated[
    Via, typer.Option(help="Send to the queue, where AWS notes who you are, or to the bus if the stage allows that.")
]


@takes_target
def approve(
    target: Target,
    ids: Ids,
    gate: GateOption,
    reason: Why,
    by: By = None,
    via: Door = Via.SQS,
    as_json: AsJson = False,
) -> None:
    """Open a gate of migrations: before the cutover, or before it is made final.

    An approval that comes before the migration reaches the gate waits for it there.
    """
    _decide(target, Decision.APPROVE, ids, gate=gate, by=by, reason=reason, via=via, as_json=as_json)


@takes_target
def reject(
    target: Target,
    ids: Ids,
    gate: GateOption,
    reason: Why,
    by: By = None,
    via: Door = Via.SQS,
    as_json: AsJson = False,
) -> None:
    """Refuse a gate of migrations; they are rolled back."""
    _decide(target, Decision.REJECT, ids, gate=gate, by=by, reason=reason, via=via, as_json=as_json)


@takes_target
def cancel(target: Target, ids: Ids, reason: Why, by: By = None, via: Door = Via.SQS, as_json: AsJson = False) -> None:
    """Cancel migrations; what they did so far is undone."""
    _decide(target, Decision.CANCEL, ids, by=by, reason=reason, via=via, as_json=as_json)


@takes_target
def release(target: Target, ids: Ids, reason: Why, by: By = None, via: Door = Via.SQS, as_json: AsJson = False) -> None:
    """Release the servers of frozen migrations, so that they can be migrated again.

    Do this after a person has brought the server back in order: nothing is undone by it.
    """
    _decide(target, Decision.RELEASE, ids, by=by, reason=reason, via=via, as_json=as_json)


def _decide(
    target: Target,
    decision: Decision,
    ids: list[str],
    *,
    by: str | None,
    reason: str,
    via: Via,
    as_json: bool,
    gate: Gate | None = None,
) -> None:
    deployed = Deployed(target)
    refusals = []
    for migration_id in ids:
        record = deployed.state.migrations.record(migration_id)
        if record is None:
            raise NotFoundError(f"no migration {migration_id}: `migrate status` lists all; nothing was sent")
        if refusal := _refusal(record, decision, gate):
            refusals.append(refusal)
    if refusals:
        raise InvalidError("\n".join([*refusals, "nothing was sent"]))
    signals = [_signal(migration_id, decision, gate, _user() if by is None else by, reason) for migration_id in ids]
    sent = send_signals(deployed, signals, via)
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


def _refusal(record: MigrationRecord, decision: Decision, gate: Gate | None) -> str | None:
    """Why a decision would come to nothing."""
    name, status = record.migration_id, record.status
    if decision is Decision.RELEASE:
        return None if status is MigrationStatus.FROZEN else f"{name} is {status}: only a FROZEN migration is released"
    if status.is_terminal:
        return f"{name} has ended {status}: submit the server again under a new migrationId"
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
