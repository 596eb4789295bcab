"""Each test of the command runs in a folder of its own, against moto."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.client import BaseClient
from moto import mock_aws

from tests.cli.deployed_stage import Stacks, Stage


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command runs: no local cloud of this machine is seen."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stacks]:
    """An AWS account in which nothing is deployed."""
    with mock_aws():
        stacks = Stacks(BaseClient._make_api_call)  # type: ignore[attr-defined]
        monkeypatch.setattr(BaseClient, "_make_api_call", lambda *call: stacks.make_api_call(*call))
        yield stacks


@pytest.fixture
def stage(stacks: Stacks) -> Stage:
    """The stage dev, deployed."""
    return Stage(stacks)
