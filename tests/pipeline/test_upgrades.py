"""Executions that an earlier release began go on with the functions of this one and end as they would have (I13)."""

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.models.decisions import Decision
from runtime.models.events import MigrationSignal
from runtime.models.request import Gate
from runtime.models.status import MigrationStatus
from runtime.models.waits import wait_from_json
from simulator.scenario import Scenario, ServerSpec
from tests.builders import a_request
from tests.golden.kinds import RELEASES
from tests.pipeline.test_pipeline import assert_invariants, running_instances
from tests.pipeline.world import World

S = MigrationStatus

of_each_release = pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)


def begun_under(release: Path, *faults: dict[str, Any], **request: Any) -> World:
    """One migration whose execution keeps the release's definition."""
    program = json.loads((release / "state-machine.json").read_text())
    scenario = Scenario.model_validate({"servers": (ServerSpec(name="vm-001"),), "faults": faults})
    world = World(scenario, program=program)
    world.submit(a_request("m-1", source_vm_id="vm-001", **request))
    return world


def decide(world: World, decision: Decision, gate: Gate | None = None) -> None:
    world.signal(MigrationSignal(migration_id="m-1", decision=decision, gate=gate, by="ada"))


@of_each_release
@pytest.mark.parametrize("test", [True, False])
def test_i13_execution_with_every_kind_of_wait_completes(release: Path, test: bool) -> None:
    world = begun_under(release, test=test, soak_seconds=3_600, approval={"cutover": True, "finalize": True})
    for gate in Gate:
        decide(world, Decision.APPROVE, gate)
    world.run()
    assert world.record("m-1").status is S.COMPLETED
    assert_invariants(world)


@of_each_release
def test_i13_test_launch_of_an_earlier_release_is_cleaned_up(release: Path) -> None:
    world = begun_under(release, mode="test")
    world.run()
    assert (world.record("m-1").status, running_instances(world)) == (S.COMPLETED, 0)


@of_each_release
@pytest.mark.parametrize(
    ("request_", "end"),
    [
        ({"checks": [{"type": "tcp", "port": 8080}]}, S.ROLLED_BACK),
        ({"approval": {"cutover": True, "timeout_seconds": 3_600}}, S.ROLLED_BACK),
        ({"source_vm_id": "nobody"}, S.REJECTED),
    ],
    ids=["check fails", "nobody decides", "unknown server"],
)
def test_i13_failure_of_an_earlier_releases_execution_is_undone(
    release: Path, request_: dict[str, Any], end: MigrationStatus
) -> None:
    program = json.loads((release / "state-machine.json").read_text())
    world = World(Scenario(servers=(ServerSpec(name="vm-001"),)), program=program)
    world.prober.seen[8080] = "connection refused"
    world.submit(a_request("m-1", **{"source_vm_id": "vm-001", **request_}))
    world.run()
    assert world.record("m-1").status is end
    assert running_instances(world) == 0


@of_each_release
def test_i13_cancellation_reaches_an_earlier_releases_execution(release: Path) -> None:
    world = begun_under(release, approval={"cutover": True})
    decide(world, Decision.CANCEL)
    world.run()
    assert world.record("m-1").status is S.CANCELLED


@of_each_release
def test_i13_wait_that_an_earlier_release_parked_is_ended(release: Path) -> None:
    """The parked approval is the earlier release's own words, but for whom and where they are about."""
    world = begun_under(release, approval={"cutover": True})
    text = json.loads((release / "stored" / "wait-approval-parked.json").read_text())
    with world._wired():
        while not any(wait.name == "approval-cutover" for wait in world.waits.parked.values()):
            world._step()
    (key, parked) = next((key, wait) for key, wait in world.waits.parked.items() if wait.name == "approval-cutover")
    own = {name: json.loads(parked.to_json())[name] for name in ("migrationId", "scope", "sourceServerId", "deadline")}
    own["token"] = world.tokens.token(parked.token_key or "")
    world.waits.parked[key] = wait_from_json(json.dumps({**text, **own}))
    decide(world, Decision.APPROVE, Gate.CUTOVER)
    world.run()
    assert world.record("m-1").status is S.COMPLETED
