"""finalize_cutover: the point of no return, passed only when MGN and the journal agree on a verified cutover (I5)."""

from runtime.errors import MigrationCancelledError, NotVerifiedError
from runtime.logic.journal import lock_held_by, move
from runtime.logic.lookups.approvals import approvals, in_words
from runtime.logic.lookups.decisions import decisions_of
from runtime.logic.lookups.migration import load, read_server
from runtime.logic.ports import Ports
from runtime.models.decisions import Signal, cancellation
from runtime.models.functions.steps import FinalizeCutover
from runtime.models.mgn import InstanceHealth, LifeCycleState, SourceServer
from runtime.models.record import Facts, MigrationRecord
from runtime.models.request import Gate, Phase
from runtime.models.status import MigrationStatus

ACTOR = FinalizeCutover.function.name


def finalize(step: FinalizeCutover, ports: Ports) -> None:
    """Re-check, then FinalizeCutover; a lost answer is resolved by reading.

    Raises NotVerifiedError, saying why, and MigrationCancelledError for a cancellation that no wait has read.
    """
    record, ports = load(ports, step)
    if record.status is MigrationStatus.COMPLETED:
        return
    server = read_server(ports, record)
    if not _is_final(record, server):
        instance_id = record.cutover_launch.instance_id if record.cutover_launch else None
        health = ports.instances.health([instance_id])[instance_id] if instance_id else None
        signals = decisions_of(ports, record)
        if cancel := cancellation(signals):
            raise MigrationCancelledError(f"cancelled by {cancel.words}")
        missing = missing_conditions(record, server, health, signals)
        if missing:
            raise NotVerifiedError(f"finalize refused: {'; '.join(missing)}")
        opened = approvals(record, signals)
        record = move(
            ports,
            record,
            MigrationStatus.FINALIZING,
            actor=ACTOR,
            reason=f"all conditions hold{in_words(each for each in opened if each.gate is Gate.FINALIZE)}",
            facts=Facts(approvals=opened or None),
        )
        ports.mgn.finalize(server.source_server_id)
    reason = f"cut over to {record.cutover_launch.instance_id if record.cutover_launch else 'its instance'}"
    unlock = lock_held_by(record, at=ports.now())
    move(ports, record, MigrationStatus.COMPLETED, actor=ACTOR, reason=reason, unlock=unlock)


def missing_conditions(
    record: MigrationRecord, server: SourceServer, health: InstanceHealth | None, signals: tuple[Signal, ...]
) -> tuple[str, ...]:
    """What stands between this migration and its point of no return."""
    launch = record.cutover_launch
    missing = []
    if launch is None or not launch.verified:
        missing.append("the cutover was not verified")
    if server.state != LifeCycleState.CUTTING_OVER:
        missing.append(f"{server.source_server_id} is {server.state}, not CUTTING_OVER")
    shown = server.launched_instance
    if launch and (shown is None or (shown.job_id, shown.ec2_instance_id) != (launch.job_id, launch.instance_id)):
        missing.append("MGN's launched instance is not the one that was verified")
    if health is None or health.state != "running":
        missing.append(f"the instance is {health.state if health else 'unknown'}, not running")
    opened = {signal.gate for signal in approvals(record, signals)}
    missing += [f"{gate} is not approved" for gate in record.gates if gate not in opened]
    return tuple(missing)


def _is_final(record: MigrationRecord, server: SourceServer) -> bool:
    # Our FinalizeCutover took effect although its answer was lost.
    launch = record.cutover_launch
    return (
        record.status is MigrationStatus.FINALIZING
        and server.state == LifeCycleState.CUTOVER
        and launch is not None
        and server.launched_job(Phase.CUTOVER) == launch.job_id
    )
