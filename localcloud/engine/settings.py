"""What the launcher can be told, by environment variables."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """One engine's settings; the defaults suit a laptop."""

    port: int = 4566
    auth: bool = False
    lambda_workers: int = 8
    schedule_scale: float = 1.0
    wait_scale: float = 1.0
    mgn_urls: Mapping[str, str] = field(default_factory=dict)
    """MGN simulators by account and Region, as `account#region`."""

    state_machines: str = "engine"
    temporary_folder: str = ""
    decisions_file: str = ""
    """Where it is told what IAM decided; nowhere, if empty."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "EngineSettings":
        """Read the `LOCAL_*` variables and `AUTH`."""
        return cls(
            port=int(environment.get("LOCAL_ENGINE_PORT", "4566")),
            auth=environment.get("AUTH", "").lower() == "true",
            lambda_workers=int(environment.get("LOCAL_LAMBDA_WORKERS", "8")),
            schedule_scale=float(environment.get("LOCAL_SCHEDULE_SCALE", "1")),
            wait_scale=float(environment.get("LOCAL_WAIT_SCALE", "1")),
            mgn_urls=json.loads(environment.get("LOCAL_MGN_URLS", "{}")),
            state_machines=environment.get("LOCAL_STATE_MACHINES", "engine"),
            decisions_file=environment.get("LOCAL_DECISIONS_FILE", ""),
            temporary_folder=environment.get("LOCAL_TEMPORARY_FOLDER", ""),
        )

    @property
    def endpoint(self) -> str:
        """The gateway's own URL."""
        return f"http://127.0.0.1:{self.port}"

    def engine_variables(self) -> dict[str, str]:
        """The engine's own variables for these settings; Lambda handlers inherit them."""
        return {
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "AUTH": "true" if self.auth else "false",
            "SFN_WAIT_SCALE": str(self.wait_scale),
            "LAMBDA_ASYNC_RETRY_BASE_SECONDS": str(self.wait_scale),
            # Both would open further ports.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "AWS_EC2_METADATA_DISABLED": "true",
            "MOTO_ACCOUNT_ID": "000000000000",
        }
