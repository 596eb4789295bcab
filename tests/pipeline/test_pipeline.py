"""The synthesized state machine with the real handlers takes simulated servers to one honest end each."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from runtime.errors import ThrottledError
from runtime.logic.dispatch import packing
from runtime.logic.dispatch.packing import Room
from runtime.logic.journal import rebuild
from runtime.models.decisions import Decision
from runtime.models.dispatch import StartedJob
from runtime.models.events import MigrationSignal
from runtime.models.functions.environment import Budgets
from runtime.models.mgn import Job
from runtime.models.record import JournalEntry, Lock, MigrationRecord
from runtime.models.request import Gate, MigrationRequest
from runtime.models.status import MigrationStatus
from simulator.scenario import Scenario, ServerSpec
from tests.builders import a_request
from tests.pipeline.asl import Json
from tests.pipeline.world import EVENT_LATENCY, World

S = MigrationStatus

ACCEPTED = ("ok", "timeout_after", "late ok")


def a_world(*faults: Json, count: int = 1, sweep_seconds: float = 60, look: float = 30, **scenario: Any) -> World:
    servers = (ServerSpec(name="vm-{n:03d}", count=count),)
    scenario = {"servers": servers, "faults": faults, **scenario}
    budgets = Budgets(replication=4 * 3_600, look=look)
    return World(Scenario.model_validate(scenario), budgets=budgets, sweep_seconds=sweep_seconds)


def requests(world: World, **fields: Any) -> list[MigrationRequest]:
    names = [server.name for server in world.simulator.account.servers.values()]
    return [a_request(f"m-{name}", source_vm_id=name, **fields) for name in names]


def launches(world: World) -> Counter[tuple[str, str]]:
    """Accepted launches by operation and server, from the simulator's own log."""
    return Counter(
        (entry["operation"], server)
        for entry in world.simulator.log(kind="call")
        if entry["operation"] in ("StartTest", "StartCutover") and entry["outcome"] in ACCEPTED
        for server in entry["parameters"]["sourceServerIDs"]
    )


def running_instances(world: World) -> int:
    return sum(instance.state == "running" for instance in world.simulator.compute.instances.values())


def assert_invariants(world: World) -> None:
    """I2, I3, I7 and I8 as the store and the simulator's log show them."""
    assert max(launches(world).values(), default=1) == 1
    for name, record in world.migrations.records.items():
        assert record.status.is_terminal, (name, record.status, record.reason)
        assert rebuild(world.migrations.journals[name]) == record
    ends = Counter(
        event.migration_id
        for event in world.migrations.events
        if event.detail_type == "MigrationStatusChanged" and event.to_status.is_terminal
    )
    assert set(ends.values()) == {1}
    frozen = {record.migration_id for record in world.migrations.records.values() if record.status is S.FROZEN}
    assert {lock.owner for lock in world.migrations.locks.values()} <= frozen


def test_a_migration_completes() -> None:
    world = a_world()
    world.submit(*requests(world))
    world.run()
    record = world.record("m-vm-001")
    assert record.status is S.COMPLETED, record.reason
    assert world.simulator.server("vm-001").state == "CUTOVER"
    assert running_instances(world) == 1
    assert_invariants(world)


def test_a_test_only_migration_completes_and_leaves_nothing() -> None:
    world = a_world()
    world.submit(*requests(world, mode="test"))
    world.run()
    assert world.record("m-vm-001").status is S.COMPLETED
    assert world.simulator.server("vm-001").state == "READY_FOR_TEST"
    assert running_instances(world) == 0
    assert world.launch_settings.current(world.record("m-vm-001").source_server_id or "").default_version == 1
    assert_invariants(world)


FAILURES: dict[str, tuple[Json, str]] = {
    "test launch fails": ({"kind": "launch", "at": "conversion", "phase": "test"}, "LaunchFailedError"),
    "test never boots": ({"kind": "launch", "at": "boot", "phase": "test"}, "BootFailedError"),
    "test impaired": ({"kind": "launch", "at": "status", "phase": "test"}, "BootFailedError"),
    "cutover snapshot fails": ({"kind": "launch", "at": "snapshot", "phase": "cutover"}, "LaunchFailedError"),
    "cutover from old snapshot": ({"kind": "launch", "at": "previous_snapshot", "phase": "cutover"}, "StaleDataError"),
    "cutover launch fails": ({"kind": "launch", "at": "launch", "phase": "cutover"}, "LaunchFailedError"),
    "cutover never boots": ({"kind": "launch", "at": "boot", "phase": "cutover"}, "BootFailedError"),
    "cutover not in SSM": ({"kind": "launch", "at": "ssm", "phase": "cutover"}, "BootFailedError"),
    "replication stalls for good": ({"kind": "replication"}, "ReplicationNotReadyError"),
}


@pytest.mark.parametrize(("fault", "error"), FAILURES.values(), ids=FAILURES.keys())
def test_every_failure_before_finalize_is_undone(fault: Json, error: str) -> None:
    """I6"""
    world = a_world(fault)
    world.submit(*requests(world))
    world.run()
    record = world.record("m-vm-001")
    assert record.status is S.ROLLED_BACK, record.reason
    assert error in record.reason
    assert world.simulator.server("vm-001").state == "READY_FOR_TEST"
    assert running_instances(world) == 0
    assert_invariants(world)


@pytest.mark.parametrize(("full_hours", "end"), [(13, S.ROLLED_BACK), (200, S.FROZEN)])
def test_an_undo_waits_for_room_as_long_as_a_launch_does(
    full_hours: int, end: MigrationStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I6, I7"""
    # Given others' jobs that fill MGN from the moment an undo begins
    world = a_world({"kind": "launch", "at": "boot", "phase": "test"}, sweep_seconds=900, look=900)
    began: list[datetime] = []

    def room(jobs: Sequence[Job], started: Iterable[StartedJob], *, now: datetime) -> Room:
        began.extend([now] if not began and world.record("m-vm-001").status is S.ROLLING_BACK else [])
        is_full = began and now < began[0] + timedelta(hours=full_hours)
        left = packing.room(jobs, started, now=now)
        return left._replace(servers=0) if is_full else left

    monkeypatch.setattr("runtime.logic.dispatch.looking.room", room)
    world.submit(*requests(world))
    # When they go on for hours, or never end
    world.run(hours=100)
    # Then it is undone late, or a person is called after the three days a launch would have waited
    record = world.record("m-vm-001")
    assert record.status is end, record.reason
    waited = record.updated_at - began[0]
    assert round(waited / timedelta(hours=1)) == min(full_hours, 72)
    assert ("MGN had no room to terminate the instance" in record.reason) is (end is S.FROZEN)
    assert_invariants(world)


def test_a_failing_health_check_undoes_the_cutover() -> None:
    world = a_world()
    world.prober.seen[8080] = "connection refused"
    world.submit(*requests(world, checks=[{"type": "tcp", "port": 8080}], test=False))
    world.run()
    assert world.record("m-vm-001").status is S.ROLLED_BACK
    assert "connection refused" in world.record("m-vm-001").reason
    assert running_instances(world) == 0
    assert_invariants(world)


def test_a_stall_that_heals_only_delays() -> None:
    world = a_world({"kind": "replication", "lasts_seconds": 7_200})
    world.submit(*requests(world))
    world.run()
    assert world.record("m-vm-001").status is S.COMPLETED
    assert (world.record("m-vm-001").updated_at - world.record("m-vm-001").created_at).total_seconds() > 7_200


@pytest.mark.parametrize(
    ("decision", "gate", "end"),
    [
        (Decision.APPROVE, Gate.CUTOVER, S.COMPLETED),
        (Decision.REJECT, Gate.CUTOVER, S.ROLLED_BACK),
        (Decision.CANCEL, None, S.CANCELLED),
    ],
)
def test_a_person_decides_at_the_gate(decision: Decision, gate: Gate | None, end: MigrationStatus) -> None:
    world = a_world()
    world.submit(*requests(world, approval={"cutover": True}))
    sent = MigrationSignal(migration_id="m-vm-001", decision=decision, gate=gate, by="ana", reason="because")
    world.later(3_600, lambda: world.signal(sent))
    world.run()
    assert world.record("m-vm-001").status is end
    if end is not S.COMPLETED:
        assert "ana" in world.record("m-vm-001").reason
    assert_invariants(world)


def test_an_approval_sent_before_anyone_waits_for_it_counts() -> None:
    world = a_world()
    world.submit(*requests(world, approval={"cutover": True}))
    world.later(
        60,
        lambda: world.signal(
            MigrationSignal(migration_id="m-vm-001", decision=Decision.APPROVE, gate=Gate.CUTOVER, by="ana")
        ),
    )
    world.run()
    assert world.record("m-vm-001").status is S.COMPLETED


def test_a_parked_execution_that_dies_unheard_freezes_within_hours() -> None:
    """I7"""
    world = a_world(sweep_seconds=300)
    world.submit(*requests(world, approval={"cutover": True, "timeout_seconds": 30 * 86_400}))
    world.later(6 * 3_600, lambda: next(iter(world.executions.values())).stop("ABORTED"))
    world.run(hours=9)
    assert world.record("m-vm-001").status is S.FROZEN
    assert "ended unheard" in world.record("m-vm-001").reason
    assert_invariants(world)


def test_an_instance_terminated_while_the_last_approval_is_awaited_is_told_at_once() -> None:
    world = a_world(sweep_seconds=300)
    world.submit(*requests(world, approval={"finalize": True}))

    def terminate() -> None:
        launch = world.record("m-vm-001").cutover_launch
        assert world.record("m-vm-001").status is S.AWAITING_APPROVAL
        assert launch is not None
        world.simulator.compute.instances[launch.instance_id or ""].state = "terminated"

    world.later(6 * 3_600, terminate)
    world.run(hours=7)
    record = world.record("m-vm-001")
    assert record.status is S.ROLLED_BACK
    assert "DriftError" in record.reason
    assert "is terminated where it was left running" in record.reason
    assert_invariants(world)


def test_nobody_deciding_ends_the_migration() -> None:
    """I7"""
    world = a_world()
    world.submit(*requests(world, approval={"finalize": True, "timeout_seconds": 600}))
    world.run()
    assert world.record("m-vm-001").status is S.ROLLED_BACK
    assert "ApprovalExpiredError" in world.record("m-vm-001").reason
    assert running_instances(world) == 0


def _shuffled(event: Json) -> tuple[float, float]:
    # Up to a quarter of an hour apart, by the event's own words: later ones overtake earlier ones.
    seed = Random(json.dumps(event, sort_keys=True))
    return (seed.uniform(0, 900), seed.uniform(0, 900))


DELIVERIES: dict[str, Callable[[Json], tuple[float, ...]]] = {
    "all lost": lambda event: (),
    "each twice": lambda event: (EVENT_LATENCY, EVENT_LATENCY),
    "each twice and out of order": _shuffled,
}


@pytest.mark.parametrize("deliveries", DELIVERIES.values(), ids=DELIVERIES.keys())
def test_events_lost_doubled_or_reordered_change_no_end(deliveries: Callable[[Json], tuple[float, ...]]) -> None:
    """I10"""
    world = a_world(
        {"kind": "launch", "servers": ["vm-003"], "at": "launch", "phase": "cutover"},
        {"kind": "launch", "servers": ["vm-007"], "at": "boot", "phase": "test"},
        {"kind": "launch", "servers": ["vm-011"], "at": "previous_snapshot", "phase": "cutover"},
        {"kind": "launch", "servers": ["vm-012"], "at": "status", "phase": "cutover"},
        count=12,
        timings={"jitter": 0.2},
    )
    world.delivers_events = deliveries
    world.submit(*requests(world))
    world.run()
    undone = {"m-vm-003", "m-vm-007", "m-vm-011", "m-vm-012"}
    ends = {name: record.status for name, record in world.migrations.records.items()}
    assert ends == {name: S.ROLLED_BACK if name in undone else S.COMPLETED for name in ends}
    assert running_instances(world) == 8
    assert_invariants(world)


def test_a_second_migration_of_the_same_server_is_rejected() -> None:
    """I2"""
    world = a_world()
    world.submit(a_request("first", source_vm_id="vm-001"), a_request("second", source_vm_id="vm-001"))
    world.run()
    assert {world.record(name).status for name in ("first", "second")} == {S.COMPLETED, S.REJECTED}
    assert_invariants(world)


def test_a_lock_whose_entry_the_table_never_took_keeps_no_later_migration_out() -> None:
    """I2"""
    world = a_world()
    append = world.migrations.append

    def refused(record: MigrationRecord, entry: JournalEntry, *, unlock: Lock | None = None) -> None:
        if record.migration_id == "first" and entry.facts.source_server_id:
            raise ThrottledError("TransactWriteItems: ThrottlingError")
        append(record, entry, unlock=unlock)

    world.migrations.append = refused  # type: ignore[method-assign]
    world.submit(a_request("first", source_vm_id="vm-001"))
    world.run()
    world.submit(a_request("second", source_vm_id="vm-001"))
    world.run()
    assert world.record("first").status is S.ROLLED_BACK
    assert world.record("second").status is S.COMPLETED
    assert_invariants(world)


def test_an_event_delivered_twice_starts_one_migration() -> None:
    world = a_world()
    world.submit(*requests(world), *requests(world))
    world.run()
    assert len(world.executions) == 2
    assert world.record("m-vm-001").status is S.COMPLETED
    assert_invariants(world)


QUICK = {"job_pending": 5, "cleanup": 5, "snapshot": 5, "conversion": 10, "launch": 5}
"""A job that is over long before a late call arrives."""


@pytest.mark.parametrize("late", [0, 150, 299])
@pytest.mark.parametrize("operation", ["StartTest", "StartCutover"])
def test_a_launch_call_that_arrives_late_is_the_only_one(operation: str, late: float) -> None:
    """I3: it times out, and would arrive after the job of a second call has ended."""
    knobs = {"late_arrival_seconds": late, "test_relaunch": True, "cutover_relaunch": True}
    fault = {"kind": "call", "operations": [operation], "outcome": "timeout_late", "calls": [1]}
    world = a_world(fault, timings=QUICK, knobs=knobs)
    world.submit(*requests(world))
    world.run()
    assert world.record("m-vm-001").status is S.COMPLETED, world.record("m-vm-001").reason
    assert launches(world)[operation, world.record("m-vm-001").source_server_id or ""] == 1
    assert running_instances(world) == 1
    assert_invariants(world)


def test_a_launch_call_that_never_arrives_is_repeated_once_it_cannot_any_more() -> None:
    """I3"""
    fault = {"kind": "call", "operations": ["StartTest"], "outcome": "timeout_before", "calls": [1]}
    world = a_world(fault)
    world.submit(*requests(world))
    world.run()
    assert world.record("m-vm-001").status is S.COMPLETED
    calls = [entry["time"] for entry in world.simulator.log(kind="call") if entry["operation"] == "StartTest"]
    first, second = map(datetime.fromisoformat, calls)
    assert 360 <= (second - first).total_seconds() < 400
    assert_invariants(world)


def test_a_migration_cancelled_while_its_launch_call_may_still_arrive_leaves_nothing_behind() -> None:
    """I3, I6"""
    fault = {"kind": "call", "operations": ["StartTest"], "outcome": "timeout_late", "calls": [1]}
    world = a_world(fault, knobs={"late_arrival_seconds": 290})
    world.submit(*requests(world))
    cancelled = MigrationSignal(migration_id="m-vm-001", decision=Decision.CANCEL, by="ana", reason="wrong server")
    world.later(200, lambda: world.signal(cancelled))
    world.run()
    assert world.record("m-vm-001").status is S.CANCELLED, world.record("m-vm-001").reason
    assert world.simulator.server("vm-001").state == "READY_FOR_TEST"
    assert [entry["outcome"] for entry in world.simulator.log(kind="call") if entry["operation"] == "StartTest"] == [
        "timeout_late",
        "late ok",
    ]
    assert running_instances(world) == 0
    assert_invariants(world)
