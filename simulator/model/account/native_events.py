"""The events MGN itself sends (docs/mgn.md#events): three documented kinds, best effort."""

from typing import Any

from simulator.model.account.account import Account
from simulator.model.account.ports import NativeEvent
from simulator.model.account.server import Phase, SourceServer

LAUNCH_RESULT = "MGN Source Server Launch Result"
LIFECYCLE = "MGN Source Server Lifecycle State Change"
STALLED = "MGN Source Server Data Replication Stalled Change"


def launch_ended(account: Account, server: SourceServer, phase: Phase, job_id: str, succeeded: bool) -> None:
    """A test or cutover instance was launched, or not."""
    state = f"{phase.upper()}_LAUNCH_{'SUCCEEDED' if succeeded else 'FAILED'}"
    _send(account, server, LAUNCH_RESULT, {"state": state, "job-id": job_id})


def ready_for_test(account: Account, server: SourceServer) -> None:
    """The server became READY_FOR_TEST; announced the first time only."""
    if not server.ready_for_test_announced:
        server.ready_for_test_announced = True
        _send(account, server, LIFECYCLE, {"state": "READY_FOR_TEST"})
        _send_undocumented(account, server, "MGN Source Server Ready For Test", {"state": "READY_FOR_TEST"})


def stalled(account: Account, server: SourceServer, is_stalled: bool) -> None:
    """Replication stalled, or is no longer."""
    _send(account, server, STALLED, {"state": "STALLED" if is_stalled else "NOT_STALLED"})


def replication_changed(account: Account, server: SourceServer) -> None:
    """Replication went into another state: two kinds of undocumented payload."""
    state = {"state": server.replication.state}
    _send_undocumented(account, server, "MGN Data Replication State Change", state)
    if server.replication.state == "INITIATING":
        _send_undocumented(account, server, "MGN Data Replication", state)


def agent_installed(account: Account, server: SourceServer) -> None:
    """An agent reported for the first time."""
    _send_undocumented(account, server, "MGN Agent Install", {"state": "INSTALLED"})


def _send_undocumented(account: Account, server: SourceServer, detail_type: str, detail: dict[str, Any]) -> None:
    # The reference lists these detail-types without a payload, so they exist only behind their knob.
    if account.knobs.undocumented_events:
        _send(account, server, detail_type, detail)


def _send(account: Account, server: SourceServer, detail_type: str, detail: dict[str, Any]) -> None:
    event = NativeEvent(detail_type, account.now, server.arn, detail)
    for delay in account.chaos.deliveries(event, server.name, server.hardware.hostname, server.server_id):
        if delay > 0:
            account.after(delay, lambda: _put(account, event))
        else:
            _put(account, event)


def _put(account: Account, event: NativeEvent) -> None:
    account.bus.publish(event)
    account.notice("event", detailType=event.detail_type, resource=event.resource, detail=dict(event.detail))
