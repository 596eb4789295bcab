"""How long each step takes, in simulated seconds: all settable, as docs/mgn.md#jobs has orders of magnitude only."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

LONGEST = 3650 * 86_400  # simulated seconds; what is planned stays a date
Seconds = Annotated[float, Field(ge=0, le=LONGEST)]
Interval = Annotated[float, Field(gt=0, le=LONGEST)]


class Timings(BaseModel):
    """Durations in simulated seconds of everything the service does by itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job_pending: Seconds = Field(30, description="job PENDING before it starts")
    cleanup: Seconds = Field(20, description="deleting the earlier instance at the start of a launch")
    snapshot: Seconds = Field(120, description="snapshot taken for a launch")
    conversion: Seconds = Field(240, description="conversion server at work")
    launch: Seconds = Field(60, description="launching the target instance")
    boot: Seconds = Field(120, description="from launched to first boot SUCCEEDED")
    action: Seconds = Field(60, description="one post-launch action, after the boot")
    terminate: Seconds = Field(60, description="terminating one target instance")
    jitter: float = Field(0, ge=0, lt=1, description="each duration varies by up to this fraction either way")
    initiation: Seconds = Field(660, description="all replication initiation steps together")
    initial_sync: Seconds = Field(3600, description="first full copy")
    backlog: Seconds = Field(120, description="flushing the backlog after a sync or an interruption")
    first_snapshot: Seconds = Field(120, description="first launchable snapshot")
    snapshot_interval: Interval = Field(600, description="between snapshots in continuous replication")
    shipping_cycle: Interval = Field(3600, description="one cycle of agentless snapshot shipping")
    heartbeat: Interval = Field(60, description="between two handshakes of the agent")
    transfer: Seconds = Field(30, description="one import or export task")
