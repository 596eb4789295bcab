"""Each test of the command runs in a folder of its own, against moto."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.client import BaseClient
from botocore.loaders import Loader, create_loader
from moto import mock_aws

from tests.cli.deployed_stage import Stacks, Stage

LOADER: Loader = create_loader()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command runs: no local cloud of this machine is seen."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cli.deployed.REPOSITORY", tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What happens while a command waits: one of these at each of its pauses, which are no pauses any more."""
    steps: list[Callable[[], object]] = []

    def pause(seconds: float) -> None:
        assert steps, "the command waits for something that never comes"
        steps.pop(0)()

    for module in ("cli.screens", "cli.commands.wait", "cli.commands.handing_in"):
        monkeypatch.setattr(f"{module}.sleep", pause)
    return steps


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stacks]:
    """An AWS account in which nothing is deployed."""
    # Each command makes a session of its own; the descriptions of the services are read once for all.
    monkeypatch.setattr("botocore.session.create_loader", lambda *_: LOADER)
    with mock_aws():
        stacks = Stacks(BaseClient._make_api_call)  # type: ignore[attr-defined]
        monkeypatch.setattr(BaseClient, "_make_api_call", lambda *call: stacks.make_api_call(*call))
        yield stacks


@pytest.fixture
def stage(stacks: Stacks) -> Stage:
    """The stage dev, deployed."""
    return Stage(stacks)
