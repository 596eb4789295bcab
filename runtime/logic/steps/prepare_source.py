"""prepare_source: wait until the server is launchable, then bring it and its launch settings to a phase."""

from datetime import timedelta

from runtime.errors import DriftError, IllegalMoveError, SourceServerStateError
from runtime.logic.journal import move, note
from runtime.logic.lookups.migration import load, read_server, server_of
from runtime.logic.ports import Ports
from runtime.logic.steps.commands import run_command
from runtime.logic.waits.parking import park, parked
from runtime.models.functions.steps import PrepareSource
from runtime.models.mgn import LifeCycleState
from runtime.models.record import Facts, MigrationRecord
from runtime.models.request import Phase
from runtime.models.status import MigrationStatus
from runtime.models.waits import ReplicationWait

ACTOR = PrepareSource.function.name

_READY = {Phase.TEST: LifeCycleState.READY_FOR_TEST, Phase.CUTOVER: LifeCycleState.READY_FOR_CUTOVER}
_FROM = {
    Phase.TEST: (LifeCycleState.READY_FOR_TEST, LifeCycleState.READY_FOR_CUTOVER),
    Phase.CUTOVER: (LifeCycleState.READY_FOR_TEST, LifeCycleState.TESTING, LifeCycleState.READY_FOR_CUTOVER),
}


def await_replication(step: PrepareSource, token: str, ports: Ports) -> None:
    """Park until the server is ready for its first launch."""
    record, ports = load(ports, step)
    record = move(ports, record, MigrationStatus.PREPARING, actor=ACTOR, reason="waiting to be launchable")
    deadline = record.updated_at + timedelta(seconds=ports.budgets.replication)
    park(ports, record, ReplicationWait(**parked(ports, record, token), deadline=deadline))


def prepare_launch(step: PrepareSource, phase: Phase, ports: Ports) -> None:
    """Run the pre-migration command once, set the lifecycle and the launch settings of `phase`.

    Raises CheckPendingError while the command runs, CheckFailedError when it fails, DriftError when MGN's lifecycle
    does not allow the phase, IllegalMoveError when the migration is undone.
    """
    record, ports = load(ports, step)
    if record.status is MigrationStatus.ROLLING_BACK or record.status.is_terminal:
        # A try that comes late would change again what the undo has restored.
        raise IllegalMoveError(f"{record.migration_id} is {record.status}; no launch is prepared any more")
    command = record.request.pre_migration_command
    if command is not None:
        record = run_command(
            ports,
            record,
            key="pre-migration",
            instance_id=command.instance_id,
            document=command.document,
            parameters=command.parameters,
            actor=ACTOR,
        )
    server = read_server(ports, record)
    if server.state not in _FROM[phase]:
        raise DriftError(f"{server.source_server_id} is {server.state}; a {phase} launch cannot be prepared from there")
    if server.state != _READY[phase]:
        _change_lifecycle(ports, record, _READY[phase])
    if record.launch_template is None:
        # Remembered before anything changes, so that the undo can restore it.
        template = ports.launch_settings.current(server.source_server_id)
        facts = Facts(launch_template=template)
        record = note(
            ports, record, facts, actor=ACTOR, reason=f"launch template was at version {template.default_version}"
        )
    marker = f"{record.migration_id}:{phase}"
    ports.launch_settings.apply(record.request, server.source_server_id, phase, marker, before=record.launch_template)


def _change_lifecycle(ports: Ports, record: MigrationRecord, wanted: LifeCycleState) -> None:
    try:
        ports.mgn.change_lifecycle(server_of(record), wanted)
    except SourceServerStateError:
        # An earlier try of ours may have had its effect meanwhile, although its answer was lost.
        if read_server(ports, record).state != wanted:
            raise
