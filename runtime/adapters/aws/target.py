"""Who calls AWS, and in which other account or Region."""

from dataclasses import dataclass, field

USER_AGENT = "mgn-migration-orchestrator"


@dataclass(frozen=True)
class Target:
    """Another account or Region, entered by its role."""

    account: str
    region: str
    role_name: str
    external_id: str = field(repr=False)
