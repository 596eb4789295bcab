"""After the launch: first boot, health and post-launch actions.

See docs/mgn.md#launched-instances and docs/mgn.md#post-launch-actions.
"""

from fnmatch import fnmatchcase
from typing import Any

from simulator.model.account.account import Account
from simulator.model.account.job import Job, Participant
from simulator.model.account.server import LaunchedInstance, SourceServer
from simulator.model.jobs.ending import close_when_done
from simulator.model.settings.faults import LaunchFault


def plan(account: Account, job: Job, participant: Participant, server: SourceServer) -> None:
    """An instance was launched: it boots unless its launch disposition keeps it stopped."""
    launched = server.launched
    if launched is None:
        return
    if server.launch_settings.get("launchDisposition") == "STOPPED":
        launched.first_boot, launched.status = "STOPPED", "stopped"
        return
    documents = _documents(server, launched.phase)
    participant.actions = [_action_status(account, document) for document in documents]
    participant.actions_done = not documents
    seconds = account.vary(server.timings, server.timings.boot)
    account.after(seconds, lambda: _booted(account, job, participant, server, launched))


def _booted(
    account: Account, job: Job, participant: Participant, server: SourceServer, launched: LaunchedInstance
) -> None:
    if not server.runs(launched):
        _abandon_actions(account, job, participant)
        return

    def fault(at: str) -> LaunchFault | None:
        return account.chaos.launch_fault(at, server, launched.phase, participant.attempt)

    dead = fault("boot")
    offline = dead or fault("ssm")
    launched.first_boot = dead.first_boot if dead else "SUCCEEDED"
    launched.status = "impaired" if dead or fault("status") else "ok"
    launched.checked_at = account.now
    serves = server.application if not dead and not fault("application") else None
    account.compute.boot(
        server.server_id, launched.instance_id, launched.status, "offline" if offline else "online", serves
    )
    account.notice(
        "instance",
        event="booted",
        instance=launched.instance_id,
        server=server.server_id,
        firstBoot=launched.first_boot,
        status=launched.status,
    )
    if participant.actions:
        if not offline:
            participant.agent_discovered_at = account.now
        failing = fault("actions")
        reason = "SSM agent was not discovered" if offline else ""
        _run_actions(account, job, participant, server, launched, failing, reason)


def _run_actions(
    account: Account,
    job: Job,
    participant: Participant,
    server: SourceServer,
    launched: LaunchedInstance,
    failing: LaunchFault | None,
    reason: str,
    index: int = 0,
) -> None:
    if index >= len(participant.actions):
        participant.actions_done = True
        close_when_done(account, job)
        return

    def ended() -> None:
        if not server.runs(launched):
            _abandon_actions(account, job, participant, index)
            return
        status = participant.actions[index]
        name = status["ssmDocument"]["actionName"]
        fails = bool(reason) or (failing is not None and any(fnmatchcase(name, glob) for glob in failing.actions))
        status["executionStatus"] = "FAILED" if fails else "SUCCESS"
        if fails:
            status["failureReason"] = reason or (failing.error if failing else "") or "simulated: the document failed"
            if status["ssmDocument"].get("mustSucceedForCutover"):
                launched.failed_mandatory_actions = (*launched.failed_mandatory_actions, name)
        _announce(account, job, participant, status)
        _run_actions(account, job, participant, server, launched, failing, reason, index + 1)

    account.after(account.vary(server.timings, server.timings.action), ended)


def _abandon_actions(account: Account, job: Job, participant: Participant, first: int = 0) -> None:
    """The instance is gone, and with it the actions that have not ended."""
    for status in participant.actions[first:]:
        status.update(executionStatus="FAILED", failureReason="the instance is gone")
        _announce(account, job, participant, status)
    participant.actions_done = True
    close_when_done(account, job)


def _announce(account: Account, job: Job, participant: Participant, status: dict[str, Any]) -> None:
    name, result = status["ssmDocument"]["actionName"], status["executionStatus"]
    account.notice("action", server=participant.server_id, job=job.job_id, action=name, status=result)


def _action_status(account: Account, document: dict[str, Any]) -> dict[str, Any]:
    return {
        "ssmDocument": document,
        "ssmDocumentType": "AUTOMATION" if document["ssmDocumentName"].startswith("AWSMigration-") else "COMMAND",
        "executionID": account.ids.uuid(),
        "executionStatus": "IN_PROGRESS",
    }


def _documents(server: SourceServer, phase: str) -> list[dict[str, Any]]:
    """The actions this launch runs: the launch configuration's documents, then the server's own by order."""
    settings = server.launch_settings.get("postLaunchActions") or {}
    deployment = settings.get("deployment", "TEST_AND_CUTOVER")
    if deployment != "TEST_AND_CUTOVER" and deployment != f"{phase.upper()}_ONLY":
        return []
    own = sorted((action for action in server.actions.values() if action["active"]), key=lambda action: action["order"])
    return [dict(document) for document in settings.get("ssmDocuments", ())] + [_as_document(action) for action in own]


def _as_document(action: dict[str, Any]) -> dict[str, Any]:
    kept = ("actionName", "timeoutSeconds", "mustSucceedForCutover", "parameters", "externalParameters")
    return {
        **{name: action[name] for name in kept if name in action},
        "ssmDocumentName": action["documentIdentifier"],
    }
