"""Behaviours nobody has confirmed against the real service, each a switch: the inferred facts of docs/mgn.md."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from simulator.model.settings.timings import LONGEST

ErrorClass = Literal[
    "ConflictException",
    "ValidationException",
    "ResourceNotFoundException",
    "ServiceQuotaExceededException",
    "AccessDeniedException",
]


class Knobs(BaseModel):
    """Switches for what could be either way; `§jobs` is docs/mgn.md#jobs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wrong_state_error: ErrorClass = Field(
        "ConflictException", description="error class of a call the lifecycle does not allow (§errors)"
    )
    lag_null_error: ErrorClass = Field(
        "ConflictException", description="error class when a state change needs a launchable server (§errors)"
    )
    unknown_server_error: ErrorClass = Field(
        "ValidationException", description="error class of job starters for an unknown server id (§errors)"
    )
    quota_error: ErrorClass = Field(
        "ConflictException", description="error class of job starters over a quota: 402 is not modelled there (§quotas)"
    )
    must_succeed_error: ErrorClass = Field(
        "ConflictException",
        description="error class of FinalizeCutover after a failed mandatory action (§post-launch-actions)",
    )
    unmodelled_validation_error: Literal["ValidationException", "ValidationError"] = Field(
        "ValidationException",
        description="error class of a malformed request where the operation models no ValidationException (§errors)",
    )
    foreign_account: Literal["deny", "accept"] = Field(
        "deny", description="answer to an accountID other than our own, managed accounts aside (§account)"
    )
    busy_batch: Literal["reject_all", "skip_busy"] = Field(
        "reject_all", description="a starter naming one busy server: refuse the call or skip that server (§jobs)"
    )
    busy_server_changes: Literal["refuse", "accept"] = Field(
        "refuse", description="state change, finalize, disconnect or delete while a job works on the server (§jobs)"
    )
    same_state_change: Literal["refuse", "accept"] = Field(
        "refuse", description="ChangeServerLifeCycleState to the state the server is already in (§lifecycle)"
    )
    test_relaunch: bool = Field(True, description="StartTest again while TESTING is accepted (§lifecycle)")
    cutover_relaunch: bool = Field(False, description="StartCutover again while CUTTING_OVER is accepted (§lifecycle)")
    lifecycle_after_failed_launch: Literal["stays", "reverts"] = Field(
        "stays", description="lifecycle once a launch failed: stays TESTING/CUTTING_OVER or goes back (§lifecycle)"
    )
    lifecycle_after_disconnect: Literal["DISCONNECTED", "unchanged"] = Field(
        "DISCONNECTED", description="lifecycle value after DisconnectFromService (§endings)"
    )
    lifecycle_after_stop: Literal["STOPPED", "unchanged"] = Field(
        "STOPPED", description="lifecycle value after StopReplication (§replication)"
    )
    finalize_needs_instance: bool = Field(
        False, description="FinalizeCutover refused unless the cutover launch produced an instance (§endings)"
    )
    job_completes: Literal["after_launch", "after_actions"] = Field(
        "after_launch", description="job COMPLETED before or after post-launch actions ended (§post-launch-actions)"
    )
    job_log_order: Literal["by_time", "by_server", "newest_first"] = Field(
        "by_time", description="order of DescribeJobLogItems (§jobs)"
    )
    terminate_without_instance: Literal["skip", "refuse"] = Field(
        "skip", description="TerminateTargetInstances for a server that has no instance (§endings)"
    )
    launched_instance_after_terminate: Literal["empty", "kept"] = Field(
        "empty", description="launchedInstance once the instance is gone (§launched-instances)"
    )
    disconnected_template: Literal["deleted", "kept"] = Field(
        "deleted", description="the EC2 launch template of a disconnected server (§launch-template, field)"
    )
    disk_totals_after_disconnect: Literal["kept", "zeroed"] = Field(
        "kept", description="totalStorageBytes after finalize or disconnect: field says kept, docs say zero (§endings)"
    )
    archived_listed: bool = Field(
        True, description="DescribeSourceServers without isArchived lists archived ones too (§identity)"
    )
    initialize_creates_templates: bool = Field(
        True, description="InitializeService makes the default templates (§account)"
    )
    tags_quirk: bool = Field(False, description="empty tags shown as {'resourceArn': arn} as once observed (§identity)")
    timestamps: Literal["offset", "Z"] = Field("offset", description="'+00:00' as captured or 'Z' as modelled (§wire)")
    last_known_checks: bool = Field(
        False, description="fill launchedInstance.lastKnownChecks (§launched-instances, recent)"
    )
    default_page_size: int = Field(50, ge=1, le=1000, description="page size without maxResults (§wire)")
    undocumented_events: bool = Field(
        False, description="emit the four detail-types whose payload is unknown (§events)"
    )
    reads_per_second: float | None = Field(
        None, gt=0, description="reading calls per simulated second before throttling; no limit when null (§quotas)"
    )
    writes_per_second: float | None = Field(
        None, gt=0, description="other calls per simulated second before throttling; unlimited when null (§quotas)"
    )
    template_check_seconds: float | None = Field(
        3600,
        ge=1,
        le=LONGEST,
        description="how often right-sizing rewrites template instance types; never when null (§launch-template)",
    )
    late_arrival_seconds: float = Field(
        120,
        ge=0,
        le=LONGEST,
        description="how late the request of an unheard call arrives (timeout_late, §errors)",
    )
    log_limit: int = Field(200_000, ge=100, le=10_000_000, description="entries the simulator keeps in its log")
