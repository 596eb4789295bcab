"""`make local` can be said again and again: it says what is up, mends what died, and what comes next."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.reading.requests import valid_messages
from localcloud import cloud, commands
from localcloud.commands import app
from localcloud.demo.run import SCENARIOS
from localcloud.processes import Process, StartError, free_port
from localcloud.settings import CloudSettings
from localcloud.state import CloudState, load, save
from simulator.scenario import load_scenario


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cloud").mkdir()
    monkeypatch.setattr(commands, "synthesize", lambda: None)
    return Path("cloud")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[CloudSettings]:
    """The settings of every cloud that was started; none of them is."""
    settings: list[CloudSettings] = []

    def up(wanted: CloudSettings, report: Callable[[str], None]) -> CloudState:
        settings.append(wanted)
        return a_state(wanted.folder)

    monkeypatch.setattr(cloud, "up", up)
    return settings


def a_state(folder: Path) -> CloudState:
    return CloudState(endpoint="http://127.0.0.1:4599", folder=folder, outputs={"MigrationLocalOrchestration": {}})


def up(*options: str) -> Result:
    return CliRunner().invoke(app, ["up", "--folder", "cloud", *options])


def test_a_cloud_that_is_up_and_well_is_left_as_it_is(
    folder: Path, started: list[CloudSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    save(a_state(folder))
    monkeypatch.setattr(cloud, "is_well", lambda state: True)
    ran = up()
    assert (ran.exit_code, started) == (0, [])
    assert "A local cloud is up at http://127.0.0.1:4599." in ran.stdout


def test_what_is_left_of_a_cloud_that_died_is_removed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = Process(name="engine", pid=2**22 + 1, marker="localcloud.engine", log=folder / "engine.log")
    save(a_state(folder).model_copy(update={"processes": (dead,)}))
    seen: list[bool] = []

    def start(settings: CloudSettings, report: Callable[[str], None]) -> CloudState:
        seen.append(load(folder) is None)
        raise StartError("not now")

    monkeypatch.setattr(cloud, "_start", start)
    ran = up()
    assert ran.exit_code == 1
    assert "removing what is left of a local cloud that died" in ran.stdout
    assert seen == [True]


def test_the_end_says_how_to_use_it_with_a_request_for_a_server_that_is_there(
    folder: Path, started: list[CloudSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "request.json" not in up().stdout
    ours = {server.name for server in load_scenario(SCENARIOS[0]).servers}
    monkeypatch.setattr(commands, "_servers_at_home", lambda state: ours)
    out = up().stdout
    assert "migrate --stage local submit cloud/request.json" in out
    assert "Stop it: make local-down" in out
    [message] = valid_messages(["cloud/request.json"])
    assert f"migrate --stage local watch {message.migration_id}" in out
    assert message.request is not None
    assert message.request.source_vm_id in ours


def test_a_port_that_is_taken_is_left_alone_unless_it_was_named(
    folder: Path, started: list[CloudSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "is_port_open", lambda port: port == commands.ENGINE_PORT)
    assert "port 4566 is taken: taking another" in up().stdout
    up("--port", "4566", "--simulator-port", "0")
    assert [(each.port, each.simulator_port) for each in started] == [(None, 4567), (4566, None)]


def test_a_named_port_that_is_taken_says_which_option_names_another(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localcloud.services.is_port_open", lambda port: True)
    ran = up("--port", str(free_port()))
    assert ran.exit_code == 1
    assert "name another with --port" in ran.stdout


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied", "out"), OSError(28, "No space left")])
def test_what_the_machine_refuses_is_told_without_a_traceback(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def synthesize() -> None:
        raise error

    monkeypatch.setattr(commands, "synthesize", synthesize)
    ran = up()
    assert ran.exit_code == 1
    assert str(error.strerror) in ran.stdout
    assert isinstance(ran.exception, SystemExit)


def test_without_the_cdk_it_says_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(folder.absolute().parent if folder.exists() else "/tmp")
    monkeypatch.setenv("PATH", "/nonexistent")
    ran = up()
    assert ran.exit_code == 1
    assert "there is no cdk on the path: run `make setup`" in ran.stdout


def test_status_tells_not_up_from_not_well(folder: Path) -> None:
    status = ["status", "--folder", "cloud"]
    assert "not up" in CliRunner().invoke(app, status).stdout
    save(a_state(folder))
    ran = CliRunner().invoke(app, status)
    assert (ran.exit_code, "not well" in ran.stdout) == (1, True)
