"""Ending waits: the truth is read once for many, and each is resumed exactly once."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from runtime.errors import TargetAccountError, WindowMissedError
from runtime.logic.journal import REASON_LIMIT, note
from runtime.logic.ports import Ports
from runtime.logic.waits.observing import observe
from runtime.logic.waits.verdicts import failed as missed
from runtime.models.dispatch import Dispatch, Looked, Member
from runtime.models.functions.catalogue import DISPATCH_LAUNCHES
from runtime.models.functions.environment import Budgets
from runtime.models.mgn import Job, Truth
from runtime.models.record import Facts
from runtime.models.waits import LaunchWait, Outcome, Wait, WindowWait, due

ACTOR = DISPATCH_LAUNCHES.name

OVERSIGHT = timedelta(minutes=3)
"""Without a look for longer than this, nobody is to blame whose deadline passed meanwhile."""

EXTENSIONS = 10
"""How often looks that do not get to everything move one deadline: everything ends (I7)."""


class Settled(NamedTuple):
    """What became of the waits that were looked at."""

    resumed: int
    open: tuple[Wait, ...]
    failures: tuple[Exception, ...]
    failed: tuple[Wait, ...] = ()
    """Those that could not be resumed."""
    left: tuple[Wait, ...] = ()
    """Those there was no time for."""
    jobs: Mapping[str, Job] = {}
    """MGN's jobs that were read."""


def settle(
    ports: Ports,
    waits: Sequence[Wait],
    state: Dispatch,
    looked: Looked | None = None,
    *,
    jobs: Mapping[str, Job] | None = None,
    until: datetime | None = None,
) -> Settled:
    """Resume every wait whose end the truth shows. One that cannot be resumed does not keep the others waiting.

    `jobs` are those that were read already. Nothing is begun after `until`.
    """
    resumed = 0
    still_open: list[Wait] = []
    failed: list[Wait] = []
    failures: list[Exception] = []
    truth: Truth | None = None
    try:
        truth = read_truth(ports, waits, state, jobs or {})
    except TargetAccountError as error:
        failures.append(error)
    left: tuple[Wait, ...] = ()
    for number, wait in enumerate(waits):
        now = ports.now()
        if until is not None and now >= until:
            left = tuple(waits[number:])
            break
        if truth is not None:
            outcome = observe(wait, truth, now=now, budgets=ports.budgets)
        else:
            outcome = _unseen(wait, failures[0], now)
        if outcome is None:
            still_open.append(wait)
            continue
        try:
            if _is_excused(wait, outcome, truth, looked or Looked(), now, ports.budgets):
                if (last_word := _extend(ports, wait, outcome, looked or Looked())) is None:
                    continue
                outcome = last_word
            conclude(ports, wait, outcome)
            resumed += 1
        except Exception as error:
            failures.append(error)
            failed.append(wait)
    jobs = truth.jobs if truth else {}
    return Settled(resumed, tuple(still_open), tuple(failures), tuple(failed), left, jobs)


def _is_excused(
    wait: Wait, outcome: Outcome, truth: Truth | None, looked: Looked, now: datetime, budgets: Budgets
) -> bool:
    """Whether it fails by its deadline alone, which passed while nobody looked or looks did not get to everything."""
    if outcome.error is None or wait.outcome is not None or now < wait.deadline or looked.at is None:
        return False
    # Once, because on some stages a sweep comes that seldom.
    was_absent = now - looked.at > OVERSIGHT and wait.deadline > looked.at and not wait.extended
    if not was_absent and not (looked.is_behind and wait.extended < EXTENSIONS):
        return False
    later = wait.model_copy(update={"deadline": now + OVERSIGHT})
    return truth is None or observe(later, truth, now=now, budgets=budgets) is None


def _extend(ports: Ports, wait: Wait, outcome: Outcome, looked: Looked) -> Outcome | None:
    """Give a wait the time back in which nobody looked, and journal it: our slowness fails no migration (I12).

    A cutover window does not grow: there this is how the wait ends, and it says why.
    """
    now = ports.now()
    since = looked.at or now
    until = now + max(now - since, OVERSIGHT)
    unseen = f"nobody looked from {since.isoformat()} to {now.isoformat()}"
    record = ports.migrations.record(wait.migration_id)
    if record is None:
        return outcome
    window = record.request.window if isinstance(wait, WindowWait | LaunchWait) else None
    if window is not None and wait.deadline >= window.not_after:
        return missed(WindowMissedError, f"the window closed at {wait.deadline.isoformat()}: {unseen}")
    reason = f"{unseen}: the time for {wait.name} ends at {until.isoformat()} instead"
    # Moved before it is told: who is too late to tell must not be too late to move it.
    ports.waits.amend(wait, {"deadline": until, "extended": wait.extended + 1, "lane": due(now)})
    note(ports, record, Facts(extended_until=until), actor=ACTOR, reason=reason)
    return None


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


def read_truth(ports: Ports, waits: Iterable[Wait], state: Dispatch, known: Mapping[str, Job]) -> Truth:
    """One batched reading of MGN, EC2 and SSM for all these waits, each asked only for what could end it now."""
    open_waits = [wait for wait in waits if wait.outcome is None]
    now = ports.now()
    launching = frozenset(member.migration_id for member in unanswered(ports, state))
    truth = Truth.model_construct(launching=launching, young_jobs=state.young_jobs(now), jobs=dict(known))
    if jobs := sorted({wait.watched_job for wait in open_waits if wait.watched_job} - known.keys()):
        truth = truth.model_copy(update={"jobs": {**known, **{job.job_id: job for job in ports.mgn.jobs(jobs)}}})
    watched = (wait.watched_instance(truth, now) for wait in open_waits)
    if instances := sorted({instance_id for instance_id in watched if instance_id}):
        truth = truth.model_copy(update={"instances": ports.instances.health(instances)})
    if servers := sorted({wait.source_server_id for wait in open_waits if wait.needs_server(truth, now)}):
        found = {server.source_server_id: server for server in ports.mgn.servers(servers)}
        truth = truth.model_copy(update={"servers": found})
    return truth
