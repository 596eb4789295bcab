"""Starts the two processes of a local cloud: the AWS engine and the MGN simulator."""

import os
import sys
from pathlib import Path

from localcloud.processes import Process, StartError, free_port, is_port_open, start, wait_until_healthy
from localcloud.settings import CloudSettings

_ROOT = Path(__file__).parents[1]
_ENGINE_PYTHON = Path(".venv-engine/bin/python")
_HEALTH_PATH = "/_ministack/health"


def port_or_free(port: int | None) -> int:
    """The given port, which must be unused, or any free one."""
    if port is None:
        return free_port()
    if is_port_open(port):
        raise StartError(f"port {port} is in use")
    return port


def temporary_folder(folder: Path) -> Path:
    """Where the processes of a cloud put temporary files, Lambda code among them."""
    return folder.absolute() / "tmp"


def start_engine(settings: CloudSettings, port: int, mgn_url: str | None) -> Process:
    """Start the AWS engine and wait until it answers."""
    if not (_ROOT / _ENGINE_PYTHON).exists():
        raise StartError("the engine's environment is missing: run `make setup`")
    process = start(
        "engine",
        [str(_ENGINE_PYTHON), "-m", "localcloud.engine"],
        marker="localcloud.engine",
        log=settings.folder / "engine.log",
        environment=_engine_environment(settings, port, mgn_url),
    )
    wait_until_healthy(process, f"http://127.0.0.1:{port}{_HEALTH_PATH}")
    return process


def start_simulator(settings: CloudSettings, port: int, endpoint: str) -> Process:
    """Start the MGN simulator on its scenario and wait until it answers."""
    process = start(
        "mgn-simulator",
        [
            *(str(Path(sys.executable).with_name("mgn-simulator")), "serve", "--port", str(port)),
            *("--scenario", str(settings.scenario), "--time-scale", str(settings.time_scale)),
            *("--ec2-endpoint", endpoint, "--events-endpoint", endpoint),
            *("--address-pool", settings.address_pool),
        ],
        marker="mgn-simulator",
        log=settings.folder / "mgn-simulator.log",
        environment=_base_environment(settings),
    )
    wait_until_healthy(process, f"http://127.0.0.1:{port}/")
    return process


def _engine_environment(settings: CloudSettings, port: int, mgn_url: str | None) -> dict[str, str]:
    return _base_environment(settings) | {
        "LOCAL_ENGINE_PORT": str(port),
        "LOCAL_LAMBDA_WORKERS": str(settings.lambda_workers),
        "LOCAL_WAIT_SCALE": str(settings.wait_scale),
        "LOCAL_SCHEDULE_SCALE": str(settings.schedule_scale),
        "LOCAL_STATE_MACHINES": settings.state_machines,
        "LOCAL_MGN_URL": mgn_url or "",
        "LOCAL_TEMPORARY_FOLDER": str(temporary_folder(settings.folder)),
        "AUTH": str(settings.auth).lower(),
        "LOG_LEVEL": settings.log_level,
    }


def _base_environment(settings: CloudSettings) -> dict[str, str]:
    """Next to nothing of our own environment: Lambda handlers inherit the engine's."""
    folder = temporary_folder(settings.folder)
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
