"""Puts faults in force: those of the scenario, and those injected later."""

from math import inf

from simulator.model.account.account import Account
from simulator.model.account.server import GIB, SourceServer
from simulator.model.replication import replicating
from simulator.model.settings.faults import Fault, ReplicationFault


def put_in_force(account: Account, fault: Fault) -> None:
    """Make a fault effective from now on."""
    if isinstance(fault, ReplicationFault):
        account.chaos.planned.append(fault)
        account.after(fault.after_seconds, lambda: _interrupt(account, fault))
    else:
        account.chaos.add(fault)


def _interrupt(account: Account, fault: ReplicationFault) -> None:
    account.chaos.planned.remove(fault)
    stream = account.ids.stream(f"replication-fault:{account.now}:{fault}")
    for server in list(account.servers.values()):
        named = fault.concerns(server.name, server.hardware.hostname, server.server_id)
        if not named or stream.random() > fault.probability:
            continue
        found = server.replication.state
        missed = {} if _hit(account, server, fault) else {"missed": found}
        account.notice("fault", fault="replication", state=fault.state, server=server.server_id, **missed)


def _hit(account: Account, server: SourceServer, fault: ReplicationFault) -> bool:
    """Interrupt one server; False when its replication is in no state to be interrupted so."""
    if fault.state == "STALLED":
        hit = replicating.stall(account, server, fault.error)
        if hit and fault.lasts_seconds is not None:
            account.after(fault.lasts_seconds, lambda: replicating.heal(account, server))
        return hit
    if server.replication.state != "CONTINUOUS":
        return False
    server.replication.backlog_bytes = int(fault.backlog_gib * GIB)
    replicating.enter(account, server, fault.state, inf if fault.lasts_seconds is None else fault.lasts_seconds)
    return True
