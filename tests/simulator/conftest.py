"""What the simulator's tests share: ways to make a simulator, a client of it, and servers in a chosen state."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import pytest
from botocore.exceptions import ClientError

from simulator import Scenario, Simulator
from simulator.pytest_plugin import make_client, mgn_client, mgn_scenario, mgn_simulator, mgn_url
from simulator.scenario import ServerSpec

__all__ = ["mgn_client", "mgn_scenario", "mgn_simulator", "mgn_url"]


class World:
    """A simulator on a stepped clock, with an untyped boto3 client so that tests may send wrong things."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    @cached_property
    def mgn(self) -> Any:
        """The client; made when first used, as that is dear."""
        return make_client(self.simulator)

    @property
    def ids(self) -> list[str]:
        """Ids of all servers in the order of the scenario."""
        return list(self.simulator.account.servers)

    def server(self, server_id: str) -> dict[str, Any]:
        """One server as DescribeSourceServers shows it."""
        items = self.mgn.describe_source_servers(filters={"sourceServerIDs": [server_id]})["items"]
        return dict(items[0])

    def state(self, server_id: str) -> str:
        """Its lifecycle state."""
        return str(self.server(server_id)["lifeCycle"]["state"])

    def job(self, job_id: str) -> dict[str, Any]:
        """One job as DescribeJobs shows it."""
        return dict(self.mgn.describe_jobs(filters={"jobIDs": [job_id]})["items"][0])

    def log(self, job_id: str) -> list[str]:
        """Names of the job's log events."""
        items = self.mgn.describe_job_log_items(jobID=job_id, maxResults=1000)["items"]
        return [str(item["event"]) for item in items]

    def launch(self, phase: str, *server_ids: str) -> str:
        """Run a test or cutover job to its end; returns the job id."""
        start = self.mgn.start_test if phase == "test" else self.mgn.start_cutover
        job_id = str(start(sourceServerIDs=list(server_ids))["job"]["jobID"])
        self.simulator.finish_jobs()
        return job_id

    def mark(self, server_id: str, state: str) -> None:
        """ChangeServerLifeCycleState."""
        self.mgn.change_server_life_cycle_state(sourceServerID=server_id, lifeCycle={"state": state})

    def cut_over(self, server_id: str) -> str:
        """From READY_FOR_TEST to a finished cutover job; returns its id."""
        self.mark(server_id, "READY_FOR_CUTOVER")
        return self.launch("cutover", server_id)

    def events(self) -> list[dict[str, Any]]:
        """Native events sent so far, oldest first."""
        return self.simulator.log(kind="event")


Simulate = Callable[..., World]
Refused = Callable[..., dict[str, Any]]


@pytest.fixture
def simulate() -> Simulate:
    """Makes a world: `simulate("READY_FOR_TEST", "CUTOVER", knobs={...})`, three servers ready for test by default."""

    def make(*lifecycles: str, servers: list[dict[str, Any]] | None = None, **fields: Any) -> World:
        states = lifecycles or ("READY_FOR_TEST",) * 3
        specs = servers or [{"name": f"server-{n}", "lifecycle": state} for n, state in enumerate(states)]
        parts = [ServerSpec.model_validate(spec) for spec in specs]
        return World(Simulator(Scenario.model_validate({**fields, "servers": parts})))

    return make


@pytest.fixture
def refused() -> Refused:
    """Makes a call that must fail with the given error code and words; gives the error response."""

    def call(operation: Callable[..., Any], parameters: dict[str, Any], code: str, words: str = "") -> dict[str, Any]:
        with pytest.raises(ClientError) as caught:
            operation(**parameters)
        response: Any = caught.value.response
        assert response["Error"]["Code"] == code
        assert words in response["Error"]["Message"]
        return dict(response)

    return call
