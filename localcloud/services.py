"""Starts the processes of a local cloud: the AWS engine and its MGN simulators."""

import json
import os
import sys
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import NamedTuple

from localcloud.processes import Process, StartError, free_port, is_port_open, start, wait_until_healthy
from localcloud.settings import CloudSettings
from localcloud.state import CloudState
from runtime.models.scope import Scope
from simulator.scenario import ScenarioError, load_scenario

_ROOT = Path(__file__).parents[1]
_ENGINE_PYTHON = Path(".venv-engine/bin/python")
HEALTH_PATH = "/_ministack/health"
DECISIONS_FILE = "decisions.jsonl"
"""What IAM was asked and decided, in the cloud's folder."""
_BITS_OF_SHARES = 4
"""Sixteen simulators share the pool of addresses."""


def port_or_free(port: int | None) -> int:
    """The given port, which must be unused, or any free one."""
    if port is None:
        return free_port()
    if is_port_open(port):
        raise StartError(f"port {port} is in use: name another with --port or --simulator-port, 0 for any free one")
    return port


def temporary_folder(folder: Path) -> Path:
    """Where the processes of a cloud put temporary files, Lambda code among them."""
    return folder.absolute() / "tmp"


class Simulation(NamedTuple):
    """One MGN simulator to start: the account and Region of its scenario, its port and its share of the addresses."""

    scenario: Path
    scope: Scope
    port: int
    address_pool: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def simulations_of(settings: CloudSettings) -> list[Simulation]:
    """A simulator for each scenario."""
    pools = ip_network(settings.address_pool).subnets(prefixlen_diff=_BITS_OF_SHARES)
    simulations = []
    for number, (path, pool) in enumerate(zip(settings.scenarios, pools, strict=False)):
        try:
            scenario = load_scenario(path)
        except ScenarioError as error:
            raise StartError(str(error)) from error
        port = port_or_free(settings.simulator_port and settings.simulator_port + number)
        simulations.append(Simulation(path, Scope(scenario.account_id, scenario.region), port, str(pool)))
    return simulations


def start_engine(settings: CloudSettings, port: int, mgn_urls: Mapping[str, str]) -> Process:
    """Start the AWS engine and wait until it answers."""
    if not (_ROOT / _ENGINE_PYTHON).exists():
        raise StartError("the engine's environment is missing: run `make setup`")
    (settings.folder / DECISIONS_FILE).unlink(missing_ok=True)
    process = start(
        "engine",
        [str(_ENGINE_PYTHON), "-m", "localcloud.engine"],
        marker="localcloud.engine",
        log=settings.folder / "engine.log",
        environment=_engine_environment(settings, port, mgn_urls),
    )
    wait_until_healthy(process, f"http://127.0.0.1:{port}{HEALTH_PATH}")
    return process


def start_simulator(settings: CloudSettings, simulation: Simulation, state: CloudState) -> Process:
    """Start an MGN simulator on its scenario and wait until it answers."""
    name = f"mgn-simulator-{simulation.scope.account}-{simulation.scope.region}"
    # The engine tells the simulator at home from handlers, which have the account's key.
    keys = {} if simulation.scope == state.home else state.client_variables(simulation.scope)
    process = start(
        name,
        [
            *(str(Path(sys.executable).with_name("mgn-simulator")), "serve", "--port", str(simulation.port)),
            *("--scenario", str(simulation.scenario), "--time-scale", str(settings.time_scale)),
            *("--ec2-endpoint", state.endpoint, "--events-endpoint", state.endpoint),
            *("--address-pool", simulation.address_pool),
        ],
        marker="mgn-simulator",
        log=settings.folder / f"{name}.log",
        environment=_base_environment(settings) | keys,
    )
    wait_until_healthy(process, f"{simulation.url}/")
    return process


def _engine_environment(settings: CloudSettings, port: int, mgn_urls: Mapping[str, str]) -> dict[str, str]:
    return _base_environment(settings) | {
        "LOCAL_ENGINE_PORT": str(port),
        "LOCAL_LAMBDA_WORKERS": str(settings.lambda_workers),
        "LOCAL_WAIT_SCALE": str(settings.wait_scale),
        "LOCAL_SCHEDULE_SCALE": str(settings.schedule_scale),
        "LOCAL_STATE_MACHINES": settings.state_machines,
        "LOCAL_MGN_URLS": json.dumps(dict(mgn_urls)),
        "LOCAL_TEMPORARY_FOLDER": str(temporary_folder(settings.folder)),
        "LOCAL_DECISIONS_FILE": str(settings.folder.absolute() / DECISIONS_FILE),
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
