"""Post-launch actions of servers and of the launch template (docs/mgn.md#post-launch-actions)."""

from typing import Any

from simulator.model.account.account import Account
from simulator.model.forms.errors import conflict, invalid
from simulator.model.forms.formats import View
from simulator.model.servers.defaults import ACTION
from simulator.operations.answers import Operation, Request, listed
from simulator.operations.configuration import LAUNCH_TEMPLATE
from simulator.operations.paging import numbered_page

TEMPLATE_ACTIONS = "TemplateActions"
Actions = dict[str, dict[str, Any]]


def _actions(account: Account, request: Request) -> Actions:
    if "sourceServerID" in request:
        return account.server(request["sourceServerID"]).actions
    template = request["launchConfigurationTemplateID"]
    account.resource(LAUNCH_TEMPLATE, template)
    actions: Actions = account.kept(TEMPLATE_ACTIONS).setdefault(template, {})
    return actions


def put_action(account: Account, request: Request) -> View:
    actions = _actions(account, request)
    action_id = request["actionID"]
    if any(other["order"] == request["order"] for key, other in actions.items() if key != action_id):
        raise invalid("Order must be unique", {"order": f"{request['order']} is used by another action"})
    if action_id not in actions and len(actions) >= account.quotas.actions_per_owner:
        # ServiceQuotaExceededException is not modelled on this operation.
        raise conflict(f"Maximum of {account.quotas.actions_per_owner} actions reached")
    kept = ("sourceServerID", "launchConfigurationTemplateID", "accountID")
    actions[action_id] = {
        **ACTION,
        **{name: value for name, value in request.items() if name not in kept},
    }
    return actions[action_id]


def list_actions(account: Account, request: Request) -> View:
    wanted = (request.get("filters") or {}).get("actionIDs")
    actions = _actions(account, request).items()
    found = sorted((action["order"], action) for key, action in actions if not wanted or key in wanted)
    return listed(*numbered_page(found, request, account.knobs.default_page_size))


def remove_action(account: Account, request: Request) -> View:
    actions = _actions(account, request)
    if request["actionID"] not in actions:
        raise invalid("No such action", {"actionID": f"{request['actionID']} not found"})
    del actions[request["actionID"]]
    return {}


OPERATIONS: dict[str, Operation] = {
    "PutSourceServerAction": put_action,
    "ListSourceServerActions": list_actions,
    "RemoveSourceServerAction": remove_action,
    "PutTemplateAction": put_action,
    "ListTemplateActions": list_actions,
    "RemoveTemplateAction": remove_action,
}
