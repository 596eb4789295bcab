"""The design's invariants, each judged on the evidence of one run."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from localcloud.demo.evidence import Evidence, LogEntry
from localcloud.demo.report import Invariant
from localcloud.sample import SECRET_TAG_VALUE
from localcloud.state import in_words
from runtime.logic.dispatch.batching import CORRELATION_TAG, LAUNCH_TAG
from runtime.logic.journal import rebuild
from runtime.models.record import MigrationRecord
from runtime.models.request import Phase
from runtime.models.scope import Scope
from runtime.models.status import MigrationStatus

JOBS_QUOTA = 20
SERVERS_QUOTA = 200
UNDONE = (MigrationStatus.ROLLED_BACK, MigrationStatus.CANCELLED)


def judge(evidence: Evidence) -> dict[str, Invariant]:
    """Every invariant by its number."""
    return {name: _verdict(check(evidence)) for name, check in CHECKS.items()}


def _verdict(found: tuple[str, list[str]]) -> Invariant:
    how, broken = found
    return Invariant(held=not broken, how="; ".join(broken) if broken else how)


def nothing_lost(e: Evidence) -> tuple[str, list[str]]:
    """I1"""
    expected = {message.migration_id for message in e.sent if message.migration_id}
    bad = [message for message in e.sent if message.migration_id is None]
    duplicates = sum(any(m.body == message.body and m.migration_id for m in e.sent) for message in bad)
    found = {record.migration_id for record in e.records}
    broken = (
        [f"{len(expected ^ found)} migrations missing or unasked for: {sorted(expected ^ found)}"]
        if expected ^ found
        else []
    )
    if len(e.rejections) != len(bad) - duplicates:
        broken.append(f"{len(e.rejections)} stored rejections for {len(bad) - duplicates} unusable messages")
    counted = f"{len(found)} migrations, {len(e.rejections)} stored rejections, {duplicates} duplicate"
    return f"{len(e.sent)} messages: {counted}", broken


def one_migration_a_server(e: Evidence) -> tuple[str, list[str]]:
    """I2"""
    migrations: dict[tuple[Scope, str], list[str]] = {}
    for record in e.records:
        if record.scope and record.source_server_id:
            migrations.setdefault((record.scope, record.source_server_id), []).append(record.migration_id)
    shared = [f"{in_words(scope)} {server}: {found}" for (scope, server), found in migrations.items() if len(found) > 1]
    held = [
        f"{lock.source_server_id} is still locked by {lock.owner}" for lock in e.locks if not _is_frozen(e, lock.owner)
    ]
    ids = Counter(server for _, server in migrations)
    how = f"{len(migrations)} servers had one migration each and no lock is left"
    return f"{how}; {sum(count > 1 for count in ids.values())} id stands for two servers of two accounts", shared + held


def launched_once(e: Evidence) -> tuple[str, list[str]]:
    """I3"""
    launches = Counter(
        (operation, scope, server)
        for scope, operation, call in _accepted(e, "StartTest", "StartCutover")
        for server in call["parameters"]["sourceServerIDs"]
    )
    twice = [
        f"{in_words(scope)} {server} had {count} accepted {operation}"
        for (operation, scope, server), count in launches.items()
        if count > 1
    ]
    known = {
        launch.launch_id
        for record in e.records
        for launch in (record.test_launch, record.cutover_launch, record.undo_launch)
        if launch
    }
    jobs = _jobs(e)
    untagged = [job["jobID"] for job in jobs if job["tags"].get(LAUNCH_TAG) not in known]
    how = f"{sum(launches.values())} launches, one per server and phase; {len(jobs)} jobs with a journaled id"
    return how, twice + [f"job {job} carries no launch id of ours" for job in untagged]


def quotas_kept(e: Evidence) -> tuple[str, list[str]]:
    """I4"""
    how, broken = [], []
    for scope, seen in e.places.items():
        jobs = max((entry["activeJobs"] for entry in seen.mgn_log if "activeJobs" in entry), default=0)
        servers = max((entry["activeServers"] for entry in seen.mgn_log if "activeServers" in entry), default=0)
        peak = f"at most {jobs} active jobs and {servers} servers in them in {in_words(scope)}"
        how.append(peak)
        broken += [peak] if jobs > JOBS_QUOTA or servers > SERVERS_QUOTA else []
    return "; ".join(how), broken


def finalized_after_verification(e: Evidence) -> tuple[str, list[str]]:
    """I5"""
    final = [(scope, call["parameters"]["sourceServerID"]) for scope, _, call in _accepted(e, "FinalizeCutover")]
    by_server = {(record.scope, record.source_server_id): record for record in e.records}
    broken = []
    for scope, server in final:
        record = by_server.get((scope, server))
        launch = record.launch(Phase.CUTOVER) if record else None
        if record is None or record.status is not MigrationStatus.COMPLETED or launch is None or not launch.verified:
            broken.append(f"{in_words(scope)} {server} was finalized without a verified cutover")
        elif launch.instance_id not in e.places[scope].running_instances:
            broken.append(f"{record.migration_id}: {launch.instance_id} does not run in {in_words(scope)}")
    return f"{len(final)} FinalizeCutover calls, each after its journaled verification; its instance runs", broken


def undone_fully(e: Evidence) -> tuple[str, list[str]]:
    """I6"""
    broken = []
    undone = [
        (record, record.scope, record.source_server_id)
        for record in e.records
        if record.status in UNDONE and record.scope and record.source_server_id
    ]
    running = frozenset[str]().union(*(seen.running_instances for seen in e.places.values()))
    for record, scope, server_id in undone:
        server = e.places[scope].servers[server_id]
        if server["lifeCycle"]["state"] != record.lifecycle_before:
            broken.append(
                f"{record.migration_id}: lifecycle {server['lifeCycle']['state']}, was {record.lifecycle_before}"
            )
        if server["dataReplicationInfo"].get("dataReplicationState") != "CONTINUOUS":
            broken.append(f"{record.migration_id}: the source no longer replicates")
        alive = {i for i in _instances(record) if i in running}
        broken += [f"{record.migration_id}: {instance} is still running" for instance in alive]
    return f"{len(undone)} undone migrations: lifecycle restored, no instance left, source replicating", broken


def everything_ended(e: Evidence) -> tuple[str, list[str]]:
    """I7"""
    broken = [f"{r.migration_id} is {r.status}" for r in e.records if not r.status.is_terminal]
    ends = Counter(c.migration_id for c in e.callbacks.values() if c.to_status.is_terminal)
    asked = [r.migration_id for r in e.records if r.request.callback_url]
    broken += [f"{name} has {ends[name]} terminal callbacks" for name in asked if ends[name] != 1]
    return (
        f"{len(e.records)} migrations ended, each with one terminal callback ({e.deliveries} deliveries in all)",
        broken,
    )


def journal_is_the_record(e: Evidence) -> tuple[str, list[str]]:
    """I8"""
    broken = [r.migration_id for r in e.records if rebuild(e.journals[r.migration_id]) != r]
    entries = sum(len(journal) for journal in e.journals.values())
    return f"every record is the fold of its journal ({entries} entries)", [f"{name} differs" for name in broken]


def one_correlation_id(e: Evidence) -> tuple[str, list[str]]:
    """I9"""
    broken = []
    named = {job["tags"].get(LAUNCH_TAG): _correlation_ids(job["tags"]) for job in _jobs(e)}
    for record in e.records:
        seen = {entry.correlation_id for entry in e.journals[record.migration_id]}
        seen |= {c.correlation_id for c in e.callbacks.values() if c.migration_id == record.migration_id}
        if seen != {record.correlation_id} or record.correlation_id not in e.logs:
            broken.append(f"{record.migration_id}: {sorted(seen)}, logged: {record.correlation_id in e.logs}")
        # A job holds servers of several migrations and names them all.
        broken += [
            f"{record.migration_id}: {launch.job_id} does not name {record.correlation_id}"
            for launch in (record.test_launch, record.cutover_launch, record.undo_launch)
            if launch and record.correlation_id not in named.get(launch.launch_id, ())
        ]
    return "one id in journal, callbacks, MGN job tags and log lines of each migration", broken


def events_only_wake(e: Evidence) -> tuple[str, list[str]]:
    """I10"""
    log = [entry for seen in e.places.values() for entry in seen.mgn_log]
    faults = Counter(
        entry.get("outcome") for entry in log if entry["kind"] == "fault" and entry.get("fault") == "event"
    )
    sent = sum(entry["kind"] == "event" for entry in log)
    how = f"MGN sent {sent} events, {faults['drop']} were lost and {faults['duplicate']} came twice; all ended right"
    return how, [] if faults["drop"] and faults["duplicate"] else ["the run had no lost or doubled event to prove it"]


def nothing_secret_logged(e: Evidence) -> tuple[str, list[str]]:
    """I11"""
    broken = [f"{len(secret)} characters of a secret are in a log" for secret in e.secrets if secret in e.logs]
    if SECRET_TAG_VALUE in e.logs:
        broken.append("a tag value is in a log")
    if "taskToken" in e.logs or "task_token" in e.logs:
        broken.append("a task token is in a log")
    return f"{len(e.logs)} characters of function logs hold no secret, tag value or task token", broken


def decided_by_someone_known(e: Evidence) -> tuple[str, list[str]]:
    """I14"""
    gated = [record for record in e.records if record.status is MigrationStatus.COMPLETED and record.gates]
    opened = {record.migration_id: {each.gate: each for each in record.approvals or ()} for record in gated}
    broken = [
        f"{record.migration_id}: nobody AWS knows opened the {gate} gate"
        for record in gated
        for gate in record.gates
        if gate not in opened[record.migration_id] or opened[record.migration_id][gate].sender is None
    ]
    broken += [f"{r.migration_id}: nobody knows who asked for it" for r in e.records if r.requester is None]
    gates = sum(len(record.gates) for record in gated)
    return f"{len(e.records)} requests and the opening of {gates} gates each have a sender AWS vouches for", broken


CHECKS: dict[str, Callable[[Evidence], tuple[str, list[str]]]] = {
    "I1": nothing_lost,
    "I2": one_migration_a_server,
    "I3": launched_once,
    "I4": quotas_kept,
    "I5": finalized_after_verification,
    "I6": undone_fully,
    "I7": everything_ended,
    "I8": journal_is_the_record,
    "I9": one_correlation_id,
    "I10": events_only_wake,
    "I11": nothing_secret_logged,
    "I14": decided_by_someone_known,
}


def _jobs(e: Evidence) -> list[dict[str, Any]]:
    return [job for seen in e.places.values() for job in seen.jobs]


def _accepted(e: Evidence, *operations: str) -> Iterable[tuple[Scope, str, LogEntry]]:
    return (
        (scope, entry["operation"], entry)
        for scope, seen in e.places.items()
        for entry in seen.mgn_log
        if entry["kind"] == "call" and entry["operation"] in operations and entry["outcome"] in ("ok", "timeout_after")
    )


def _correlation_ids(tags: dict[str, str]) -> set[str]:
    return {name for key, value in tags.items() if key.startswith(CORRELATION_TAG) for name in value.split()}


def _instances(record: MigrationRecord) -> set[str]:
    launches = (record.test_launch, record.cutover_launch)
    return {launch.instance_id for launch in launches if launch and launch.instance_id}


def _is_frozen(e: Evidence, migration_id: str) -> bool:
    return any(r.migration_id == migration_id and r.status is MigrationStatus.FROZEN for r in e.records)
