"""How long each step takes, in simulated seconds (mgn.md §3 gives only orders of magnitude, hence all settable)."""

from pydantic import BaseModel, ConfigDict, Field


class Timings(BaseModel):
    """Durations in simulated seconds of everything the service does by itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job_pending: float = Field(30, ge=0, description="job PENDING before it starts")
    cleanup: float = Field(20, ge=0, description="deleting the earlier instance at the start of a launch")
    snapshot: float = Field(120, ge=0, description="snapshot taken for a launch")
    conversion: float = Field(240, ge=0, description="conversion server at work")
    launch: float = Field(60, ge=0, description="launching the target instance")
    boot: float = Field(120, ge=0, description="from launched to first boot SUCCEEDED")
    action: float = Field(60, ge=0, description="one post-launch action, after the boot")
    terminate: float = Field(60, ge=0, description="terminating one target instance")
    jitter: float = Field(0, ge=0, lt=1, description="each duration varies by up to this fraction either way")
    initiation: float = Field(660, ge=0, description="all replication initiation steps together")
    initial_sync: float = Field(3600, ge=0, description="first full copy")
    backlog: float = Field(120, ge=0, description="flushing the backlog after a sync or an interruption")
    first_snapshot: float = Field(120, ge=0, description="first launchable snapshot")
    snapshot_interval: float = Field(600, gt=0, description="between snapshots in continuous replication")
    shipping_cycle: float = Field(3600, gt=0, description="one cycle of agentless snapshot shipping")
    heartbeat: float = Field(60, gt=0, description="between two handshakes of the agent")
    transfer: float = Field(30, ge=0, description="one import or export task")
