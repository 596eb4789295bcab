"""Service quotas (docs/mgn.md#quotas), settable because some are adjustable and tests like small ones."""

from pydantic import BaseModel, ConfigDict, Field


class Quotas(BaseModel):
    """How many of each thing an account may have in one Region."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    active_jobs: int = Field(20, ge=1, description="jobs that are PENDING or STARTED")
    servers_per_job: int = Field(200, ge=1, description="source servers in one job")
    servers_in_active_jobs: int = Field(200, ge=1, description="source servers in all active jobs together")
    replicating_servers: int = Field(150, ge=1, description="active source servers, adjustable (L-9A599620)")
    unarchived_servers: int = Field(4_000, ge=1, description="non-archived source servers, adjustable (L-50980698)")
    servers_per_application: int = Field(200, ge=1)
    applications_per_wave: int = Field(1_000, ge=1)
    active_applications: int = Field(200, ge=1)
    active_waves: int = Field(200, ge=1)
    archived_applications: int = Field(10_000, ge=1)
    archived_waves: int = Field(10_000, ge=1)
    actions_per_owner: int = Field(100, ge=1, description="post-launch actions per source server or template")
    connectors: int = Field(50, ge=1)
