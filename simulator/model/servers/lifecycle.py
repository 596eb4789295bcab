"""Changes of a server's lifecycle that a caller asks for (docs/mgn.md#lifecycle)."""

from simulator.model.account.account import Account
from simulator.model.account.server import Phase, SourceServer
from simulator.model.forms.errors import refusal
from simulator.model.replication import replicating

# (from, to) of ChangeServerLifeCycleState, and the phase the change reverts, if any. CUTOVER is reached from any state
# once disconnected (docs/mgn.md#endings).
CHANGES: dict[tuple[str, str], Phase | None] = {
    ("READY_FOR_TEST", "READY_FOR_CUTOVER"): None,
    ("TESTING", "READY_FOR_CUTOVER"): None,
    ("TESTING", "READY_FOR_TEST"): "test",
    ("READY_FOR_CUTOVER", "READY_FOR_TEST"): "test",
    ("CUTTING_OVER", "READY_FOR_CUTOVER"): "cutover",
}


def _may_change(server: SourceServer, state: str) -> bool:
    if state == "CUTOVER":
        return server.replication.state == "DISCONNECTED" and server.state != "CUTOVER"
    return (server.state, state) in CHANGES


def change_state(account: Account, server: SourceServer, state: str) -> None:
    """Mark ready, or revert a test or cutover."""
    account.require_idle(server)
    same = server.state == state and account.knobs.same_state_change == "accept"
    if server.archived or not (same or _may_change(server, state)):
        raise account.wrong_state(server, f"ChangeServerLifeCycleState to {state}")
    if state != "CUTOVER" and not server.replication.launchable:
        raise account.not_launchable(server)
    if reverted := CHANGES.get((server.state, state)):
        server.record(reverted).reverted_at = account.now
    _set(account, server, state, "ChangeServerLifeCycleState")


def finalize(account: Account, server: SourceServer) -> None:
    """The point of no return: CUTOVER, replication disconnected, instances kept."""
    account.require_idle(server)
    if server.archived or server.state != "CUTTING_OVER":
        raise account.wrong_state(server, "FinalizeCutover")
    launched = server.launched if server.launched and server.launched.phase == "cutover" else None
    if account.knobs.finalize_needs_instance and launched is None:
        raise account.wrong_state(server, "FinalizeCutover without a cutover instance")
    if launched and launched.failed_mandatory_actions:
        raise refusal(
            account.knobs.must_succeed_error,
            f"Post-launch actions that must succeed for cutover failed: {', '.join(launched.failed_mandatory_actions)}",
            "SourceServer",
            server.server_id,
        )
    server.last_cutover.finalized_at = account.now
    _detach(account, server)
    _set(account, server, "CUTOVER", "FinalizeCutover")


def disconnect(account: Account, server: SourceServer) -> None:
    """Stop replication for good; the agent is told to leave, launched instances stay."""
    account.require_idle(server)
    if server.state == "CUTOVER" or server.replication.state == "DISCONNECTED":
        raise account.wrong_state(server, "DisconnectFromService")
    _detach(account, server)
    if account.knobs.lifecycle_after_disconnect == "DISCONNECTED":
        _set(account, server, "DISCONNECTED", "DisconnectFromService")


def archive(account: Account, server: SourceServer) -> None:
    """Hide a finished server; nothing brings it back."""
    account.require_idle(server)
    if server.archived or not _is_over(server):
        raise account.wrong_state(server, "MarkAsArchived")
    server.archived = True
    account.notice("lifecycle", server=server.server_id, state=server.state, by="MarkAsArchived")


def delete(account: Account, server: SourceServer) -> None:
    """Forget a finished server; its launched instance stays in EC2."""
    account.require_idle(server)
    if not _is_over(server):
        raise account.wrong_state(server, "DeleteSourceServer")
    del account.servers[server.server_id]
    account.notice("lifecycle", server=server.server_id, state="", by="DeleteSourceServer")


def stop_replication(account: Account, server: SourceServer) -> None:
    """Discard replicated data; restartable with a new initial sync."""
    account.require_idle(server)
    replicating.end(account, server, "STOPPED")
    if account.knobs.lifecycle_after_stop == "STOPPED":
        _set(account, server, "STOPPED", "StopReplication")


def _is_over(server: SourceServer) -> bool:
    return server.state in ("CUTOVER", "DISCONNECTED") or server.replication.state == "DISCONNECTED"


def _detach(account: Account, server: SourceServer) -> None:
    replicating.end(account, server, "DISCONNECTED")
    if server.template_id and account.knobs.disconnected_template == "deleted":
        account.compute.delete_template(server.server_id, server.template_id)
        server.template_id = ""


def _set(account: Account, server: SourceServer, state: str, by: str) -> None:
    server.state = state
    account.notice("lifecycle", server=server.server_id, state=state, by=by)
