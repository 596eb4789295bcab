"""A terminate job at work (docs/mgn.md#endings)."""

from simulator.model.account.account import Account
from simulator.model.account.job import Job, Participant
from simulator.model.account.meeting import meet
from simulator.model.account.server import LaunchedInstance, SourceServer
from simulator.model.jobs.ending import close_when_done, open_job, settle


def begin(account: Account, job: Job) -> None:
    """The job starts: every server's target instance is terminated."""
    open_job(account, job)
    for participant in job.participants.values():
        server = account.servers.get(participant.server_id)
        if participant.settled:
            continue
        if server is None or server.launched is None:
            job.note(account.now, "SERVER_SKIPPED", sourceServerID=participant.server_id)
            settle(account, job, participant, "TERMINATED")
        else:
            _terminate(account, job, participant, server, server.launched)
    close_when_done(account, job)


def _terminate(
    account: Account, job: Job, participant: Participant, server: SourceServer, launched: LaunchedInstance
) -> None:
    job.note(account.now, "CLEANUP_START", sourceServerID=server.server_id, targetInstanceID=launched.instance_id)
    seconds = account.vary(server.timings, server.timings.terminate)

    def ended(error: str) -> None:
        _ended(account, job, participant, server, launched, error)

    if fault := account.chaos.launch_fault("terminate", server, launched.phase, participant.attempt):
        error = fault.error or "simulated: the instance could not be terminated"
        account.after(seconds, lambda: ended(error))
        return
    meet(
        account,
        seconds,
        lambda done: account.compute.terminate(server.server_id, launched.instance_id, done),
        ended,
    )


def _ended(
    account: Account,
    job: Job,
    participant: Participant,
    server: SourceServer,
    launched: LaunchedInstance,
    error: str,
) -> None:
    data = {"sourceServerID": server.server_id, "targetInstanceID": launched.instance_id}
    if error:
        job.note(account.now, "CLEANUP_FAIL", **data, rawError=error)
        settle(account, job, participant, "FAILED")
        return
    job.note(account.now, "CLEANUP_END", **data)
    account.notice(
        "instance", event="terminated", instance=launched.instance_id, server=server.server_id, job=job.job_id
    )
    launched.status = "terminated"
    if account.knobs.launched_instance_after_terminate == "empty" and server.launched is launched:
        server.launched = None
    participant.instance_id = launched.instance_id
    settle(account, job, participant, "TERMINATED")
