"""What a seed draws."""

from collections.abc import Callable
from random import Random
from typing import Any, Literal, TypeVar, get_args

from runtime.models.decisions import Decision
from runtime.models.request import Gate, Mode, Phase
from runtime.models.status import MigrationStatus
from tests.exploration.story import (
    NOBODY,
    Decided,
    Delivery,
    Fault,
    FaultKind,
    Lag,
    Meddling,
    Migration,
    Outage,
    Place,
    Stop,
    Story,
    Trouble,
)

K, S = FaultKind, MigrationStatus
Made = TypeVar("Made")
HOUR = 3_600

MOST_FAULTS = 3
LONGEST_PAUSE = 55
"""Seconds a function may hang before its timeout ends it."""
LATEST_EFFECT = 300
"""AWS takes a signed request no longer."""

CALLS: dict[str, dict[str, float]] = {
    "ingress_handler": {"migrations.record": 3, "migrations.append": 2, "bus.publish": 2},
    "validate_input": {
        **{"migrations.record": 2, "migrations.append": 3, "migrations.lock": 1.5, "network.facts": 1.5},
        **{"mgn.active_servers": 1.5, "mgn.servers": 1.5, "mgn.jobs_since": 1.5, "launch_settings.ebs_key": 1.5},
    },
    "prepare_source": {
        **{"migrations.record": 4, "migrations.append": 3, "waits.park": 1.5, "waits.of": 1, "waits.amend": 1},
        **{"tokens.keep": 1.5, "decisions.of": 2, "wakes.wake": 1.5, "mgn.servers": 2, "mgn.change_lifecycle": 1.2},
        **{"launch_settings.current": 1.5, "launch_settings.apply": 2, "commands.send": 1, "commands.status": 1},
        **{"commands.find": 1},
    },
    "trigger_migration": {
        **{"migrations.record": 2, "migrations.append": 2, "waits.park": 2, "waits.amend": 1, "tokens.keep": 2},
        **{"decisions.of": 2, "wakes.wake": 2},
    },
    "verify_migration": {
        **{"migrations.record": 5, "migrations.append": 4, "waits.park": 2, "waits.amend": 1, "tokens.keep": 2},
        **{"decisions.of": 2, "wakes.wake": 2, "mgn.jobs": 4, "mgn.job_log": 1.5, "instances.health": 3},
        **{"prober.probe": 3, "commands.send": 1, "commands.status": 1},
    },
    "finalize_cutover": {
        **{"migrations.record": 1.3, "migrations.append": 1.5, "decisions.of": 1.3, "instances.health": 1.3},
        **{"mgn.servers": 1.3, "mgn.finalize": 1.3},
    },
    "rollback_handler": {
        **{"migrations.record": 3, "migrations.append": 3, "waits.park": 1.3, "waits.amend": 1, "tokens.keep": 1.3},
        **{"decisions.of": 1.5, "wakes.wake": 1.3, "mgn.servers": 3, "mgn.jobs": 2, "mgn.jobs_since": 3},
        **{"mgn.change_lifecycle": 1.3, "launch_settings.current": 3, "launch_settings.restore": 1.2},
        **{"instances.health": 3, "dispatches.state": 2, "resumer.resume": 1.2},
    },
    "signal_handler": {
        **{"migrations.record": 5, "migrations.append": 2, "migrations.lock_of": 1, "decisions.keep": 1.5},
        **{"decisions.of": 4, "waits.park": 3, "waits.of": 3, "waits.amend": 2, "waits.close": 1, "tokens.keep": 3},
        **{"wakes.wake": 5},
    },
    "dispatch_launches": {
        **{"dispatches.state": 15, "dispatches.save": 4, "dispatches.looked": 15, "dispatches.last_look": 15},
        **{"waits.open": 15, "waits.amend": 2, "waits.decide": 5, "waits.close": 5, "tokens.token": 5},
        **{"resumer.resume": 5, "wakes.wake": 10, "migrations.records_of": 3, "migrations.append": 2},
        **{"mgn.jobs": 10, "mgn.jobs_since": 3, "mgn.servers": 10, "mgn.start_launch": 1.5, "mgn.terminate": 1},
        **{"instances.health": 8},
    },
    "sweep": {
        **{"dispatches.count_sweep": 8, "migrations.find": 15, "migrations.append": 1, "wakes.wake": 8},
        **{"resumer.is_running": 3, "waits.of": 1, "waits.close": 1, "bus.publish": 1},
    },
    "publish_events": {"migrations.record": 10, "bus.publish": 10},
}
"""What each function calls, and about how often in a story that comes to it."""

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

TRIED = tuple(name.removeprefix("try of ") for name in TRIES)

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

HOT = (
    *("dispatch_launches mgn.start_launch", "dispatch_launches mgn.start_launch", "dispatch_launches mgn.terminate"),
    *("dispatch_launches dispatches.save", "dispatch_launches migrations.append", "dispatch_launches resumer.resume"),
    *("dispatch_launches waits.decide", "dispatch_launches waits.close", "dispatch_launches migrations.records_of"),
    *("finalize_cutover mgn.finalize", "finalize_cutover migrations.append", "finalize_cutover decisions.of"),
    *("rollback_handler mgn.change_lifecycle", "prepare_source mgn.change_lifecycle", "prepare_source commands.send"),
    *("prepare_source launch_settings.apply", "verify_migration commands.send", "signal_handler migrations.append"),
)
"""The calls on which most depends."""

OVERLAPPING = (
    *("prepare_source", "rollback_handler", "rollback_handler", "finalize_cutover", "verify_migration"),
    *("trigger_migration", "dispatch_launches", "dispatch_launches"),
)
"""Functions of which two run at once."""

OFTEN = ("dispatch_launches", "rollback_handler", "finalize_cutover", "prepare_source", "verify_migration")
"""The functions whose calls are broken twice as often as those of others."""

CHANGES = (
    *("mgn.start_launch", "mgn.terminate", "mgn.change_lifecycle", "mgn.finalize", "launch_settings.apply"),
    *("launch_settings.restore", "commands.send", "waits.park", "waits.decide", "waits.amend", "waits.close"),
    *("migrations.append", "migrations.lock", "dispatches.save", "resumer.resume", "decisions.keep", "bus.publish"),
    *("tokens.keep", "wakes.wake"),
)

ON_PORTS = tuple(kind for kind in FaultKind if kind not in (K.BROKEN_ANSWER, K.TRY_LATE, K.TRY_TWICE))

READING = ("MGN DescribeJobs", "MGN DescribeSourceServers", "MGN DescribeJobLogItems")

NEVER_LATE = ("launch_settings.apply", "launch_settings.restore")
"""A ModifyLaunchTemplate that arrives when the undo is done finds nobody to restore the template: docs/proof."""

CUES = (
    *(S.TEST_LAUNCHING, S.TEST_VERIFYING, S.AWAITING_APPROVAL, S.AWAITING_WINDOW, S.CUTOVER_LAUNCHING),
    *(S.CUTOVER_VERIFYING, S.SOAKING, S.FINALIZING, S.FINALIZING, S.FINALIZING, S.ROLLING_BACK, S.PREPARING),
)

OUTAGES = {"mgn": 1_800, "instances": 1_800, "launch_settings": 1_800, "resumer": 600, "migrations": 240, "waits": 240}
"""How long a service may be down: less than everything is tried again for, with its queue."""

LATE_CHANGES = tuple(name for name in CHANGES if name not in NEVER_LATE)

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
    stops = _maybe(chance, 0.1, lambda: _stop(chance, migrations))
    decisions += tuple(decided for stop in stops for decided in _released(chance, stop))
    is_long = any(each.window or each.gates for each in migrations)
    faults = _around_release(chance) if stops and chance.random() < 0.4 else _faults(chance)
    story = Story(
        seed=seed,
        servers=servers,
        migrations=migrations,
        decisions=decisions,
        troubles=_maybe(chance, 0.2, lambda: _trouble(chance, servers)),
        stops=stops,
        meddlings=_maybe(chance, 0.1, lambda: _meddling(chance, migrations)),
        outages=_maybe(chance, 0.08, lambda: _outage(chance)),
        faults=faults,
        delivery=_delivery(chance),
        lag=_lag(chance),
        knobs={name: chance.choice(values) for name, values in KNOBS.items() if chance.random() < 0.3},
        # A launch that arrives late does most harm when the job of another call is over.
        quick_jobs=chance.random() < (0.8 if _is_late_launch(faults) else 0.3),
        streams=chance.random() < 0.25,
        disorder=chance.choice((0, 0, 0.5, 5)),
        sweep=chance.choice((300, 900)) if is_long else chance.choice((120, 300)),
        look=chance.choice((15, 60, 60)),
    )
    if _is_late_launch(faults):
        return _long_launched(chance, story)
    return _coincidence(chance, story) if chance.random() < 0.25 else story


def _long_launched(chance: Random, story: Story) -> Story:
    """The story with servers that stay launched for a while, in an MGN that launches them again when asked."""
    knobs = {**story.knobs, "test_relaunch": True, "cutover_relaunch": True}
    changes = {"soak": 600, "checked": True, "check_passes_after": chance.choice((600, 1_500))}
    migrations = tuple(each.model_copy(update=changes) for each in story.migrations)
    return story.model_copy(update={"knobs": knobs, "migrations": migrations})


def _is_late_launch(faults: tuple[Fault, ...]) -> bool:
    return any(fault.kind is K.EFFECT_LATE and fault.call.endswith("start_launch") for fault in faults)


def _coincidence(chance: Random, story: Story) -> Story:
    """Something goes wrong in a function, and just then somebody does something with its migration."""
    concerned = chance.choice(story.migrations)
    function = chance.choice((*OVERLAPPING, *["finalize_cutover"] * 4))
    call, often = chance.choice(tuple(CALLS[function].items()))
    if function in TRIED and chance.random() < 0.3:
        fault = _again(chance, function)
    else:
        kind = chance.choice([kind for kind in ON_PORTS if kind is not K.EFFECT_LATE or call in LATE_CHANGES])
        fault = _broken(chance, f"{function} {call}", 1 + int(chance.expovariate(2 / often)), kind)
    at = round(chance.choice((0, chance.uniform(0, 3), chance.uniform(0, 60))), 2)
    cued: dict[str, Any] = {"at": at, "cue": "fault", "migration": concerned.id}
    act = chance.random()
    changes: dict[str, Any] = {"faults": (fault, *story.faults[: chance.choice((0, 0, 1))])}
    if act < 0.6:
        changes["decisions"] = (*story.decisions, Decided(**cued, decision=Decision.CANCEL))
    elif act < 0.9:
        changes["meddlings"] = (Meddling(**cued, what="terminate instance"),)
    else:
        changes["stops"] = (Stop(**cued, heard=True),)
    return story.model_copy(update=changes)


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
    if chance.random() < 0.2:
        cue, at = _cue(chance, migration)
        found.append(Decided(at=at, cue=cue, migration=migration.id, decision=Decision.CANCEL))
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
    cue, at = _cue(chance, stopped)
    if chance.random() < 0.5:
        # A wait that nothing but a person ends, or whatever is done then.
        cue, at = (S.AWAITING_APPROVAL, 0.1) if stopped.gates else (S.PREPARING, round(chance.uniform(0.1, 900), 1))
    return Stop(at=at, cue=cue, migration=stopped.id, heard=chance.random() < 0.6)


def _around_release(chance: Random) -> tuple[Fault, ...]:
    """A release that breaks where it changes something."""
    call = chance.choice(("signal_handler decisions.keep", "signal_handler migrations.append"))
    kind = chance.choice((K.CRASH_BEFORE, K.CRASH_AFTER, K.THROTTLED, K.ANSWER_LOST))
    return (Fault(call=call, nth=1, kind=kind, cue=S.FROZEN),)


def _released(chance: Random, stop: Stop) -> list[Decided]:
    moments = [chance.uniform(1, 900) for _ in range(chance.choice((0, 1, 1, 2)))]
    return [
        Decided(at=round(moment, 1), cue=S.FROZEN, migration=stop.migration, decision=Decision.RELEASE)
        for moment in moments
    ]


def _meddling(chance: Random, migrations: tuple[Migration, ...]) -> Meddling:
    concerned = chance.choice(migrations)
    cue, at = _cue(chance, concerned)
    what: Literal["terminate instance", "start test"]
    what = chance.choice(("terminate instance", "terminate instance", "start test"))
    if what == "start test" and chance.random() < 0.5:
        # Just before we would.
        cue, at = S.TEST_LAUNCHING if concerned.test else S.CUTOVER_LAUNCHING, 0.01
    return Meddling(at=at, cue=cue, migration=concerned.id, what=what)


def _outage(chance: Random) -> Outage:
    port, longest = chance.choice(tuple(OUTAGES.items()))
    return Outage(
        port=port, at=chance.choice((0, round(chance.uniform(0, 2_400), 1))), lasts=round(chance.uniform(30, longest))
    )


def _cue(chance: Random, migration: Migration) -> tuple[MigrationStatus | Literal["fault"] | None, float]:
    """When somebody does something, most often with what the migration does just then."""
    if chance.random() < 0.3:
        return None, round(migration.at + _moment(chance), 1)
    cue: MigrationStatus | Literal["fault"] = "fault" if chance.random() < 0.35 else chance.choice(CUES)
    return cue, round(chance.choice((0, 0.1, chance.uniform(0, 5), chance.uniform(0, 300))), 2)


def _faults(chance: Random) -> tuple[Fault, ...]:
    # Some kinds are switched off in each seed, so that one does not hide another.
    kinds = [kind for kind in FaultKind if chance.random() < 0.5] or [chance.choice(tuple(FaultKind))]
    if chance.random() < 0.15:
        return _overlap(chance)
    return tuple(_fault(chance, chance.choice(kinds)) for _ in range(chance.choice((0, 1, 2, 3, 3, MOST_FAULTS))))


def _overlap(chance: Random) -> tuple[Fault, ...]:
    """Two invocations of one function meet."""
    function = chance.choice(OVERLAPPING)
    calls = CALLS[function]
    often = [name for name in calls if name in CHANGES or name.startswith("mgn.")]
    names = [chance.choice(often) for _ in range(2)]
    slow = [_slow(chance, f"{function} {name}", 1 + int(chance.expovariate(1 / calls[name]))) for name in names]
    if function not in TRIED:
        return tuple(slow)
    return _again(chance, function), *slow[: chance.choice((0, 1, 1, 2))]


def _again(chance: Random, function: str) -> Fault:
    kind = chance.choice((K.TRY_LATE, K.TRY_TWICE))
    seconds = chance.choice((0.1, chance.uniform(0.1, 5), chance.uniform(0.1, LONGEST_PAUSE)))
    return Fault(call=f"try of {function}", nth=1 + int(chance.expovariate(1)), kind=kind, seconds=round(seconds, 1))


def _slow(chance: Random, call: str, nth: int) -> Fault:
    kind = chance.choice((K.CALL_SLOW, K.ANSWER_LATE))
    return Fault(call=call, nth=nth, kind=kind, seconds=round(chance.uniform(0.1, LONGEST_PAUSE), 1))


def _fault(chance: Random, kind: FaultKind) -> Fault:
    name, often = _call(chance, kind)
    # Early calls are likelier: what a story does not come to is a fault wasted.
    nth = 1 + int(chance.expovariate(1 / often))
    if chance.random() < 0.25:
        return _broken(chance, name, 1 + int(chance.expovariate(1.5)), kind, chance.choice(CUES))
    return _broken(chance, name, nth, kind)


def _broken(chance: Random, call: str, nth: int, kind: FaultKind, cue: MigrationStatus | None = None) -> Fault:
    longest = LATEST_EFFECT if kind is K.EFFECT_LATE else LONGEST_PAUSE
    lasts = kind in (K.CALL_SLOW, K.ANSWER_LATE, K.EFFECT_LATE, K.TRY_LATE, K.TRY_TWICE)
    seconds = round(chance.uniform(0.1, longest), 1) if lasts else 0
    return Fault(call=call, nth=nth, kind=kind, seconds=seconds, cue=cue)


def _call(chance: Random, kind: FaultKind) -> tuple[str, float]:
    """The call that goes wrong in this way, and about how often it is made."""
    if kind in (K.TRY_LATE, K.TRY_TWICE):
        return chance.choice(tuple(TRIES.items()))
    if kind is K.BROKEN_ANSWER or (kind is K.ANSWER_LOST and chance.random() < 0.3):
        names = READING if kind is K.BROKEN_ANSWER else tuple(CLIENT)
        name = chance.choice(names)
        return name, CLIENT[name]
    if chance.random() < 0.4:
        hot = chance.choice([name for name in HOT if kind is not K.EFFECT_LATE or name.split()[1] in LATE_CHANGES])
        function, name = hot.split()
        return hot, CALLS[function][name]
    function = chance.choice((*CALLS, *OFTEN))
    calls = CALLS[function]
    changes = [name for name in calls if name in (LATE_CHANGES if kind is K.EFFECT_LATE else CHANGES)]
    name = chance.choice(changes if kind is K.EFFECT_LATE or chance.random() < 0.5 else tuple(calls))
    return f"{function} {name}", calls[name]


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
