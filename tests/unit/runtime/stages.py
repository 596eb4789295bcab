"""Brings a migration to a stage of its way through the logic itself, on fakes."""

from collections.abc import Callable
from typing import Any, TypeVar

from runtime.logic.dispatch import looking
from runtime.logic.dispatch.looking import Look
from runtime.logic.ingress import accept
from runtime.logic.steps.await_signal import await_signal
from runtime.logic.steps.prepare_source import await_replication, prepare_launch
from runtime.logic.steps.rollback import roll_back
from runtime.logic.steps.trigger_migration import trigger
from runtime.logic.steps.validate_input import validate
from runtime.logic.steps.verify_migration import await_boot, check_instance
from runtime.models.functions.environment import Budgets
from runtime.models.functions.steps import (
    AwaitSignal,
    Failure,
    PrepareSource,
    Rollback,
    Step,
    TriggerMigration,
    UndoGoal,
    ValidateInput,
    VerifyMigration,
)
from runtime.models.mgn import SourceServer
from runtime.models.record import MigrationRecord
from runtime.models.request import Phase
from runtime.models.waits import Progress, WaitKind
from tests.builders import SCOPE, SERVER_ID, a_request, a_server, some_health
from tests.fakes import FakeMgn, FakePorts

MIGRATION_ID = "mig-1"
SOURCE_NODE = "mi-11111111"
EXECUTION = "arn:aws:states:us-east-1:111122223333:execution:migrations:one"

AStep = TypeVar("AStep", bound=Step)


def a_world(server: SourceServer | None = None, budgets: Budgets | None = None) -> FakePorts:
    """Ports with one server in MGN, whose launches wait for no company and may run commands on source and target."""
    ports = FakePorts(
        FakeMgn(server or a_server()), budgets=budgets or Budgets(launch_gather=0), documents=("Quiesce", "Smoke")
    )
    ports.instances.tagged[SOURCE_NODE] = SERVER_ID
    return ports


def a_step(model: type[AStep], /, **fields: Any) -> AStep:
    """The input of a step of the one migration."""
    identity = {"migration_id": MIGRATION_ID, "correlation_id": f"cor-{MIGRATION_ID}", "execution": EXECUTION}
    return model.model_validate({**identity, **fields})


def the_record(ports: FakePorts, migration_id: str = MIGRATION_ID) -> MigrationRecord:
    return ports.migrations.records[migration_id]


def the_server(ports: FakePorts) -> SourceServer:
    return ports.mgn.by_id[SERVER_ID]


def accepted(ports: FakePorts, *, requester: str | None = None, **request: Any) -> MigrationRecord:
    asked = a_request(MIGRATION_ID, **{"correlation_id": f"cor-{MIGRATION_ID}", **request})
    return accept(ports, asked, requester=requester)


def waits_of(ports: FakePorts, migration_id: str = MIGRATION_ID) -> tuple[Any, ...]:
    return ports.waits.of(ports.scope, migration_id)


def finish_jobs(ports: FakePorts, launch_status: str = "LAUNCHED") -> None:
    """Let MGN end its jobs: instances come up, or are gone."""
    for job in [job for job in ports.mgn.started if job.is_active]:
        earlier = the_server(ports).launched_instance
        ports.mgn.end(job.job_id, launch_status)
        if earlier and earlier.ec2_instance_id:
            ports.instances.put(some_health(earlier.ec2_instance_id, state="terminated"))
        shown = the_server(ports).launched_instance
        if shown and shown.ec2_instance_id:
            ports.instances.put(some_health(shown.ec2_instance_id))


def _validated(ports: FakePorts) -> None:
    validate(a_step(ValidateInput), ports)


def _replicating(ports: FakePorts) -> None:
    await_replication(a_step(PrepareSource, task_token="replication"), "replication", ports)
    look(ports)


def _prepared(phase: Phase) -> Callable[[FakePorts], None]:
    return lambda ports: prepare_launch(a_step(PrepareSource, phase=phase), phase, ports)


def _windowed(ports: FakePorts) -> None:
    await_signal(a_step(AwaitSignal, kind=WaitKind.WINDOW, task_token="window"), ports)
    look(ports)


def _launching(phase: Phase) -> Callable[[FakePorts], None]:
    def act(ports: FakePorts) -> None:
        trigger(a_step(TriggerMigration, phase=phase, task_token=f"launch-{phase}"), ports)
        look(ports)

    return act


def _launched(ports: FakePorts) -> None:
    finish_jobs(ports)
    look(ports)


def _booting(phase: Phase) -> Callable[[FakePorts], None]:
    def act(ports: FakePorts) -> None:
        await_boot(a_step(VerifyMigration, phase=phase), f"boot-{phase}", ports)
        look(ports)

    return act


def _verified(phase: Phase) -> Callable[[FakePorts], None]:
    return lambda ports: check_instance(a_step(VerifyMigration, phase=phase), ports)


def look(ports: FakePorts) -> Look:
    """One look of the dispatcher; raises what kept a wait from ending."""
    report = looking.look(ports)
    for failure in report.failures:
        raise failure
    return report


STAGES: dict[str, Callable[[FakePorts], None]] = {
    "validated": _validated,
    "replicating": _replicating,
    "test-prepared": _prepared(Phase.TEST),
    "test-launching": _launching(Phase.TEST),
    "test-launched": _launched,
    "test-booting": _booting(Phase.TEST),
    "test-verified": _verified(Phase.TEST),
    "cutover-prepared": _prepared(Phase.CUTOVER),
    "windowed": _windowed,
    "cutover-launching": _launching(Phase.CUTOVER),
    "cutover-launched": _launched,
    "cutover-booting": _booting(Phase.CUTOVER),
    "cutover-verified": _verified(Phase.CUTOVER),
}


def bring_to(stage: str, ports: FakePorts | None = None, **request: Any) -> FakePorts:
    """A migration that has just passed `stage`."""
    ports = ports or a_world()
    accepted(ports, **request)
    for name, act in STAGES.items():
        if name.startswith("test-") and request.get("test") is False:
            continue
        act(ports)
        if name == stage:
            return ports
    raise KeyError(stage)


def undo_until_done(
    ports: FakePorts, failure: Failure | None = None, goal: UndoGoal = UndoGoal.ROLLED_BACK
) -> Progress:
    """Rounds of the undo as the state machine runs them, MGN's jobs ending in between."""
    failure = failure or Failure(error="CheckFailedError", cause="the application did not answer")
    for number in range(20):
        token = f"undo-{number}"
        roll_back(a_step(Rollback, goal=goal, failure=failure), token, ports)
        look(ports)
        # Longer than a launch call without an answer may still arrive.
        ports.advance(361)
        finish_jobs(ports)
        look(ports)
        progress = ports.resumer.resumed[token].progress
        if progress is not None and progress is not Progress.AGAIN:
            return progress
    raise AssertionError("the undo has no end")


def assert_as_before(ports: FakePorts, state: str = "READY_FOR_TEST") -> None:
    """Another attempt can start: nothing of the first is left."""
    assert the_server(ports).state == state
    assert not [health for health in ports.instances.known.values() if not health.is_gone]
    assert ports.launch_settings.defaults[SERVER_ID] == 1
    assert ports.migrations.lock_of(SCOPE, SERVER_ID) is None
    assert "undo" not in [wait.name for wait in waits_of(ports)]
