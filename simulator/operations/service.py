"""The account itself: initialisation, managed accounts, connectors, vCenter clients (docs/mgn.md#account)."""

from simulator.model.account.account import Account
from simulator.model.forms.errors import invalid
from simulator.model.forms.formats import View, datetime_text
from simulator.operations.answers import Operation, Request, listed
from simulator.operations.configuration import create_default_templates
from simulator.operations.paging import kept_page, numbered_page

CONNECTOR, VCENTER = "Connector", "VcenterClient"


def initialize_service(account: Account, request: Request) -> View:
    account.initialized = True
    if account.knobs.initialize_creates_templates:
        create_default_templates(account)
    return {}


def list_managed_accounts(account: Account, request: Request) -> View:
    accounts = [{"accountId": each} for each in account.managed_accounts]
    return listed(*numbered_page(enumerate(accounts), request, account.knobs.default_page_size))


def create_connector(account: Account, request: Request) -> View:
    if len(account.kept(CONNECTOR)) >= account.quotas.connectors:
        raise invalid(f"Maximum of {account.quotas.connectors} connectors reached")
    identifier = account.ids.new("connector")
    connector = {
        "connectorID": identifier,
        "arn": account.ids.arn("connector", identifier),
        "name": request["name"],
        "ssmInstanceID": request["ssmInstanceID"],
        "tags": dict(request.get("tags") or {}),
    }
    if "ssmCommandConfig" in request:
        connector["ssmCommandConfig"] = dict(request["ssmCommandConfig"])
    return account.keep(CONNECTOR, identifier, connector)


def update_connector(account: Account, request: Request) -> View:
    connector = account.resource(CONNECTOR, request["connectorID"])
    connector.update({name: request[name] for name in ("name", "ssmCommandConfig") if name in request})
    return connector


def delete_connector(account: Account, request: Request) -> View:
    account.resource(CONNECTOR, request["connectorID"])
    del account.kept(CONNECTOR)[request["connectorID"]]
    return {}


def list_connectors(account: Account, request: Request) -> View:
    wanted = (request.get("filters") or {}).get("connectorIDs")
    found = [connector for key, connector in account.kept(CONNECTOR).items() if not wanted or key in wanted]
    return listed(*kept_page(found, request, account.knobs.default_page_size))


def describe_vcenter_clients(account: Account, request: Request) -> View:
    seen = {"lastSeenDatetime": datetime_text(account.now, account.knobs.timestamps)}
    clients = [{**client, **seen} for client in account.kept(VCENTER).values()]
    return listed(*kept_page(clients, request, account.knobs.default_page_size))


def delete_vcenter_client(account: Account, request: Request) -> View:
    account.resource(VCENTER, request["vcenterClientID"])
    del account.kept(VCENTER)[request["vcenterClientID"]]
    return {}


OPERATIONS: dict[str, Operation] = {
    "InitializeService": initialize_service,
    "ListManagedAccounts": list_managed_accounts,
    "CreateConnector": create_connector,
    "UpdateConnector": update_connector,
    "DeleteConnector": delete_connector,
    "ListConnectors": list_connectors,
    "DescribeVcenterClients": describe_vcenter_clients,
    "DeleteVcenterClient": delete_vcenter_client,
}
