"""Accepting or refusing StartTest, StartCutover and TerminateTargetInstances (docs/mgn.md#jobs, docs/mgn.md#quotas)."""

from collections.abc import Mapping, Sequence

from simulator.model.account.account import BUSY, Account
from simulator.model.account.job import Job, Participant
from simulator.model.account.server import Phase, SourceServer
from simulator.model.forms.errors import conflict, over_quota, refusal
from simulator.model.jobs import launching, terminating

_INITIATED_BY = {"test": "START_TEST", "cutover": "START_CUTOVER", None: "TERMINATE"}
_ACTION = {"test": "StartTest", "cutover": "StartCutover", None: "TerminateTargetInstances"}
_NO_TERMINATE = frozenset({"TESTING", "CUTTING_OVER", "CUTOVER"})


def start_job(account: Account, phase: Phase | None, server_ids: Sequence[str], tags: Mapping[str, str]) -> Job:
    """Create the job, or refuse the whole call; `phase` None means terminate."""
    servers = _known(account, list(dict.fromkeys(server_ids)))
    skipped = _busy(account, servers)
    chosen = [server for server in servers if server not in skipped]
    for server in chosen:
        _require_state(account, server, phase)
    _require_quota(account, len(chosen))
    job = _create(account, phase, servers, tags)
    for server in skipped:
        participant = job.participants[server.server_id]
        participant.settled = participant.skipped = True
        job.note(account.now, "SERVER_SKIPPED", sourceServerID=server.server_id)
    for server in chosen:
        _mark(account, server, phase, job)
    _announce(account, job)
    begin = terminating.begin if phase is None else launching.begin
    account.after(account.timings.job_pending, lambda: begin(account, job))
    return job


def _known(account: Account, server_ids: Sequence[str]) -> list[SourceServer]:
    unknown = [server_id for server_id in server_ids if server_id not in account.servers]
    if unknown:
        raise refusal(
            account.knobs.unknown_server_error,
            f"Source servers not found: {', '.join(unknown)}",
            "SourceServer",
            unknown[0],
        )
    return [account.servers[server_id] for server_id in server_ids]


def _busy(account: Account, servers: Sequence[SourceServer]) -> list[SourceServer]:
    busy = [server for server in servers if server.job_id]
    if busy and (account.knobs.busy_batch == "reject_all" or len(busy) == len(servers)):
        raise conflict(BUSY, errors=[_busy_detail(server) for server in busy])
    return busy


def _busy_detail(server: SourceServer) -> dict[str, str]:
    return {
        "message": f"{server.server_id} is being processed by {server.job_id}",
        "resourceId": server.server_id,
        "resourceType": "SourceServer",
    }


def _require_state(account: Account, server: SourceServer, phase: Phase | None) -> None:
    if phase is None:
        _require_terminable(account, server)
        return
    if server.archived or server.state not in _launch_states(account, phase):
        raise account.wrong_state(server, _ACTION[phase])
    if not server.replication.launchable:
        raise account.not_launchable(server)


def _require_terminable(account: Account, server: SourceServer) -> None:
    if server.state in _NO_TERMINATE:
        raise account.wrong_state(server, _ACTION[None])
    if server.launched is None and account.knobs.terminate_without_instance == "refuse":
        raise account.wrong_state(server, "TerminateTargetInstances without a launched instance")


def _launch_states(account: Account, phase: Phase) -> frozenset[str]:
    if phase == "test":
        return frozenset({"READY_FOR_TEST", "TESTING"} if account.knobs.test_relaunch else {"READY_FOR_TEST"})
    relaunch = account.knobs.cutover_relaunch
    return frozenset({"READY_FOR_CUTOVER", "CUTTING_OVER"} if relaunch else {"READY_FOR_CUTOVER"})


def _require_quota(account: Account, count: int) -> None:
    quotas, code = account.quotas, account.knobs.quota_error
    if count > quotas.servers_per_job:
        raise over_quota(code, f"A job takes {quotas.servers_per_job} source servers at most", "L-MGN-SERVERS-PER-JOB",
                         quotas.servers_per_job, "Job")  # fmt: skip
    if len(account.active_jobs) >= quotas.active_jobs:
        raise over_quota(code, f"Maximum of {quotas.active_jobs} concurrent jobs in progress reached", "L-MGN-JOBS",
                         quotas.active_jobs, "Job")  # fmt: skip
    if account.servers_in_active_jobs() + count > quotas.servers_in_active_jobs:
        raise over_quota(
            code,
            f"Maximum of {quotas.servers_in_active_jobs} source servers in all active jobs would be exceeded",
            "L-MGN-SERVERS-IN-JOBS",
            quotas.servers_in_active_jobs,
            "SourceServer",
        )


def _create(account: Account, phase: Phase | None, servers: Sequence[SourceServer], tags: Mapping[str, str]) -> Job:
    job_id = account.ids.new("mgnjob")
    job = Job(
        job_id=job_id,
        arn=account.ids.arn("job", job_id),
        sequence=account.next_sequence(),
        kind="TERMINATE" if phase is None else "LAUNCH",
        initiated_by=_INITIATED_BY[phase],
        created_at=account.now,
        participants={server.server_id: Participant(server.server_id) for server in servers},
        tags=dict(tags),
        phase=phase,
    )
    account.jobs[job_id] = account.active_jobs[job_id] = job
    return job


def _announce(account: Account, job: Job) -> None:
    account.notice(
        "job",
        event="created",
        job=job.job_id,
        initiatedBy=job.initiated_by,
        servers=list(job.participants),
        activeJobs=len(account.active_jobs),
        activeServers=account.servers_in_active_jobs(),
    )


def _mark(account: Account, server: SourceServer, phase: Phase | None, job: Job) -> None:
    server.job_id = job.job_id
    kind = phase or "terminate"
    server.attempts[kind] = job.participants[server.server_id].attempt = server.attempts.get(kind, 0) + 1
    if phase is None:
        return
    record = server.record(phase)
    record.initiated_at, record.job_id = account.now, job.job_id
    # Set when the call is accepted, before any instance exists (docs/mgn.md#lifecycle).
    server.state = "TESTING" if phase == "test" else "CUTTING_OVER"
    account.notice("lifecycle", server=server.server_id, state=server.state, by=_ACTION[phase])
