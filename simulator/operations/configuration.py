"""Launch and replication settings of servers, and templates for new ones (docs/mgn.md#launch-configuration)."""

from typing import Any

from simulator.model.account.account import Account
from simulator.model.account.server import SourceServer
from simulator.model.account.template_change import TemplateChange
from simulator.model.forms.errors import conflict
from simulator.model.forms.formats import View
from simulator.model.servers import defaults
from simulator.operations.answers import Operation, Request, listed
from simulator.operations.paging import kept_page

LAUNCH_TEMPLATE = "LaunchConfigurationTemplate"
REPLICATION_TEMPLATE = "ReplicationConfigurationTemplate"
_IDS = {LAUNCH_TEMPLATE: "launchConfigurationTemplateID", REPLICATION_TEMPLATE: "replicationConfigurationTemplateID"}
_PREFIX = {LAUNCH_TEMPLATE: "lct", REPLICATION_TEMPLATE: "rct"}
_ARN_KIND = {
    LAUNCH_TEMPLATE: "launch-configuration-template",
    REPLICATION_TEMPLATE: "replication-configuration-template",
}
_NOT_SETTINGS = frozenset({"sourceServerID", "accountID", "tags", "arn", *_IDS.values()})


def get_launch_configuration(account: Account, request: Request) -> View:
    return _launch_view(account.server(request["sourceServerID"]))


def update_launch_configuration(account: Account, request: Request) -> View:
    server = account.server(request["sourceServerID"])
    server.launch_settings = {**server.launch_settings, **_settings(request)}
    if request.get("targetInstanceTypeRightSizingMethod") == "BASIC":
        right_size(account, server)
    return _launch_view(server)


def get_launch_defaults(account: Account, request: Request) -> View:
    server = account.server(request["sourceServerID"])
    return {"sourceServerID": server.server_id, "smallVolumeMaxSize": 0, **server.launch_defaults}


def update_launch_defaults(account: Account, request: Request) -> View:
    server = account.server(request["sourceServerID"])
    server.launch_defaults = {**server.launch_defaults, **_settings(request)}
    return get_launch_defaults(account, request)


def get_replication_configuration(account: Account, request: Request) -> View:
    server = account.server(request["sourceServerID"])
    return {"sourceServerID": server.server_id, **server.replication_settings}


def update_replication_configuration(account: Account, request: Request) -> View:
    server = account.server(request["sourceServerID"])
    server.replication_settings = {**server.replication_settings, **_settings(request)}
    return {"sourceServerID": server.server_id, **server.replication_settings}


def right_size(account: Account, server: SourceServer) -> None:
    """BASIC right-sizing overwrites the template's instance type (docs/mgn.md#launch-template)."""
    if server.template_id and server.launch_settings.get("targetInstanceTypeRightSizingMethod") == "BASIC":
        change = TemplateChange(instance_type=server.hardware.recommended_instance_type)
        account.compute.edit_template(server.server_id, server.template_id, change)


def check_templates(account: Account) -> None:
    """The service's own periodic repair of launch templates (docs/mgn.md#launch-template), planned again each time."""
    interval = account.knobs.template_check_seconds
    if interval is None:
        return
    for server in account.servers.values():
        if server.replication.launchable:
            right_size(account, server)
    account.after(interval, lambda: check_templates(account))


def create_default_templates(account: Account) -> None:
    """What onboarding leaves behind (docs/mgn.md#account)."""
    if not account.kept(REPLICATION_TEMPLATE):
        _create(account, REPLICATION_TEMPLATE, defaults.REPLICATION, {})
    if not account.kept(LAUNCH_TEMPLATE):
        settings = {**defaults.LAUNCH, **defaults.LAUNCH_TEMPLATE_ONLY, "postLaunchActions": defaults.POST_LAUNCH}
        _create(account, LAUNCH_TEMPLATE, settings, {})


def default_template(account: Account, kind: str) -> dict[str, Any] | None:
    """The template new servers follow: the first one made."""
    return next(iter(account.kept(kind).values()), None)


def _create(account: Account, kind: str, settings: dict[str, Any], tags: dict[str, str]) -> View:
    identifier = account.ids.new(_PREFIX[kind])
    template = {
        **settings,
        _IDS[kind]: identifier,
        "arn": account.ids.arn(_ARN_KIND[kind], identifier),
        "tags": dict(tags),
    }
    if kind == LAUNCH_TEMPLATE:
        template["ec2LaunchTemplateID"] = account.ids.new("lt")
    return account.keep(kind, identifier, template)


def _create_operation(kind: str, base: dict[str, Any]) -> Operation:
    def run(account: Account, request: Request) -> View:
        return _create(account, kind, {**base, **_settings(request)}, request.get("tags") or {})

    return run


def _update_operation(kind: str) -> Operation:
    def run(account: Account, request: Request) -> View:
        template = account.resource(kind, request[_IDS[kind]])
        template.update(_settings(request))
        return template

    return run


def _describe_operation(kind: str) -> Operation:
    def run(account: Account, request: Request) -> View:
        ids = request.get(f"{_IDS[kind]}s")
        for each in ids or ():
            account.resource(kind, each)
        chosen = [template for identifier, template in account.kept(kind).items() if not ids or identifier in ids]
        return listed(*kept_page(chosen, request, account.knobs.default_page_size))

    return run


def _delete_operation(kind: str) -> Operation:
    def run(account: Account, request: Request) -> View:
        identifier = request[_IDS[kind]]
        account.resource(kind, identifier)
        if kind == REPLICATION_TEMPLATE and (account.servers or account.jobs):
            raise conflict("Delete all source servers and jobs first", kind, identifier)
        del account.kept(kind)[identifier]
        return {}

    return run


def _settings(request: Request) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name not in _NOT_SETTINGS}


def _launch_view(server: SourceServer) -> View:
    view = {"sourceServerID": server.server_id, **server.launch_settings}
    if server.template_id:
        view["ec2LaunchTemplateID"] = server.template_id
    return view


OPERATIONS: dict[str, Operation] = {
    "GetLaunchConfiguration": get_launch_configuration,
    "UpdateLaunchConfiguration": update_launch_configuration,
    "GetLaunchConfigurationDefaults": get_launch_defaults,
    "UpdateLaunchConfigurationDefaults": update_launch_defaults,
    "GetReplicationConfiguration": get_replication_configuration,
    "UpdateReplicationConfiguration": update_replication_configuration,
    "CreateLaunchConfigurationTemplate": _create_operation(
        LAUNCH_TEMPLATE, {**defaults.LAUNCH, **defaults.LAUNCH_TEMPLATE_ONLY}
    ),
    "CreateReplicationConfigurationTemplate": _create_operation(REPLICATION_TEMPLATE, {}),
    "UpdateLaunchConfigurationTemplate": _update_operation(LAUNCH_TEMPLATE),
    "UpdateReplicationConfigurationTemplate": _update_operation(REPLICATION_TEMPLATE),
    "DescribeLaunchConfigurationTemplates": _describe_operation(LAUNCH_TEMPLATE),
    "DescribeReplicationConfigurationTemplates": _describe_operation(REPLICATION_TEMPLATE),
    "DeleteLaunchConfigurationTemplate": _delete_operation(LAUNCH_TEMPLATE),
    "DeleteReplicationConfigurationTemplate": _delete_operation(REPLICATION_TEMPLATE),
}
