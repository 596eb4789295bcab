"""Parking a step, and handing the decisions of people to what is parked."""

from datetime import datetime, timedelta
from typing import TypedDict

from runtime.logic.lookups.decisions import decisions_of
from runtime.logic.lookups.migration import server_of
from runtime.logic.ports import Ports
from runtime.models.decisions import Signal
from runtime.models.record import MigrationRecord
from runtime.models.scope import Scope
from runtime.models.waits import Wait, due

TOKENS_KEPT = timedelta(days=366)
"""No execution lasts longer, so none of its steps waits longer."""


class Parked(TypedDict):
    """What the waits of a migration have in common."""

    migration_id: str
    scope: Scope
    source_server_id: str
    parked_at: datetime
    token_key: str


def parked(ports: Ports, record: MigrationRecord, token: str) -> Parked:
    """The members every wait of this migration has, parked now."""
    return Parked(
        migration_id=record.migration_id,
        scope=ports.scope,
        source_server_id=server_of(record),
        parked_at=ports.now(),
        # Kept first: a wait whose token nobody has could not be ended.
        token_key=ports.tokens.keep(token, ports.now() + TOKENS_KEPT),
    )


def park(ports: Ports, record: MigrationRecord, wait: Wait) -> None:
    """Keep the wait of a step and wake the dispatcher: what it waits for, or its signal, may have come first."""
    ports.waits.park(wait)
    hand_out_signals(ports, record)
    ports.wakes.wake(ports.scope)


def hand_out_signals(ports: Ports, record: MigrationRecord) -> None:
    """Give every open wait of the migration the signals it got.

    Who parks writes the wait before it reads the signals, who signals writes the signal before it reads the waits: one
    of the two sees the other's, and a look at a thousand waits reads no signals at all.
    """
    handed: tuple[Signal, ...] = ()
    # Read again after they were handed out: another signal may have come, and its bearer written before us.
    while record.scope is not None and (signals := decisions_of(ports, record)) != handed:
        for wait in ports.waits.of(record.scope, record.migration_id):
            if wait.signals != signals:
                ports.waits.amend(wait, {"signals": signals, "lane": due(ports.now())})
        handed = signals
