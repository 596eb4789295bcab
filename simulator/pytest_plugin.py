"""Fixtures for tests against the simulator: `pytest_plugins = ["simulator.pytest_plugin"]`."""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import boto3
import pytest

from simulator.engine import Simulator
from simulator.http.serving import serving
from simulator.inprocess import attach
from simulator.scenario import Scenario, ServerSpec

if TYPE_CHECKING:
    from mypy_boto3_mgn import MgnClient


@pytest.fixture
def mgn_scenario() -> Scenario:
    """Three servers ready for test; override it to test against something else."""
    return Scenario(servers=(ServerSpec(name="web", count=3),))


@pytest.fixture
def mgn_simulator(mgn_scenario: Scenario) -> Simulator:
    """A simulator on a clock that only moves when told to."""
    return Simulator(mgn_scenario)


@pytest.fixture
def mgn_client(mgn_simulator: Simulator) -> "MgnClient":
    """A boto3 client answered by that simulator inside the process."""
    return make_client(mgn_simulator)


@pytest.fixture
def mgn_url(mgn_simulator: Simulator) -> Iterator[str]:
    """The same simulator over HTTP."""
    with serving(mgn_simulator) as url:
        yield url


@cache
def _session() -> boto3.session.Session:
    # Loading the service model is most of the price of a client; a session keeps it.
    return boto3.session.Session()


def make_client(simulator: Simulator) -> "MgnClient":
    """A boto3 client attached to a simulator."""
    client: MgnClient = _session().client(
        "mgn", region_name=simulator.scenario.region, aws_access_key_id="test", aws_secret_access_key="test"
    )
    attach(client, simulator)
    return client
