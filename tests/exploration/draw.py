"""What a seed draws."""

from collections.abc import Callable
from random import Random
from typing import TypeVar, get_args

from runtime.models.decisions import Decision
from runtime.models.request import Gate, Mode, Phase
from tests.exploration.story import (
    NOBODY,
    Decided,
    Delivery,
    Fault,
    FaultKind,
    Lag,
    Migration,
    Place,
    Stop,
    Story,
    Trouble,
)

K = FaultKind
Made = TypeVar("Made")
HOUR = 3_600

MOST_FAULTS = 3
LONGEST_PAUSE = 55
"""Seconds a function may hang before its timeout ends it."""
LATEST_EFFECT = 300
"""AWS takes a signed request no longer."""

CALLS: dict[str, float] = {
    "mgn.start_launch": 1.5,
    "mgn.terminate": 0.6,
    "mgn.change_lifecycle": 1.5,
    "mgn.finalize": 0.6,
    "mgn.jobs": 8,
    "mgn.jobs_since": 5,
    "mgn.servers": 8,
    "mgn.active_servers": 0.6,
    "mgn.job_log": 0.6,
    "launch_settings.current": 2,
    "launch_settings.apply": 1.5,
    "launch_settings.restore": 0.6,
    "instances.health": 6,
    "commands.send": 1,
    "commands.find": 0.6,
    "commands.status": 1.5,
    "prober.probe": 1.5,
    "migrations.record": 20,
    "migrations.append": 10,
    "migrations.records_of": 4,
    "migrations.lock": 0.8,
    "migrations.lock_of": 0.6,
    "migrations.unlock": 0.6,
    "migrations.find": 3,
    "waits.park": 5,
    "waits.of": 6,
    "waits.open": 15,
    "waits.amend": 4,
    "waits.decide": 4,
    "waits.close": 4,
    "tokens.keep": 5,
    "tokens.token": 5,
    "dispatches.state": 10,
    "dispatches.save": 8,
    "dispatches.looked": 10,
    "decisions.keep": 1.5,
    "decisions.of": 6,
    "resumer.resume": 5,
    "resumer.is_running": 0.6,
    "wakes.wake": 15,
    "bus.publish": 1.5,
}
"""The calls that may go wrong, and about how often a migration makes each."""

TRIES: dict[str, float] = {
    "try of validate_input": 0.8,
    "try of prepare_source": 2,
    "try of trigger_migration": 1.5,
    "try of verify_migration": 2,
    "try of finalize_cutover": 0.8,
    "try of signal_handler": 3,
    "try of rollback_handler": 1.5,
}
"""The functions whose tries Step Functions may take for lost although they go on."""

CLIENT: dict[str, float] = {
    "MGN DescribeJobs": 6,
    "MGN DescribeSourceServers": 6,
    "MGN DescribeJobLogItems": 0.6,
    "MGN StartTest": 0.8,
    "MGN StartCutover": 0.6,
    "MGN TerminateTargetInstances": 0.6,
    "MGN ChangeServerLifeCycleState": 1.5,
    "MGN FinalizeCutover": 0.6,
}
"""Below the adapter, where the SDK itself sends some calls again."""

TOUCHING = (
    *("mgn.start_launch", "mgn.terminate", "mgn.change_lifecycle", "mgn.finalize", "launch_settings.apply"),
    *("launch_settings.restore", "commands.send", "waits.park", "waits.decide", "waits.amend", "waits.close"),
    *("migrations.append", "migrations.lock", "dispatches.save", "resumer.resume", "decisions.keep", "bus.publish"),
)
"""The calls that change something: drawn as often as all others together."""

READING = ("MGN DescribeJobs", "MGN DescribeSourceServers", "MGN DescribeJobLogItems")

NEVER_LATE = ("launch_settings.apply", "launch_settings.restore")
"""A ModifyLaunchTemplate that arrives when the undo is done finds nobody to restore the template: docs/proof."""

KNOBS: dict[str, tuple[str | bool, ...]] = {
    "busy_batch": ("reject_all", "skip_busy"),
    "same_state_change": ("refuse", "accept"),
    "test_relaunch": (True, False),
    "cutover_relaunch": (True, False),
    "lifecycle_after_failed_launch": ("stays", "reverts"),
    "job_completes": ("after_launch", "after_actions"),
    "job_log_order": ("by_time", "by_server", "newest_first"),
    "launched_instance_after_terminate": ("empty", "kept"),
    "wrong_state_error": ("ConflictException", "ValidationException"),
    "timestamps": ("offset", "Z"),
}


def draw(seed: int) -> Story:
    """The story of a seed."""
    chance = Random(f"exploration {seed}")
    servers = tuple(f"vm-{number}" for number in range(1, chance.choice((1, 1, 1, 2, 2, 3)) + 1))
    migrations = _migrations(chance, servers)
    decisions = tuple(decided for each in migrations for decided in _decisions(chance, each))
    is_long = any(each.window or each.patience < HOUR for each in migrations)
    return Story(
        seed=seed,
        servers=servers,
        migrations=migrations,
        decisions=decisions,
        troubles=_maybe(chance, 0.2, lambda: _trouble(chance, servers)),
        stops=_maybe(chance, 0.04, lambda: _stop(chance, migrations)),
        faults=_faults(chance),
        delivery=_delivery(chance),
        lag=_lag(chance),
        knobs={name: chance.choice(values) for name, values in KNOBS.items() if chance.random() < 0.3},
        quick_jobs=chance.random() < 0.3,
        streams=chance.random() < 0.25,
        disorder=chance.choice((0, 0, 0.5, 5)),
        sweep=chance.choice((300, 900)) if is_long else chance.choice((60, 120, 300)),
        look=chance.choice((5, 30, 30, 60)),
    )


def _maybe(chance: Random, probability: float, make: Callable[[], Made]) -> tuple[Made, ...]:
    return (make(),) if chance.random() < probability else ()


def _migrations(chance: Random, servers: tuple[str, ...]) -> tuple[Migration, ...]:
    has_target = chance.random() < 0.1
    found = [_migration(chance, number, name, has_target) for number, name in enumerate(servers, start=1)]
    if chance.random() < 0.25:
        # A second one of the same server: at once, while the first is under way, or when it has ended.
        again = _migration(chance, len(found) + 1, servers[0], has_target)
        found.append(again.model_copy(update={"at": chance.choice((0, 1, 600, 1_800, 3 * HOUR, 8 * HOUR))}))
    if chance.random() < 0.03:
        found.append(_migration(chance, len(found) + 1, NOBODY, has_target))
    return tuple(found)


def _migration(chance: Random, number: int, server: str, has_target: bool) -> Migration:
    mode = Mode.TEST if chance.random() < 0.2 else Mode.MIGRATE
    gates = tuple(gate for gate in Gate if chance.random() < 0.25)
    opens = chance.choice((0, 2 * HOUR))
    checked = chance.random() < 0.3
    return Migration(
        id=f"m-{number}",
        server=server,
        at=chance.choice((0, 0, 0, chance.randrange(0, 900))),
        in_target=has_target and chance.random() < 0.5,
        mode=mode,
        test=mode is Mode.TEST or chance.random() < 0.7,
        gates=gates,
        patience=chance.choice((1_200, 12 * HOUR)) if gates else 12 * HOUR,
        window=(opens, opens + chance.choice((2, 12)) * HOUR) if chance.random() < 0.15 else None,
        soak=chance.choice((0, 0, 0, 600)),
        checked=checked,
        check_passes_after=chance.choice((0, 0, 1_500, None)) if checked else 0,
        runs_document=chance.random() < 0.15,
        runs_command=chance.random() < 0.15,
        sent_again=tuple(chance.uniform(0, 1_200) for _ in range(chance.choice((0, 0, 0, 1, 2)))),
        contradicted_at=chance.uniform(0, 600) if chance.random() < 0.05 else None,
    )


def _decisions(chance: Random, migration: Migration) -> list[Decided]:
    found = []
    for gate in migration.gates:
        if chance.random() < 0.08:
            continue
        decision = Decision.REJECT if chance.random() < 0.12 else Decision.APPROVE
        moments = [_moment(chance)]
        if chance.random() < 0.15:
            moments.append(moments[0] + chance.choice((0, 1, 300)))
        found += [_decided(migration, moment, decision, gate) for moment in moments]
        if chance.random() < 0.1:
            other = Decision.APPROVE if decision is Decision.REJECT else Decision.REJECT
            found.append(_decided(migration, _moment(chance), other, gate))
    if chance.random() < 0.15:
        found.append(_decided(migration, _moment(chance), Decision.CANCEL))
    return found


def _decided(migration: Migration, moment: float, decision: Decision, gate: Gate | None = None) -> Decided:
    return Decided(at=round(migration.at + moment, 1), migration=migration.id, decision=decision, gate=gate)


def _moment(chance: Random) -> float:
    return chance.choice((0, 1, chance.uniform(0, 300), chance.uniform(300, 2_400), chance.uniform(0, 4 * HOUR)))


def _trouble(chance: Random, servers: tuple[str, ...]) -> Trouble:
    return Trouble(
        server=chance.choice(servers), at=chance.choice(get_args(Place)), phase=chance.choice((*Phase, None))
    )


def _stop(chance: Random, migrations: tuple[Migration, ...]) -> Stop:
    stopped = chance.choice(migrations)
    return Stop(at=stopped.at + chance.uniform(1, 2_400), migration=stopped.id, heard=chance.random() < 0.6)


def _faults(chance: Random) -> tuple[Fault, ...]:
    # Some kinds are switched off in each seed, so that one does not hide another.
    kinds = [kind for kind in FaultKind if chance.random() < 0.5] or [chance.choice(tuple(FaultKind))]
    return tuple(_fault(chance, chance.choice(kinds)) for _ in range(chance.choice((0, 1, 2, 2, 3, MOST_FAULTS))))


def _fault(chance: Random, kind: FaultKind) -> Fault:
    calls = CALLS
    if kind in (K.TRY_LATE, K.TRY_TWICE):
        calls = TRIES
    elif kind is K.BROKEN_ANSWER:
        calls = {name: CLIENT[name] for name in READING}
    elif kind is K.ANSWER_LOST and chance.random() < 0.4:
        calls = CLIENT
    changing = [name for name in TOUCHING if kind is not K.EFFECT_LATE or name not in NEVER_LATE]
    must_change = kind is K.EFFECT_LATE or (calls is CALLS and chance.random() < 0.5)
    call = chance.choice(changing if must_change else sorted(calls))
    # Early calls are likelier: what a story does not come to is a fault wasted.
    nth = 1 + int(chance.expovariate(1 / calls[call]))
    longest = LATEST_EFFECT if kind is K.EFFECT_LATE else LONGEST_PAUSE
    lasts = kind in (K.CALL_SLOW, K.ANSWER_LATE, K.EFFECT_LATE, K.TRY_LATE, K.TRY_TWICE)
    return Fault(call=call, nth=nth, kind=kind, seconds=round(chance.uniform(0.1, longest), 1) if lasts else 0)


def _delivery(chance: Random) -> Delivery:
    return Delivery(
        lost=chance.choice((0, 0, 0.3, 1)),
        doubled=chance.choice((0, 0, 0.5)),
        latest=chance.choice((0, 0, 60, 900)),
        streamed_again=chance.choice((0, 0.3)),
    )


def _lag(chance: Random) -> Lag:
    return Lag(
        jobs=chance.choice((0, 0, 0, 15, 90, 240)),
        index=chance.choice((0, 0, 2)),
        instances=chance.choice((0, 0, 5)),
        commands=chance.choice((0, 0, 20)),
    )
