"""What is known of a running local cloud, kept in a file so that other commands find it."""

from pathlib import Path

from pydantic import BaseModel

from localcloud.processes import Process

FOLDER = Path("out/local")


class CloudState(BaseModel, frozen=True):
    """A running local cloud."""

    endpoint: str
    mgn_endpoint: str | None = None
    simulator_url: str | None = None
    auth: bool = False
    region: str = "us-east-1"
    account: str = "000000000000"
    folder: Path = FOLDER
    processes: tuple[Process, ...] = ()
    # CloudFormation outputs by stack name.
    outputs: dict[str, dict[str, str]] = {}

    def client_variables(self) -> dict[str, str]:
        """Environment variables with which AWS clients and the CLI reach this cloud."""
        variables = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return variables | ({"AWS_ENDPOINT_URL_MGN": self.mgn_endpoint} if self.mgn_endpoint else {})


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
