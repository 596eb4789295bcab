"""validate_input: claim the migration for this execution, check it against live state, lock its server."""

from datetime import timedelta

from runtime.errors import MgnNotInitializedError, RecordChangedError, SourceServerGoneError, TargetAccountError
from runtime.logic.journal import is_needed, move, note
from runtime.logic.ports import Ports
from runtime.logic.readiness import matching_servers
from runtime.logic.validation import (
    broken_launch_rules,
    broken_ownership_rules,
    broken_server_rules,
    broken_target_rules,
    broken_window_rules,
    uninitialized,
)
from runtime.models.mgn import Job, NetworkFacts, SourceServer
from runtime.models.record import Facts, Lock, MigrationRecord
from runtime.models.request import MigrationRequest, Mode
from runtime.models.status import MigrationStatus
from runtime.models.steps import Plan, Step, ValidateInput, Verdict

ACTOR = "validate_input"
JOB_HORIZON = timedelta(days=1)
"""MGN jobs end within hours; older ones are not looked at when asking who works on a server."""


def load(ports: Ports, step: Step) -> tuple[MigrationRecord, Ports]:
    """The record of a step's migration, and the ports in its account and Region.

    Raises RecordChangedError while the table does not show the record.
    """
    record = ports.store.record(step.migration_id)
    if record is None:
        raise RecordChangedError(f"no migration {step.migration_id} in the state table yet")
    return record, ports.at(record.scope or ports.scope)


def server_of(record: MigrationRecord) -> str:
    """The id validation resolved; a migration past validation has one."""
    if record.source_server_id is None:
        raise SourceServerGoneError(f"{record.migration_id} has no source server yet")
    return record.source_server_id


def read_server(ports: Ports, record: MigrationRecord) -> SourceServer:
    """The migration's server as MGN has it now; raises SourceServerGoneError when MGN does not have it."""
    found = ports.mgn.servers([server_of(record)])
    if not found:
        raise SourceServerGoneError(f"{record.source_server_id} is not in MGN any more")
    return found[0]


def validate(step: ValidateInput, ports: Ports) -> Plan:
    """Claim and check; the plan says whether this execution goes on."""
    record, ports = load(ports, step)
    if record.execution not in (None, step.execution):
        # EventBridge delivers at least once and cannot name executions: the second one ends here.
        return Plan(verdict=Verdict.DUPLICATE)
    if record.status is MigrationStatus.RECEIVED:
        ports = ports.at(_scope_of(record.request, ports.scope))
        facts = Facts(execution=step.execution, scope=ports.scope)
        record = move(ports, record, MigrationStatus.VALIDATING, actor=ACTOR, reason="claimed", facts=facts)
    if record.status is MigrationStatus.REJECTED:
        return Plan(verdict=Verdict.REJECTED)
    if record.status is not MigrationStatus.VALIDATING or record.source_server_id is not None:
        return plan(record.request)
    return _check(ports, record)


def plan(request: MigrationRequest) -> Plan:
    """The route of an accepted request."""
    return Plan(
        verdict=Verdict.ACCEPTED,
        runs_test=request.runs_test,
        cuts_over=request.mode is Mode.MIGRATE,
        soaks=request.soak_seconds > 0,
        approves_cutover=request.approval.cutover,
        approves_finalize=request.approval.finalize,
    )


def active_jobs_of(ports: Ports, source_server_id: str) -> tuple[Job, ...]:
    """The MGN jobs that hold this server now, whoever started them."""
    recent = ports.mgn.jobs_since(ports.now() - JOB_HORIZON)
    return tuple(job for job in recent if job.is_active and job.server(source_server_id))


def _check(ports: Ports, record: MigrationRecord) -> Plan:
    request = record.request
    broken = list(broken_window_rules(request, now=ports.now(), budgets=ports.budgets))
    target_rules = broken_target_rules(ports.scope, ports.scopes)
    if target_rules:
        return _reject(ports, record, [*broken, *target_rules])
    try:
        broken += broken_launch_rules(request, _network_facts(ports, request))
        matches = _matches(ports, request)
    except MgnNotInitializedError as error:
        return _reject(ports, record, [*broken, uninitialized(ports.scope, error)])
    except TargetAccountError as error:
        return _reject(ports, record, [*broken, str(error)])
    server_rules = broken_server_rules(request, matches)
    if server_rules:
        return _reject(ports, record, [*broken, *server_rules])
    server = matches[0]
    # Asked before the lock is taken: should MGN fail us for good here, no lock is left that nobody drops.
    jobs = active_jobs_of(ports, server.source_server_id)
    lock = Lock(
        scope=ports.scope,
        source_server_id=server.source_server_id,
        owner=record.migration_id,
        since=ports.now(),
        reason=f"wave {request.wave}",
    )
    holder, left_behind = _lock(ports, lock)
    broken += broken_ownership_rules(request, server, holder, jobs)
    if broken:
        return _reject(ports, record, broken, unlock=lock)
    facts = Facts(source_server_id=server.source_server_id, lifecycle_before=server.state)
    reason = f"resolved to {server.source_server_id}, {server.state}{left_behind}"
    note(ports, record, facts, actor=ACTOR, reason=reason)
    return plan(request)


def _lock(ports: Ports, lock: Lock) -> tuple[Lock, str]:
    """Take the server's lock; the lock that holds now, and what to journal of one that was left behind."""
    held = ports.store.lock(lock)
    if held.owner == lock.owner:
        return held, ""
    owner = ports.store.record(held.owner)
    if is_needed(held, owner):
        return held, ""
    # Only the old owner's lock is dropped, so of two that take it over one has it.
    ports.store.unlock(held)
    end = owner.status if owner else "expired"
    left_behind = f"; took over the lock of {held.owner} ({end}), {held.reason}, since {held.since.isoformat()}"
    return ports.store.lock(lock), left_behind


def _scope_of(request: MigrationRequest, home: str) -> str:
    account, _, region = home.partition("#")
    return f"{request.target_account or account}#{request.target_region or region}"


def _reject(ports: Ports, record: MigrationRecord, broken: list[str], unlock: Lock | None = None) -> Plan:
    reason = "; ".join(broken)
    move(ports, record, MigrationStatus.REJECTED, actor=ACTOR, reason=reason, unlock=unlock)
    return Plan(verdict=Verdict.REJECTED)


def _matches(ports: Ports, request: MigrationRequest) -> tuple[SourceServer, ...]:
    if request.source_server_id is not None:
        return ports.mgn.servers([request.source_server_id])
    # MGN can only filter by id, so a name means reading the list (docs/mgn.md#identity).
    found = matching_servers(request, ports.mgn.active_servers())
    found = found or matching_servers(request, ports.mgn.active_servers(fresh=True))
    # Read again: the list may be a moment old.
    return ports.mgn.servers([server.source_server_id for server in found])


def _network_facts(ports: Ports, request: MigrationRequest) -> NetworkFacts:
    subnets = [s for s in (request.subnet_id, request.launch.test_subnet_id) if s]
    groups = [*(request.security_group_ids or ()), *(request.launch.test_security_group_ids or ())]
    types = [request.instance_type] if request.instance_type else []
    return ports.network.facts(subnets, groups, types) if subnets or groups or types else NetworkFacts()
