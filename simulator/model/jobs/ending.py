"""When a participant is done, and when with the last one the whole job is (docs/mgn.md#jobs)."""

from simulator.model.account.account import Account
from simulator.model.account.job import Job, Participant


def open_job(account: Account, job: Job) -> None:
    """PENDING becomes STARTED."""
    job.status = "STARTED"
    job.note(account.now, "JOB_START")
    account.notice("job", event="started", job=job.job_id)
    for participant in job.participants.values():
        if not participant.settled:
            participant.launch_status = "IN_PROGRESS"


def settle(account: Account, job: Job, participant: Participant, launch_status: str) -> None:
    """One server reached its final launch status."""
    participant.launch_status = launch_status
    participant.settled = True
    close_when_done(account, job)


def close_when_done(account: Account, job: Job) -> None:
    """COMPLETED once every server is settled; a job has no other end."""
    if not job.active or job.status == "PENDING":
        return
    wait_for_actions = account.knobs.job_completes == "after_actions"
    if any(not p.settled or (wait_for_actions and not p.actions_done) for p in job.participants.values()):
        return
    job.status, job.ended_at = "COMPLETED", account.now
    job.note(account.now, "JOB_END")
    account.active_jobs.pop(job.job_id, None)
    for server_id in job.participants:
        server = account.servers.get(server_id)
        if server is not None and server.job_id == job.job_id:
            server.job_id = ""
    account.notice(
        "job",
        event="completed",
        job=job.job_id,
        servers={p.server_id: p.launch_status for p in job.participants.values()},
        activeJobs=len(account.active_jobs),
        activeServers=account.servers_in_active_jobs(),
    )
