"""signal_handler as the door in: decisions are kept for their waits; unknown, late and double ones are harmless."""

from datetime import datetime

from runtime.logic.journal import REASON_LIMIT, lock_held_by, move
from runtime.logic.lookups.decisions import is_older
from runtime.logic.ports import Ports
from runtime.logic.waits.parking import hand_out_signals
from runtime.models.decisions import Decision, RefusedDecision, Signal
from runtime.models.envelopes import EventEnvelope
from runtime.models.events import MigrationSignal
from runtime.models.functions.environment import DecisionRules
from runtime.models.functions.steps import AwaitSignal
from runtime.models.record import RELEASED_BY, Facts, MigrationRecord
from runtime.models.scope import Scope
from runtime.models.status import MigrationStatus
from runtime.models.waits import LaunchWait, UndoWait, due

ACTOR = AwaitSignal.function.name
IGNORED, REFUSED = "ignored", "refused"


def take_signal(
    ports: Ports,
    sent: MigrationSignal,
    *,
    sender: str | None = None,
    message_id: str | None = None,
    sent_at: datetime | None = None,
) -> str:
    """Keep a decision with who, when and why, and wake what waits for it; what became of it, in words.

    `sender` is who AWS says sent it, None where nobody does.
    """
    record = ports.migrations.record(sent.migration_id)
    if record is None:
        return f"{IGNORED}: no such migration"
    if sent_at is not None and is_older(record, sent_at):
        return f"{IGNORED}: sent before the request was accepted; decide again"
    if record.status.is_terminal and sent.decision is not Decision.RELEASE:
        return f"{IGNORED}: the migration is {record.status}"
    signal = Signal(**sent.model_dump(), sender=sender, message_id=message_id, at=ports.now())
    if why := _breaks_rule(ports.decision_rules, record, signal):
        ports.decisions.refuse(RefusedDecision(**signal.model_dump(), why=why))
        return f"{REFUSED}: {why}"
    if sent.decision is Decision.RELEASE:
        return _release(ports, record, signal)
    if lacks := _lacks_gate(ports.decision_rules, record, signal):
        return f"{IGNORED}: {lacks}"
    first = ports.decisions.keep(signal, since=record.created_at)
    # Only read now, because a step that parked meanwhile has not seen the signal.
    if record.scope is None:
        record = ports.migrations.record(sent.migration_id) or record
    hand_out_signals(ports, record)
    if record.scope is not None:
        ports.wakes.wake(record.scope)
    return "taken" if first else f"{IGNORED}: decided before"


def mgn_event(ports: Ports, event: EventEnvelope) -> str:
    """MGN saw something: its account and Region is looked at, no other, and only one of the stage."""
    if event.scope not in ports.scopes:
        return f"{REFUSED}: {event.scope} is no account and Region of this stage"
    if event.speaks_of_others:
        return f"{REFUSED}: it comes from {event.scope} and speaks of a server elsewhere"
    for server in event.source_servers:
        _hurry(ports, event.scope, server)
    # An event only wakes: what happened is read from MGN, for everything that is due at once (I10).
    ports.wakes.wake(event.scope)
    return "woke the dispatcher"


def _hurry(ports: Ports, scope: Scope, source_server_id: str) -> None:
    """Have the next look see the waits of a server, which else they would wait a round for."""
    lock = ports.migrations.lock_of(scope, source_server_id)
    for wait in ports.waits.of(scope, lock.owner) if lock else ():
        # Who waits for room learns nothing from MGN's word on its server, and keeps its turn.
        if not (isinstance(wait, LaunchWait | UndoWait) and wait.asks_for_launch):
            ports.waits.amend(wait, {"lane": due(ports.now())})


def is_same_person(one: str, other: str) -> bool:
    """Whether two senders are one: the same id, or roles taken under one session name, as IAM Identity Center does."""
    (id_, _, session), (other_id, _, other_session) = one.partition(":"), other.partition(":")
    return session == other_session if session and other_session else id_ == other_id


def _lacks_gate(rules: DecisionRules, record: MigrationRecord, signal: Signal) -> str | None:
    if signal.decision not in (Decision.APPROVE, Decision.REJECT):
        return None
    if signal.gate is None:
        return "approve and reject need a gate, cutover or finalize"
    # Before its route is chosen a migration has the gates it will get then.
    known = signal.gate in record.gates or signal.gate in rules.required_gates
    return None if known else f"the migration has no {signal.gate} gate"


def _breaks_rule(rules: DecisionRules, record: MigrationRecord, signal: Signal) -> str | None:
    if signal.sender is None:
        return None if rules.by_bus else "nobody vouches for its sender; send it to the decisions queue"
    # Who sent a request that an earlier release accepted is not known, and its gates must open all the same (I13).
    if rules.requester_may_approve or signal.decision is not Decision.APPROVE or record.requester is None:
        return None
    same = is_same_person(record.requester, signal.sender)
    return "who sent the request may not approve it; another person has to" if same else None


def execution_ended(ports: Ports, migration_id: str, execution: str, status: str) -> str:
    """A state machine execution failed, timed out or was stopped: its migration freezes if it has no end yet."""
    record = ports.migrations.record(migration_id)
    if record is None or record.execution != execution:
        return f"{IGNORED}: not the execution of this migration"
    if not record.status.is_terminal:
        reason = f"its execution ended {status} without an end for the migration"
        move(ports, record, MigrationStatus.FROZEN, actor=ACTOR, reason=reason)
    # On every try: one that died half-way must not leave a wait that nobody is behind until its deadline.
    for wait in ports.waits.of(record.scope, migration_id) if record.scope else ():
        ports.waits.close(wait)
    return f"{IGNORED}: the migration is {record.status}" if record.status.is_terminal else "frozen"


def _release(ports: Ports, record: MigrationRecord, signal: Signal) -> str:
    lock = lock_held_by(record, at=signal.at)
    if record.status is not MigrationStatus.FROZEN or lock is None:
        return f"{IGNORED}: the migration is {record.status} and holds no server"
    held = ports.migrations.lock_of(lock.scope, lock.source_server_id)
    if held is None or held.owner != lock.owner:
        return f"{IGNORED}: released before"
    ports.decisions.keep(signal, since=record.created_at)
    reason = f"{RELEASED_BY}{signal.words}"[:REASON_LIMIT]
    failure = f"{record.failure or record.reason}; {reason}"[:REASON_LIMIT]
    facts = Facts(failure=failure, released_at=signal.at)
    # The server is given back in the transaction that tells of it (I8).
    move(ports, record, record.status, actor=ACTOR, reason=reason, facts=facts, unlock=lock)
    return "released"
