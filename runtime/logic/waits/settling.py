"""Ending waits: the truth is read once for many, and each is resumed exactly once."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from runtime.errors import TargetAccountError
from runtime.logic.journal import REASON_LIMIT
from runtime.logic.ports import Ports
from runtime.logic.waits.observing import observe
from runtime.models.dispatch import Dispatch, Member
from runtime.models.mgn import Truth
from runtime.models.waits import Outcome, Wait


class Settled(NamedTuple):
    """What became of the waits that were looked at."""

    resumed: int
    open: tuple[Wait, ...]
    failures: tuple[Exception, ...]


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
    decided = ports.waits.decide(wait, outcome)
    tokens = [decided.token, *map(ports.tokens.token, decided.token_keys)]
    # All but one are of tries that are over, and Step Functions says so.
    for token in filter(None, tokens):
        ports.resumer.resume(token, decided.outcome or outcome)
    ports.waits.close(decided)


def unanswered(ports: Ports, state: Dispatch) -> tuple[Member, ...]:
    """Whose launch call may have arrived at MGN, or may still, without its job being known."""
    return state.unanswered(ports.now() - timedelta(seconds=ports.budgets.request_life))


def read_truth(ports: Ports, waits: Iterable[Wait], state: Dispatch) -> Truth:
    """One batched reading of MGN, EC2 and SSM for all these waits, each asked only for what could end it now."""
    open_waits = [wait for wait in waits if wait.outcome is None]
    now = ports.now()
    launching = frozenset(member.migration_id for member in unanswered(ports, state))
    truth = Truth(launching=launching, young_jobs=state.young_jobs(now))
    if jobs := sorted({wait.watched_job for wait in open_waits if wait.watched_job}):
        truth = truth.model_copy(update={"jobs": {job.job_id: job for job in ports.mgn.jobs(jobs)}})
    watched = (wait.watched_instance(truth, now) for wait in open_waits)
    if instances := sorted({instance_id for instance_id in watched if instance_id}):
        truth = truth.model_copy(update={"instances": ports.instances.health(instances)})
    if servers := sorted({wait.source_server_id for wait in open_waits if wait.needs_server(truth, now)}):
        found = {server.source_server_id: server for server in ports.mgn.servers(servers)}
        truth = truth.model_copy(update={"servers": found})
    return truth
