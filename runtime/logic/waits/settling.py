"""Parking a step and ending its wait: the truth is read once for many waits, each is resumed exactly once."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from runtime.errors import TargetAccountError
from runtime.logic.journal import REASON_LIMIT
from runtime.logic.ports import Ports
from runtime.logic.steps.validate_input import server_of
from runtime.logic.waits.observing import is_settled, needs_server, observe
from runtime.models.dispatch import Dispatch
from runtime.models.mgn import Truth
from runtime.models.record import LaunchIntent, MigrationRecord, Outcome, Signal, Wait, WaitKind
from runtime.models.request import Gate, Phase


class Settled(NamedTuple):
    """What became of the waits that were looked at."""

    resumed: int
    open: tuple[Wait, ...]
    failures: tuple[Exception, ...]


def park(
    ports: Ports,
    record: MigrationRecord,
    kind: WaitKind,
    *,
    token: str,
    deadline: datetime,
    name: str | None = None,
    phase: Phase | None = None,
    gate: Gate | None = None,
    intent: LaunchIntent | None = None,
    job_id: str | None = None,
    instance_id: str | None = None,
    not_before: datetime | None = None,
) -> None:
    """Keep the wait of a step and wake the dispatcher: what it waits for, or its signal, may have come first."""
    wait = Wait(
        migration_id=record.migration_id,
        name=name or kind,
        kind=kind,
        scope=ports.scope,
        source_server_id=server_of(record),
        parked_at=ports.now(),
        deadline=deadline,
        token=token,
        phase=phase,
        gate=gate,
        intent=intent,
        job_id=job_id,
        instance_id=instance_id,
        not_before=not_before,
    )
    ports.store.park(wait)
    hand_out_signals(ports, record)
    ports.wakes.wake(ports.scope)


def hand_out_signals(ports: Ports, record: MigrationRecord) -> None:
    """Give every open wait of the migration the signals it got.

    Who parks writes the wait before it reads the signals, who signals writes the signal before it reads the waits: one
    of the two sees the other's, and a look at a thousand waits reads no signals at all.
    """
    handed: tuple[Signal, ...] = ()
    # Read again after they were handed out: another signal may have come, and its bearer written before us.
    while record.scope is not None and (signals := ports.store.signals(record.migration_id)) != handed:
        for wait in ports.store.waits(record.scope, record.migration_id):
            if wait.signals != signals:
                ports.store.amend(wait, {"signals": signals})
        handed = signals


def settle(ports: Ports, waits: Sequence[Wait], state: Dispatch) -> Settled:
    """Resume every wait whose end the truth shows. One that cannot be resumed does not keep the others waiting."""
    resumed = 0
    still_open: list[Wait] = []
    failures: list[Exception] = []
    truth: Truth | None = None
    try:
        truth = read_truth(ports, waits, state)
    except TargetAccountError as error:
        failures.append(error)
    for wait in waits:
        if truth is not None:
            outcome = observe(wait, truth, now=ports.now(), budgets=ports.budgets)
        else:
            outcome = _unseen(wait, failures[0], ports.now())
        if outcome is None:
            still_open.append(wait)
            continue
        try:
            conclude(ports, wait, outcome)
            resumed += 1
        except Exception as error:
            failures.append(error)
    return Settled(resumed, tuple(still_open), tuple(failures))


def _unseen(wait: Wait, error: Exception, now: datetime) -> Outcome | None:
    # Nobody can look, which a person may mend in time; the wait ends with it at its deadline (I7).
    refused = Outcome(error=type(error).__name__, reason=str(error)[:REASON_LIMIT])
    return wait.outcome or (refused if now >= wait.deadline else None)


def conclude(ports: Ports, wait: Wait, outcome: Outcome) -> None:
    """End a wait."""
    # The outcome is kept before the token is used: if we die in between, the next look delivers the same outcome.
    decided = ports.store.decide(wait, outcome)
    ports.resumer.resume(decided.token, decided.outcome or outcome)
    ports.store.close(decided)


def read_truth(ports: Ports, waits: Iterable[Wait], state: Dispatch) -> Truth:
    """One batched reading of MGN, EC2 and SSM for all these waits, each asked only for what could end it now."""
    open_waits = [wait for wait in waits if wait.outcome is None]
    in_flight = state.in_flight.members if state.in_flight else ()
    truth = Truth(launching=frozenset(member.migration_id for member in in_flight))
    if jobs := sorted({wait.job_id for wait in open_waits if wait.job_id}):
        truth = truth.model_copy(update={"jobs": {job.job_id: job for job in ports.mgn.jobs(jobs)}})
    if instances := sorted(
        {wait.instance_id for wait in open_waits if wait.instance_id and is_settled(wait, truth, ports.now())}
    ):
        truth = truth.model_copy(update={"instances": ports.instances.health(instances)})
    if servers := sorted({wait.source_server_id for wait in open_waits if needs_server(wait, truth, ports.now())}):
        found = {server.source_server_id: server for server in ports.mgn.servers(servers)}
        truth = truth.model_copy(update={"servers": found})
    return truth
