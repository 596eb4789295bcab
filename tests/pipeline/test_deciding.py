"""Gates that a stage requires, through the whole state machine (I14)."""

from functools import partial

from runtime.models.decisions import Decision
from runtime.models.events import MigrationSignal
from runtime.models.functions.environment import DecisionRules
from runtime.models.request import Gate
from runtime.models.status import MigrationStatus
from simulator.scenario import Scenario, ServerSpec
from tests.builders import a_request
from tests.pipeline.world import World

ADA, EVE = "AROA0000000000000OPS:ada@example.com", "AROA0000000000000OPS:eve@example.com"
HOUR = 3_600
RULES = DecisionRules(required_gates=(Gate.CUTOVER, Gate.FINALIZE), requester_may_approve=False)


def approve(gate: Gate) -> MigrationSignal:
    return MigrationSignal(migration_id="m-1", decision=Decision.APPROVE, gate=gate, by="ada")


def test_i14_request_without_gates_waits_at_those_of_its_stage_for_another_person() -> None:
    world = World(Scenario(servers=(ServerSpec(name="vm"),)), decision_rules=RULES)
    world.submit(a_request("m-1", source_vm_id="vm", test=False), sender=EVE)
    for hours, gate in ((2, Gate.CUTOVER), (4, Gate.FINALIZE)):
        # The requester and somebody on the bus try first.
        for number, sender in enumerate((EVE, None, ADA, ADA)):
            world.later(hours * HOUR + 60 * number, partial(world.signal, approve(gate), sender=sender))
    world.run()
    record = world.record("m-1")
    assert record.status is MigrationStatus.COMPLETED, record.reason
    assert [(each.gate, each.sender) for each in record.approvals or ()] == [
        (Gate.CUTOVER, ADA),
        (Gate.FINALIZE, ADA),
    ]
    opened = {entry.to_status: entry.at for entry in world.migrations.journal("m-1") if entry.facts.approvals}
    waited = (opened[MigrationStatus.FINALIZING] - record.created_at).total_seconds()
    assert 4 * HOUR < waited < 5 * HOUR
    assert {(each.gate, each.sender) for each in world.decisions.refused("m-1")} == {
        (gate, sender) for gate in Gate for sender in (EVE, None)
    }
