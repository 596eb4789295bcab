"""validate_input: claim the migration for this execution, check it against live state, lock its server."""

from runtime.errors import MgnNotInitializedError, TargetAccountError
from runtime.logic.journal import is_needed, move, note
from runtime.logic.lookups.matching import matching_servers
from runtime.logic.lookups.migration import active_jobs_of, load
from runtime.logic.ports import Ports
from runtime.logic.steps.rules import (
    broken_document_rules,
    broken_key_rules,
    broken_launch_rules,
    broken_node_rules,
    broken_ownership_rules,
    broken_server_rules,
    broken_target_rules,
    broken_window_rules,
    uninitialized,
)
from runtime.models.functions.steps import Plan, ValidateInput, Verdict
from runtime.models.mgn import NetworkFacts, SourceServer
from runtime.models.record import Facts, Lock, MigrationRecord
from runtime.models.request import Gate, MigrationRequest, Mode
from runtime.models.scope import Scope
from runtime.models.status import MigrationStatus

ACTOR = ValidateInput.function.name


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
        return plan(record)
    return _check(ports, record)


def plan(record: MigrationRecord) -> Plan:
    """The route of an accepted migration."""
    request, gates = record.request, record.gates
    return Plan(
        verdict=Verdict.ACCEPTED,
        runs_test=request.runs_test,
        cuts_over=request.mode is Mode.MIGRATE,
        soaks=request.soak_seconds > 0,
        approves_cutover=Gate.CUTOVER in gates,
        approves_finalize=Gate.FINALIZE in gates,
    )


def _check(ports: Ports, record: MigrationRecord) -> Plan:
    request = record.request
    broken = list(broken_window_rules(request, now=ports.now(), budgets=ports.budgets))
    broken += broken_document_rules(request, ports.documents)
    target_rules = broken_target_rules(ports.scope, ports.scopes)
    if target_rules:
        return _reject(ports, record, [*broken, *target_rules])
    try:
        broken += broken_launch_rules(request, _network_facts(ports, request))
        matches = _matches(ports, record)
        command = request.pre_migration_command
        named_by_node = ports.instances.source_server_of(command.instance_id) if command else None
    except MgnNotInitializedError as error:
        return _reject(ports, record, [*broken, uninitialized(ports.scope, error)])
    except TargetAccountError as error:
        return _reject(ports, record, [*broken, str(error)])
    server_rules = broken_server_rules(request, matches)
    if server_rules:
        return _reject(ports, record, [*broken, *server_rules])
    server = matches[0]
    broken += broken_node_rules(request, server, named_by_node)
    try:
        broken += broken_key_rules(server, ports.launch_settings.ebs_key(server.source_server_id), ports.ebs_keys)
    except TargetAccountError as error:
        return _reject(ports, record, [*broken, str(error)])
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
    # Bound here, with the route: what the stage asks for later changes no migration under way (I13, I14).
    required = ports.decision_rules.required_gates
    facts = Facts(source_server_id=server.source_server_id, lifecycle_before=server.state, required_gates=required)
    asks = f"; the stage requires approval of {', '.join(required)}" if required else ""
    reason = f"resolved to {server.source_server_id}, {server.state}{left_behind}{asks}"
    return plan(note(ports, record, facts, actor=ACTOR, reason=reason))


def _lock(ports: Ports, lock: Lock) -> tuple[Lock, str]:
    """Take the server's lock; the lock that holds now, and what to journal of one that was left behind."""
    held = ports.migrations.lock(lock)
    if held.owner == lock.owner:
        return held, ""
    owner = ports.migrations.record(held.owner)
    if is_needed(held, owner):
        return held, ""
    # Only the old owner's lock is dropped, so of two that take it over one has it.
    ports.migrations.unlock(held)
    end = owner.status if owner else "expired"
    left_behind = f"; took over the lock of {held.owner} ({end}), {held.reason}, since {held.since.isoformat()}"
    return ports.migrations.lock(lock), left_behind


def _scope_of(request: MigrationRequest, home: Scope) -> Scope:
    return Scope(request.target_account or home.account, request.target_region or home.region)


def _reject(ports: Ports, record: MigrationRecord, broken: list[str], unlock: Lock | None = None) -> Plan:
    reason = "; ".join(broken)
    move(ports, record, MigrationStatus.REJECTED, actor=ACTOR, reason=reason, unlock=unlock)
    return Plan(verdict=Verdict.REJECTED)


def _matches(ports: Ports, record: MigrationRecord) -> tuple[SourceServer, ...]:
    request = record.request
    if request.source_server_id is not None:
        return ports.mgn.servers([request.source_server_id])
    # MGN can only filter by id, so a name means reading the list (docs/mgn.md#identity).
    found = matching_servers(request, ports.mgn.active_servers())
    # It may have come since. A list that was read after the request came in says for good that there is none: a
    # thousand names that nobody has cost a few lists, not one each.
    found = found or matching_servers(request, ports.mgn.active_servers(since=record.created_at))
    # Read again: the list may be a moment old.
    return ports.mgn.servers([server.source_server_id for server in found])


def _network_facts(ports: Ports, request: MigrationRequest) -> NetworkFacts:
    subnets = [s for s in (request.subnet_id, request.launch.test_subnet_id) if s]
    groups = [*(request.security_group_ids or ()), *(request.launch.test_security_group_ids or ())]
    types = [request.instance_type] if request.instance_type else []
    return ports.network.facts(subnets, groups, types) if subnets or groups or types else NetworkFacts()
