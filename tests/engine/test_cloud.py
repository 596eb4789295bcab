"""The local cloud comes up as one and leaves nothing behind."""

import io
import socket
import subprocess
import threading
import zipfile
from pathlib import Path

import pytest

from localcloud.cloud import down, local_cloud, up
from localcloud.deployment import DeploymentError
from localcloud.network import HOME, TARGET, TARGET_SCOPE
from localcloud.processes import StartError, free_port, is_port_open
from localcloud.services import temporary_folder
from localcloud.settings import CloudSettings
from localcloud.state import CloudState, load, state_file
from tests.engine.conftest import until


def group_of(pid: int) -> list[str]:
    listing = subprocess.run(["ps", "-axo", "pgid=,stat=,pid="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listing.splitlines()]
    return [row[2] for row in rows if row[0] == str(pid) and not row[1].startswith("Z")]


def start_a_handler_that_sleeps(state: CloudState) -> None:
    lambda_ = state.client("lambda")
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("index.py", "import time\ndef handler(event, context): time.sleep(60)")
    lambda_.create_function(
        FunctionName="sleeper",
        Runtime="python3.13",
        Handler="index.handler",
        Role="arn:aws:iam::000000000000:role/any",
        Timeout=90,
        Code={"ZipFile": package.getvalue()},
    )
    lambda_.get_waiter("function_active_v2").wait(FunctionName="sleeper", WaiterConfig={"Delay": 1})
    threading.Thread(target=lambda: lambda_.invoke(FunctionName="sleeper", InvocationType="Event")).start()


def test_down_leaves_nothing_behind(tmp_path: Path) -> None:
    state = up(CloudSettings(folder=tmp_path))
    (process,) = state.processes
    start_a_handler_that_sleeps(state)
    until(lambda: len(group_of(process.pid)) == 2)

    assert down(tmp_path)

    assert group_of(process.pid) == []
    assert not is_port_open(int(state.endpoint.rsplit(":", 1)[1]))
    assert not temporary_folder(tmp_path).exists()
    assert not state_file(tmp_path).exists()
    assert not down(tmp_path)


def test_cloud_knows_its_networks_and_is_described_by_its_state_file(tmp_path: Path) -> None:
    with local_cloud(CloudSettings(folder=tmp_path)) as state:
        assert load(tmp_path) == state
        for network, scope in ((HOME, state.home), (TARGET, TARGET_SCOPE)):
            ec2 = state.client("ec2", scope)
            found = ec2.describe_subnets(SubnetIds=list(network.subnets))["Subnets"]
            assert {subnet["OwnerId"] for subnet in found} == {scope.account}
            groups = ec2.describe_security_groups(GroupIds=list(network.security_groups))["SecurityGroups"]
            assert len(groups) == len(network.security_groups)
        with pytest.raises(StartError, match="is up at"):
            up(CloudSettings(folder=tmp_path))
    assert load(tmp_path) is None


def test_failed_deployment_leaves_nothing_running(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match="no assembly"):
        up(CloudSettings(folder=tmp_path, assembly=tmp_path / "missing"))
    assert load(tmp_path) is None
    assert not temporary_folder(tmp_path).exists()


def test_port_in_use_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(StartError, match="in use"):
        up(CloudSettings(folder=tmp_path, port=taken.getsockname()[1]))


def test_engine_started_by_hand_removes_its_temporary_files(tmp_path: Path) -> None:
    port = free_port()
    environment = {"LOCAL_ENGINE_PORT": str(port), "TMPDIR": str(tmp_path)}
    command = [".venv-engine/bin/python", "-m", "localcloud.engine"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, cwd=root, env=environment, start_new_session=True) as process:
        until(lambda: is_port_open(port))
        assert list(tmp_path.iterdir())
        process.terminate()
    assert not list(tmp_path.iterdir())
