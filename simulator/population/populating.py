"""Builds an account from a scenario: servers with their hardware, replication, templates, groups and faults."""

from collections.abc import Iterable
from typing import Any

from simulator.model.account import native_events
from simulator.model.account.account import Account
from simulator.model.account.job import Job
from simulator.model.account.ports import TemplateOrder
from simulator.model.account.server import Application, SourceServer
from simulator.model.groups.grouping import APPLICATION, WAVE, create_group, find_group
from simulator.model.jobs.launching import MANAGED, SERVER_TAG
from simulator.model.servers.defaults import ACTION, launch_settings, replication_settings
from simulator.operations.actions import TEMPLATE_ACTIONS
from simulator.operations.configuration import (
    LAUNCH_TEMPLATE,
    REPLICATION_TEMPLATE,
    check_templates,
    create_default_templates,
    default_template,
)
from simulator.operations.service import VCENTER
from simulator.population.faults import put_in_force
from simulator.population.hardware import hardware
from simulator.population.past import give_calls, give_past
from simulator.scenario import Scenario, ServerSpec


def populate(account: Account, scenario: Scenario) -> None:
    """Fill a new account as the scenario says."""
    account.initialized = scenario.initialized
    account.install = lambda user_id, platform: _install(account, user_id, platform)
    account.managed_accounts = scenario.managed_accounts
    if scenario.initialized:
        create_default_templates(account)
    _add_vcenter_clients(account, scenario.vcenter_clients)
    add_servers(account, scenario.servers)
    for _ in range(scenario.diagnostic_jobs):
        _add_diagnostic_job(account)
    for fault in reversed(scenario.faults):
        put_in_force(account, fault)
    if account.knobs.template_check_seconds is not None:
        account.after(account.knobs.template_check_seconds, lambda: check_templates(account))


def add_servers(account: Account, specs: Iterable[ServerSpec]) -> list[SourceServer]:
    """Add servers as if their agents had just been installed, or with the past their lifecycle implies."""
    added = [_add(account, spec, name) for spec in specs for name in spec.names()]
    live = [server for server in added if server.replication.state != "DISCONNECTED"]
    templates = account.compute.create_templates([_template_order(account, server) for server in live])
    for server in live:
        server.template_id = templates.get(server.server_id, "")
    return added


def _install(account: Account, user_id: str, platform: str) -> SourceServer:
    # Braces stand for placeholders in a scenario, for themselves in a file.
    literal = user_id.replace("{", "{{").replace("}", "}}")
    spec = ServerSpec(name=literal, user_provided_id=literal, lifecycle="PENDING_INSTALLATION")
    if platform:
        spec = spec.model_copy(update={"os": platform.title()})
    return add_servers(account, [spec])[0]


def _add(account: Account, spec: ServerSpec, name: str) -> SourceServer:
    server_id = spec.id or account.ids.new("s")
    server = SourceServer(
        server_id=server_id,
        arn=account.ids.arn("source-server", server_id),
        name=name,
        sequence=account.next_sequence(),
        hardware=hardware(account.ids.stream(f"hardware:{server_id}"), spec, name, account.sequence),
        timings=account.timings.model_copy(update=spec.timings.model_dump(exclude_unset=True)),
        state=spec.lifecycle,
        added_at=account.now,
        platform="windows" if "windows" in spec.os.lower() else "linux",
        replication_type=spec.replication_type,
        vcenter_client_id=_vcenter_client(account, spec.vcenter_client),
        user_provided_id=spec.user_provided_id.format(n=account.sequence, name=name),
        archived=spec.archived,
        tags=dict(spec.tags),
        application=Application(**spec.application.model_dump()) if spec.application else None,
    )
    server.launch_settings = {**launch_settings(server, default_template(account, LAUNCH_TEMPLATE)), **spec.launch}
    server.replication_settings = replication_settings(server, default_template(account, REPLICATION_TEMPLATE))
    inherited = _template_actions(account, server)
    server.actions = {**inherited, **_actions(spec, max((each["order"] for each in inherited.values()), default=1000))}
    account.servers[server_id] = server
    _group(account, server, spec)
    give_past(account, server, spec)
    give_calls(account, server)
    if server.has_agent:
        native_events.agent_installed(account, server)
    return server


def _actions(spec: ServerSpec, last_order: int) -> dict[str, dict[str, Any]]:
    return {
        f"action-{number}": {
            **ACTION,
            "actionID": f"action-{number}",
            "actionName": action.name,
            "documentIdentifier": action.document,
            "order": last_order + number,
            "mustSucceedForCutover": action.must_succeed_for_cutover,
        }
        for number, action in enumerate(spec.actions, start=1)
    }


def _template_actions(account: Account, server: SourceServer) -> dict[str, dict[str, Any]]:
    """New servers follow the launch template's actions made for their operating system."""
    template = default_template(account, LAUNCH_TEMPLATE) or {}
    actions = account.kept(TEMPLATE_ACTIONS).get(template.get("launchConfigurationTemplateID", ""), {})
    return {
        key: {name: value for name, value in action.items() if name != "operatingSystem"}
        for key, action in actions.items()
        if action.get("operatingSystem", server.platform) == server.platform
    }


def _add_diagnostic_job(account: Account) -> None:
    job_id = account.ids.new("mgnjob")
    account.jobs[job_id] = Job(
        job_id=job_id,
        arn=account.ids.arn("job", job_id),
        sequence=account.next_sequence(),
        kind="LAUNCH",
        initiated_by="DIAGNOSTIC",
        created_at=account.now,
        ended_at=account.now,
        status="COMPLETED",
        participants={},
        tags={},
    )


def _group(account: Account, server: SourceServer, spec: ServerSpec) -> None:
    if not spec.app:
        return
    application = find_group(account, APPLICATION, spec.app) or create_group(account, APPLICATION, spec.app)
    server.application_id = application["applicationID"]
    if spec.wave:
        wave = find_group(account, WAVE, spec.wave) or create_group(account, WAVE, spec.wave)
        application["waveID"] = wave["waveID"]


def _template_order(account: Account, server: SourceServer) -> TemplateOrder:
    digits = account.ids.stream(f"template:{server.server_id}").randrange(10**12)
    return TemplateOrder(
        server_id=server.server_id,
        name=f"created-and-used-by-application-migration-service-{server.server_id}-{digits}",
        instance_type=server.hardware.recommended_instance_type,
        tags={**MANAGED, SERVER_TAG: server.server_id, "Name": server.hardware.hostname},
    )


def _vcenter_client(account: Account, number: int) -> str:
    clients = ["", *account.kept(VCENTER)]
    if number >= len(clients):
        raise ValueError(f"there is no vCenter client number {number}")
    return clients[number]


def _add_vcenter_clients(account: Account, count: int) -> None:
    for number in range(1, count + 1):
        identifier = account.ids.new("vcc")
        client = {
            "vcenterClientID": identifier,
            "arn": account.ids.arn("vcenter-client", identifier),
            "hostname": f"vcenter-{number}.corp.example",
            "vcenterUUID": account.ids.uuid(),
            "datacenterName": f"dc-{number}",
            "sourceServerTags": {},
            "tags": {},
        }
        account.keep(VCENTER, identifier, client)
