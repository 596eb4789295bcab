"""What is known of a running local cloud, kept in a file so that other commands find it."""

from pathlib import Path
from typing import Any

import boto3
from pydantic import BaseModel

from localcloud.processes import Process
from runtime.models.scope import Scope

FOLDER = Path("out/local")
SECRET = "test"
"""The engine takes an account's id as an access key of its root user, with this secret."""


class CloudState(BaseModel, frozen=True):
    """A running local cloud."""

    endpoint: str
    # MGN simulators by account and Region: a page to look at, and what stands behind the gateway.
    simulators: dict[Scope, str] = {}
    auth: bool = False
    region: str = "us-east-1"
    account: str = "000000000000"
    folder: Path = FOLDER
    processes: tuple[Process, ...] = ()
    # CloudFormation outputs by stack name.
    outputs: dict[str, dict[str, str]] = {}

    @property
    def home(self) -> Scope:
        """Account and Region of the stage."""
        return Scope(self.account, self.region)

    def client_variables(self, scope: Scope | None = None) -> dict[str, str]:
        """Environment variables with which the CDK CLI reaches an account and Region of this cloud, home by default."""
        place = scope or self.home
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": place.account,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": place.region,
            "AWS_DEFAULT_REGION": place.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def session(self, scope: Scope | None = None) -> boto3.Session:
        """A boto3 session of the root user in an account and Region of this cloud, home by default."""
        place = scope or self.home
        return boto3.Session(place.account, SECRET, region_name=place.region)

    def client(self, service: str, scope: Scope | None = None, **options: Any) -> Any:
        """A boto3 client that may do anything in an account and Region of this cloud, home by default."""
        place = scope or self.home
        make: Any = boto3.client
        return make(
            service,
            endpoint_url=self.endpoint,
            region_name=place.region,
            aws_access_key_id=place.account,
            aws_secret_access_key=SECRET,
            **options,
        )


def in_words(scope: Scope) -> str:
    """Account and Region as people read them."""
    return f"{scope.account} {scope.region}"


def state_file(folder: Path) -> Path:
    """Where a cloud in this folder keeps its state."""
    return folder / "cloud.json"


def save(state: CloudState) -> None:
    """Write the state into the cloud's folder."""
    state_file(state.folder).write_text(state.model_dump_json(indent=2) + "\n")


def load(folder: Path = FOLDER) -> CloudState | None:
    """The state of the cloud in this folder, if there is one."""
    path = state_file(folder)
    return CloudState.model_validate_json(path.read_text()) if path.exists() else None
