"""How a local cloud is set up."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from localcloud.state import FOLDER

Interpreter = Literal["engine", "moto"]


class CloudSettings(BaseModel, frozen=True, extra="forbid"):
    """Settings of a local cloud; the defaults start it on free ports with real time."""

    folder: Path = Field(default=FOLDER, description="Logs, state and temporary files go here.")
    port: int | None = Field(default=None, description="Port of the AWS engine; a free one by default.")
    simulator_port: int | None = Field(
        default=None, description="Port of the first MGN simulator, others follow; free ones by default."
    )
    scenarios: tuple[Path, ...] = Field(
        default=(), description="One MGN simulator for each, in the account and Region it names."
    )
    assembly: Path | None = Field(default=None, description="Synthesized stacks to deploy, for example cdk.out.")
    auth: bool = Field(default=False, description="Enforce IAM policies.")
    state_machines: Interpreter = Field(default="engine", description="Which interpreter runs them.")
    lambda_workers: int = Field(default=8, ge=1, description="Handlers that run at once; more invocations queue.")
    wait_scale: float = Field(default=1.0, ge=0, description="Factor on Wait states and Retry delays.")
    schedule_scale: float = Field(default=1.0, gt=0, description="Divides the interval of scheduled rules.")
    time_scale: float = Field(default=1.0, gt=0, description="How much faster than real the MGN simulator runs.")
    address_pool: str = Field(default="127.16.0.0/16", description="Addresses of simulated target machines.")
    log_level: str = Field(default="WARNING", description="Log level of the AWS engine.")
