"""Which source server a request means."""

from runtime.logic.lookups.readiness import is_gone
from runtime.models.mgn import Inventory, SourceServer
from runtime.models.request import MigrationRequest


def matching_servers(request: MigrationRequest, servers: Inventory) -> tuple[SourceServer, ...]:
    """The servers a request's sourceServerId or sourceVmId means; archived and disconnected twins are ignored."""
    if (wanted := request.source_server_id) is not None:
        return tuple(server for server in servers.of_name(wanted) if server.source_server_id == wanted)
    return tuple(server for server in servers.of_name(request.source_vm_id) if not is_gone(server))
