"""Gives a server the past that its state in the scenario implies."""

from simulator.model.account.account import Account
from simulator.model.account.server import Phase, SourceServer
from simulator.model.replication import replicating
from simulator.scenario import ServerSpec

_REPLICATION_OF = {
    "NOT_READY": "INITIATING",
    "STOPPED": "STOPPED",
    "DISCOVERED": "STOPPED",
    "PENDING_INSTALLATION": "STOPPED",
    "CUTOVER": "DISCONNECTED",
    "DISCONNECTED": "DISCONNECTED",
}

_LAUNCHED_FOR: dict[str, Phase] = {"TESTING": "test", "CUTTING_OVER": "cutover", "CUTOVER": "cutover"}


def give_past(account: Account, server: SourceServer, spec: ServerSpec) -> None:
    """Bring replication to where the lifecycle says it must be."""
    replication = server.replication
    state = spec.replication or _REPLICATION_OF.get(spec.lifecycle, "CONTINUOUS")
    if state == "STOPPED":
        return
    if state == "INITIATING":
        replicating.begin(account, server)
        return
    timings = server.timings
    replication.started_at = account.now - timings.initiation - timings.initial_sync
    replication.first_byte_at = account.now - timings.initial_sync
    server.added_at = replication.started_at
    if state == "DISCONNECTED":
        replicating.end(account, server, "DISCONNECTED")
        return
    server.ready_for_test_announced = spec.lifecycle != "NOT_READY"
    replication.launchable = spec.lifecycle != "NOT_READY"
    replication.continuous_at = account.now if replication.launchable else None
    replicating.enter(account, server, state)


def give_calls(account: Account, server: SourceServer) -> None:
    """The calls that led to the server's state, made just now; their job is listed no more, as after DeleteJob."""
    phase = _LAUNCHED_FOR.get(server.state)
    if phase is not None:
        record = server.record(phase)
        record.initiated_at, record.job_id = account.now, account.ids.new("mgnjob")
        record.finalized_at = account.now if server.state == "CUTOVER" else None
