"""The preflight of requests against the live account, before anything is sent: every rule's verdict."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from runtime.errors import MgnNotInitializedError, MigrationError
from runtime.logic.dispatch.packing import ACTIVE_JOBS, SERVERS_IN_ACTIVE_JOBS
from runtime.logic.lookups.matching import matching_servers
from runtime.logic.lookups.readiness import obstacles
from runtime.logic.ports import Instances, LaunchSettings, MigrationService, Network
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
from runtime.models.functions.environment import ValidateEnvironment
from runtime.models.mgn import Inventory, Job, NetworkFacts, SourceServer
from runtime.models.record import Lock, MigrationRecord
from runtime.models.request import MigrationRequest
from runtime.models.scope import Scope
from runtime.models.status import MigrationStatus

RECENT = timedelta(days=1)
"""No MGN job lasts so long."""


class Verdict(StrEnum):
    """What a rule says of a request."""

    OK = "ok"
    WAITS = "waits"
    BROKEN = "broken"
    UNKNOWN = "unknown"


class Finding(NamedTuple):
    """One rule's verdict, and why."""

    rule: str
    verdict: Verdict
    text: str


@dataclass(frozen=True)
class Account:
    """The account and Region that is looked at; nothing in it is touched."""

    scope: Scope
    mgn: MigrationService
    network: Network
    settings: LaunchSettings
    instances: Instances


@dataclass
class Preflight:
    """Judges requests by the stage's settings and by what AWS and the table of migrations say now."""

    stage: ValidateEnvironment
    home: Scope
    account: Account
    records: Sequence[MigrationRecord]
    """Those that hold a server: under way, or frozen and not released."""

    now: datetime
    _servers: Inventory | None = None
    _jobs: list[Job] = field(default_factory=list)

    def judge(self, request: MigrationRequest, known: MigrationRecord | None) -> Iterator[Finding]:
        """Every rule's verdict on one request; `known` is the migration that has its id already."""
        yield _id_rule(request, known)
        yield from self._rule("window", broken_window_rules(request, now=self.now, budgets=self.stage.budgets))
        yield from self._rule("documents", broken_document_rules(request, self.stage.documents))
        scope = Scope(request.target_account or self.home.account, request.target_region or self.home.region)
        scopes = (self.home, *(self.stage.targets.scopes if self.stage.targets else ()))
        if broken := broken_target_rules(scope, scopes):
            yield from self._rule("target", broken)
            return
        yield Finding("target", Verdict.OK, f"{scope.account} {scope.region}")
        if scope != self.account.scope:
            seen = f"not looked at: you are in {self.account.scope.account} {self.account.scope.region}"
            yield Finding("server", Verdict.UNKNOWN, seen)
            return
        try:
            yield from self._live(request)
        except MgnNotInitializedError as error:
            yield Finding("server", Verdict.BROKEN, uninitialized(scope, error))
        except MigrationError as error:
            yield Finding("server", Verdict.UNKNOWN, f"could not be looked at ({error})")

    def _live(self, request: MigrationRequest) -> Iterator[Finding]:
        facts = self._facts(request)
        yield from self._rule("launch settings", broken_launch_rules(request, facts), _where(request, facts))
        matches = matching_servers(request, self._inventory())
        if broken := broken_server_rules(request, matches):
            yield from self._rule("server", broken)
            return
        server = matches[0]
        yield Finding("server", Verdict.OK, f"{server.source_server_id} is {server.state}")
        waits = obstacles(server, max_lag=self.stage.budgets.max_lag)
        text = "; ".join(waits) or "launchable now"
        yield Finding("replication", Verdict.WAITS if waits else Verdict.OK, text)
        holder = self._holder(request, server)
        jobs = [job for job in self._jobs if job.is_active and job.server(server.source_server_id)]
        yield from self._rule("ownership", broken_ownership_rules(request, server, holder, jobs))
        command = request.pre_migration_command
        if command is not None:
            named = self.account.instances.source_server_of(command.instance_id)
            yield from self._rule("node", broken_node_rules(request, server, named))
        key = self.account.settings.ebs_key(server.source_server_id)
        yield from self._rule("volume key", broken_key_rules(server, key, self._keys()))
        yield self._quota()

    def _inventory(self) -> Inventory:
        if self._servers is None:
            self._servers = self.account.mgn.active_servers()
            self._jobs = list(self.account.mgn.jobs_since(self.now - RECENT))
        return self._servers

    def _keys(self) -> tuple[str, ...]:
        if self.account.scope == self.home:
            return self.stage.ebs_key_arns
        return self.stage.target_ebs_key_arns.get(self.account.scope.account, ())

    def _facts(self, request: MigrationRequest) -> NetworkFacts:
        launch = request.launch
        subnets = [subnet for subnet in (request.subnet_id, launch.test_subnet_id) if subnet]
        groups = [*(request.security_group_ids or ()), *(launch.test_security_group_ids or ())]
        types = [request.instance_type] if request.instance_type else []
        return self.account.network.facts(subnets, groups, types) if subnets or groups or types else NetworkFacts()

    def _holder(self, request: MigrationRequest, server: SourceServer) -> Lock:
        """Whoever holds the server by its record; the lock itself is not for people to read."""
        holder = next(
            (
                record
                for record in self.records
                if record.source_server_id == server.source_server_id and record.scope == self.account.scope
            ),
            None,
        )
        return Lock(
            scope=self.account.scope,
            source_server_id=server.source_server_id,
            owner=holder.migration_id if holder else request.migration_id,
            since=holder.created_at if holder else self.now,
            reason="",
        )

    def _quota(self) -> Finding:
        active = [job for job in self._jobs if job.is_active]
        servers = sum(len(job.participating_servers) for job in active)
        text = f"{len(active)} of {ACTIVE_JOBS} jobs and {servers} of {SERVERS_IN_ACTIVE_JOBS} servers in use"
        full = len(active) >= ACTIVE_JOBS or servers >= SERVERS_IN_ACTIVE_JOBS
        return Finding("quota", Verdict.WAITS if full else Verdict.OK, text)

    def _rule(self, rule: str, broken: Sequence[str], fine: str = "") -> Iterator[Finding]:
        if broken:
            yield from (Finding(rule, Verdict.BROKEN, text) for text in broken)
        else:
            yield Finding(rule, Verdict.OK, fine)


def holds_a_server(record: MigrationRecord) -> bool:
    """Whether nobody else may migrate its server now."""
    if record.status is MigrationStatus.FROZEN:
        return not record.is_released
    return not record.status.is_terminal


def _id_rule(request: MigrationRequest, known: MigrationRecord | None) -> Finding:
    if known is None:
        return Finding("id", Verdict.OK, "")
    if known.request.digest() == request.digest():
        return Finding("id", Verdict.OK, f"this very request was accepted before and is {known.status}")
    return Finding("id", Verdict.BROKEN, "migrationId: it was accepted before with another body; choose a new one")


def _where(request: MigrationRequest, facts: NetworkFacts) -> str:
    """Where the launch would go."""
    subnet = request.subnet_id
    placed = f"{subnet} of {facts.vpc_by_subnet.get(subnet, '?')}" if subnet else "where its launch template says"
    return f"{request.instance_type or 'instance type by MGN'} in {placed}"
