"""Parking a step and waking it: read the truth once for many waits, decide each, resume each exactly once."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter

from runtime.errors import TargetAccountError
from runtime.logic.journal import REASON_LIMIT
from runtime.logic.observation import observe
from runtime.logic.ports import Ports
from runtime.models.mgn import InstanceHealth, Truth
from runtime.models.record import Outcome, Wait, WaitKind

_NEEDS_INSTANCE = (WaitKind.BOOT, WaitKind.SOAK)


def park(ports: Ports, wait: Wait) -> int:
    """Keep the wait, then look at once: what it waits for, or its signal, may have come first."""
    return settle(ports, (ports.store.park(wait),))


def settle(ports: Ports, waits: Iterable[Wait]) -> int:
    """Resume every wait whose end the truth shows; how many that were.

    One that cannot be resumed, or an account that cannot be read, does not keep the others waiting: its error is
    raised after all were looked at.
    """
    resumed = 0
    failures: list[Exception] = []
    for scope, found in groupby(sorted(waits, key=attrgetter("scope")), key=attrgetter("scope")):
        there = tuple(found)
        truth: Truth | TargetAccountError
        try:
            truth = read_truth(ports.at(scope), there)
        except TargetAccountError as error:
            truth = error
            failures.append(error)
        except Exception as error:
            failures.append(error)
            continue
        for wait in there:
            try:
                resumed += _settle_one(ports, wait, truth)
            except Exception as error:
                failures.append(error)
    if failures:
        raise failures[0]
    return resumed


def read_truth(ports: Ports, waits: Sequence[Wait]) -> Truth:
    """One batched reading of MGN, EC2 and SSM for all these waits."""
    open_waits = [wait for wait in waits if wait.outcome is None]
    servers = sorted({wait.source_server_id for wait in open_waits if wait.kind is not WaitKind.UNDO})
    jobs = sorted({wait.job_id for wait in open_waits if wait.job_id})
    instances = sorted({wait.instance_id for wait in open_waits if wait.instance_id and wait.kind in _NEEDS_INSTANCE})
    health: dict[str, InstanceHealth] = ports.instances.health(instances) if instances else {}
    return Truth(
        servers={server.source_server_id: server for server in ports.mgn.servers(servers)} if servers else {},
        jobs={job.job_id: job for job in ports.mgn.jobs(jobs)} if jobs else {},
        instances=health,
    )


def _settle_one(ports: Ports, wait: Wait, truth: Truth | TargetAccountError) -> bool:
    if isinstance(truth, TargetAccountError):
        # Nobody can look, which a person may mend in time; the wait ends with it at its deadline (I7).
        refused = Outcome(error=type(truth).__name__, reason=str(truth)[:REASON_LIMIT])
        outcome = wait.outcome or (refused if ports.now() >= wait.deadline else None)
    else:
        signals = ports.store.signals(wait.migration_id) if wait.outcome is None else ()
        outcome = observe(wait, truth, signals, now=ports.now(), budgets=ports.budgets)
    if outcome is None:
        return False
    # The outcome is kept before the token is used: if we die in between, the sweep delivers the same outcome again.
    decided = ports.store.decide(wait, outcome)
    ports.resumer.resume(decided.token, decided.outcome or outcome)
    ports.store.close(decided)
    return True
