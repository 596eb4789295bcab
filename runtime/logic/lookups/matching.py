"""Which source server a request means."""

from collections.abc import Iterable

from runtime.logic.lookups.readiness import is_gone
from runtime.models.mgn import SourceServer
from runtime.models.request import MigrationRequest


def matching_servers(request: MigrationRequest, servers: Iterable[SourceServer]) -> tuple[SourceServer, ...]:
    """The servers a request's sourceServerId or sourceVmId means; archived and disconnected twins are ignored."""
    if request.source_server_id is not None:
        return tuple(s for s in servers if s.source_server_id == request.source_server_id)
    name = request.source_vm_id.casefold()
    return tuple(s for s in servers if not is_gone(s) and name in _names(s))


def _names(server: SourceServer) -> set[str]:
    hints = server.source_properties.identification_hints
    names = (
        server.source_server_id,
        server.user_provided_id,
        hints.hostname,
        hints.fqdn,
        hints.vm_ware_uuid,
        hints.aws_instance_id,
    )
    return {name.casefold() for name in names if name}
