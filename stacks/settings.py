"""What differs between stages, read from `context.stages` in cdk.json."""

import platform
import sys
from typing import Annotated, Literal, Self

from aws_cdk import RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Node
from pydantic import BaseModel, ConfigDict, Field

from migration_constructs import Target
from runtime.models.environment import Budgets

HOST = "host"
DEFAULT_STAGE = "dev"


class Settings(BaseModel):
    """Frozen and closed: a misspelt setting stops the synthesis."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkSettings(Settings):
    """An existing network for the functions; named in full, because nothing is looked up at synthesis."""

    vpc_id: str = Field(description="The VPC.")
    availability_zones: tuple[str, ...] = Field(description="Zones of the private subnets, in the same order.")
    private_subnet_ids: tuple[str, ...] = Field(description="Subnets with a way to AWS: NAT or VPC endpoints.")
    security_group_ids: tuple[str, ...] = Field(description="Security groups of the functions.")


class IngressSettings(Settings):
    """How fast requests are taken in."""

    batch_size: Annotated[int, Field(ge=1, le=10)] = Field(default=10, description="Messages per invocation.")
    max_concurrency: Annotated[int, Field(ge=2, le=1000)] = Field(default=10, description="Invocations at a time.")
    timeout_seconds: Annotated[int, Field(ge=1, le=900)] = Field(
        default=30, description="Of one invocation; the queue's visibility timeout is six times this."
    )


class PaceSettings(Settings):
    """How patiently the state machine repeats failed calls."""

    transient_seconds: Annotated[int, Field(ge=1)] = Field(default=3, description="First wait after a transient error.")
    check_seconds: Annotated[int, Field(ge=1)] = Field(default=15, description="First wait after a pending check.")
    check_attempts: Annotated[int, Field(ge=1)] = Field(default=12, description="Repetitions of a pending check.")


class StageSettings(Settings):
    """Everything a stage decides."""

    stage: Annotated[str, Field(pattern="^[a-z][a-z0-9]{0,15}$")] = Field(description="Name of the stage.")
    python_version: str = Field(default="3.13", description="Of the Lambda runtime; `host`: that of this interpreter.")
    architecture: Literal["arm64", "x86_64", "host"] = Field(
        default="arm64", description="Of the functions; `host`: that of this machine, for engines that run code on it."
    )
    removal_policy: Literal["retain", "destroy"] = Field(description="What happens to data when a stack goes.")
    deletion_protection: bool = Field(default=False, description="The state table refuses to be deleted.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="Of all functions.")
    log_retention_days: Literal[1, 7, 14, 30, 90, 180, 365, 731] = Field(description="Of all log groups.")
    sweep_minutes: Annotated[int, Field(ge=1)] = Field(default=1, description="Between two sweeps.")
    budgets: Budgets = Field(default=Budgets(), description="How long each wait may last.")
    pace: PaceSettings = Field(default=PaceSettings(), description="Retries of the state machine.")
    ingress: IngressSettings = Field(default=IngressSettings(), description="Intake of requests.")
    webhook_urls: tuple[str, ...] = Field(default=(), description="Receivers of every change of status.")
    allows_private_callbacks: bool = Field(
        default=False, description="Callbacks may go to private addresses; for receivers on the same machine only."
    )
    network: NetworkSettings | None = Field(default=None, description="Run the functions in this network.")

    @classmethod
    def from_context(cls, node: Node) -> Self:
        """The settings of the stage named by `-c stage=…`."""
        stage = node.try_get_context("stage") or DEFAULT_STAGE
        stages = node.get_context("stages")
        if stage not in stages:
            raise ValueError(f"no stage {stage!r} in context.stages, only {sorted(stages)}")
        return cls(stage=stage, **stages[stage])

    @property
    def removal(self) -> RemovalPolicy:
        return RemovalPolicy[self.removal_policy.upper()]

    @property
    def log_retention(self) -> logs.RetentionDays:
        return _RETENTIONS[self.log_retention_days]

    @property
    def lambda_runtime(self) -> lambda_.Runtime:
        return lambda_.Runtime(f"python{self._python}", lambda_.RuntimeFamily.PYTHON)

    @property
    def lambda_architecture(self) -> lambda_.Architecture:
        name = platform.machine() if self.architecture == HOST else self.architecture
        return lambda_.Architecture.ARM_64 if name in ("arm64", "aarch64") else lambda_.Architecture.X86_64

    @property
    def bundle_target(self) -> Target:
        """What the functions' code is built for."""
        machine = "aarch64" if self.architecture == "arm64" else "x86_64"
        return Target(self._python, None if self.architecture == HOST else f"{machine}-manylinux2014")

    @property
    def _python(self) -> str:
        host = f"{sys.version_info.major}.{sys.version_info.minor}"
        return host if self.python_version == HOST else self.python_version


_RETENTIONS = {
    1: logs.RetentionDays.ONE_DAY,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
    731: logs.RetentionDays.TWO_YEARS,
}
