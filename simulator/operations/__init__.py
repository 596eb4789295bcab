"""What each API operation does, by name; a name of the service model that is missing here answers "not simulated"."""

from simulator.operations import (
    actions,
    configuration,
    grouping,
    jobs,
    servers,
    service,
    source_actions,
    tagging,
    transfer,
)
from simulator.operations.answers import Answer, Operation, Page, Request

OPERATIONS: dict[str, Operation] = {
    **servers.OPERATIONS,
    **jobs.OPERATIONS,
    **configuration.OPERATIONS,
    **actions.OPERATIONS,
    **grouping.OPERATIONS,
    **tagging.OPERATIONS,
    **service.OPERATIONS,
    **source_actions.OPERATIONS,
    **transfer.OPERATIONS,
}

__all__ = ["OPERATIONS", "Answer", "Operation", "Page", "Request"]
