"""The simulator from Python: time, log, direct calls, threads."""

import ast
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import simulator.model
from simulator import Simulator
from simulator.clock import LATEST, LONGEST_JUMP, Clock, ScaledClock, SteppedClock
from simulator.memory import MemoryBus, MemoryObjects
from simulator.model.forms.errors import MgnError
from simulator.model.forms.formats import duration_text
from simulator.model.settings.faults import CallFault
from simulator.model.settings.knobs import Knobs
from simulator.scenario import Scenario, ScenarioError, ServerSpec


def test_direct_call_answers_without_boto3(mgn_simulator: Simulator) -> None:
    assert len(mgn_simulator.call("DescribeSourceServers")["items"]) == 3


def test_direct_call_raises_what_the_service_refuses(mgn_simulator: Simulator) -> None:
    with pytest.raises(MgnError) as caught:
        mgn_simulator.call("StartCutover", sourceServerIDs=list(mgn_simulator.account.servers))
    assert caught.value.code == "ConflictException"


def test_direct_call_of_no_operation_names_those_like_it(mgn_simulator: Simulator) -> None:
    with pytest.raises(ValueError, match="the API has no operation 'StartTset': did you mean StartTest"):
        mgn_simulator.call("StartTset")


def test_answers_are_copies(mgn_simulator: Simulator) -> None:
    job: Any = mgn_simulator.call("StartTest", sourceServerIDs=list(mgn_simulator.account.servers))["job"]
    job["participatingServers"].clear()
    assert len(mgn_simulator.call("DescribeJobs")["items"][0]["participatingServers"]) == 3


def test_server_is_found_by_name(mgn_simulator: Simulator) -> None:
    assert mgn_simulator.server("web-02").name == "web-02"
    with pytest.raises(KeyError):
        mgn_simulator.server("nobody")


def test_jumping_goes_from_transition_to_transition() -> None:
    simulator = Simulator(Scenario(knobs=Knobs(template_check_seconds=None), servers=(ServerSpec(name="a"),)))
    assert (simulator.next_due(), simulator.advance_to_next()) == (None, False)
    simulator.call("StartTest", sourceServerIDs=list(simulator.account.servers))
    assert simulator.next_due() == simulator.clock.now() + 30
    assert simulator.advance_to_next()
    assert simulator.call("DescribeJobs")["items"][0]["status"] == "STARTED"


def test_jump_to_what_comes_next_may_be_long() -> None:
    knobs, years = Knobs(template_check_seconds=None), 3 * 365 * 86_400.0
    simulator = Simulator(Scenario(knobs=knobs, servers=(ServerSpec(name="a"),)))
    simulator.inject({"kind": "replication", "after_seconds": years})
    assert simulator.advance_to_next()
    assert simulator.server("a").replication.state == "STALLED"


def test_finishing_jobs_stops_at_its_limit(mgn_simulator: Simulator) -> None:
    mgn_simulator.call("StartTest", sourceServerIDs=list(mgn_simulator.account.servers))
    mgn_simulator.finish_jobs(limit_seconds=60)
    assert mgn_simulator.account.active_jobs


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="cannot go back"):
        SteppedClock().advance(-1)
    with pytest.raises(ValueError, match="cannot go back"):
        ScaledClock().advance(-1)


def test_scaled_clock_runs_and_jumps() -> None:
    clock = ScaledClock(scale=1000, start=0)
    clock.advance(1_000_000)
    assert clock.now() >= 1_000_000


@pytest.mark.parametrize("scale", [0, -1, 86_401, float("inf"), float("nan")])
def test_scale_has_bounds(scale: float) -> None:
    with pytest.raises(ValueError, match="above zero and at most 86400"):
        ScaledClock(scale)


@pytest.mark.parametrize("seconds", [LONGEST_JUMP + 1, 1e15, float("inf"), float("nan")])
@pytest.mark.parametrize("clock", [SteppedClock(), ScaledClock()])
def test_time_moves_at_most_a_hundred_days_in_one_step(clock: Clock, seconds: float) -> None:
    before = clock.now()
    with pytest.raises(ValueError, match="at most 8640000 simulated seconds, 100 days"):
        clock.advance(seconds)
    assert clock.now() < before + LONGEST_JUMP


def test_time_ends_before_dates_do() -> None:
    clock = SteppedClock(datetime(8999, 12, 31, tzinfo=UTC).timestamp())
    with pytest.raises(ValueError, match="ends with the year 9000"):
        clock.advance(LONGEST_JUMP)
    assert ScaledClock(start=datetime(9999, 1, 1, tzinfo=UTC).timestamp()).now() == LATEST


def test_model_reads_no_clock_socket_or_file() -> None:
    imported: set[str] = set()
    for path in Path(str(simulator.model.__path__[0])).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported.update(name.name for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module))
    assert not imported & {"time", "socket", "os", "pathlib", "threading", "asyncio", "subprocess", "logging"}
    assert {
        name for name in imported if name.startswith("simulator") and not name.startswith("simulator.model")
    } == set()


def test_longest_step_leaves_every_operation_working(mgn_simulator: Simulator) -> None:
    mgn_simulator.advance(LONGEST_JUMP)
    assert len(mgn_simulator.call("DescribeSourceServers")["items"]) == 3


def test_log_is_bounded() -> None:
    simulator = Simulator(Scenario(knobs=Knobs(log_limit=100)))
    for _ in range(300):
        simulator.call("DescribeJobs")
    entries = simulator.log()
    assert (len(entries), entries[-1]["number"]) == (100, 300)
    assert simulator.log(since=298) == entries[-2:]


def test_wrong_fault_is_explained(mgn_simulator: Simulator) -> None:
    with pytest.raises(ScenarioError, match="probability: 2: input should be less than or equal to 1"):
        mgn_simulator.inject({"kind": "launch", "at": "boot", "probability": 2})


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "call", "operations": ["StartTset"], "outcome": "internal"},
        CallFault(operations=("StartTset",), outcome="internal"),
    ],
)
def test_fault_of_an_operation_that_is_none_is_explained(mgn_simulator: Simulator, fault: Any) -> None:
    with pytest.raises(ScenarioError, match="no operation 'StartTset': did you mean StartTest"):
        mgn_simulator.inject(fault)


def test_racing_starters_get_one_job_for_each_server() -> None:
    simulator = Simulator(Scenario(servers=(ServerSpec(name="a", count=10),)))
    ids = list(simulator.account.servers)

    def start(_: int) -> bool:
        try:
            simulator.call("StartTest", sourceServerIDs=ids)
        except MgnError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(start, range(32))) == 1


def test_reset_forgets_what_memory_keeps(mgn_simulator: Simulator) -> None:
    compute, bus, objects = (mgn_simulator.compute, mgn_simulator.bus, mgn_simulator.objects)
    assert isinstance(bus, MemoryBus)
    assert isinstance(objects, MemoryObjects)
    mgn_simulator.call("StartTest", sourceServerIDs=list(mgn_simulator.account.servers))
    mgn_simulator.call("StartExport", s3Bucket="b", s3Key="k.csv")
    mgn_simulator.finish_jobs()
    assert (len(compute.instances), len(bus.events), len(objects.texts)) == (3, 3, 1)
    mgn_simulator.reset()
    assert (len(compute.instances), len(bus.events), len(objects.texts)) == (0, 0, 0)


def test_servers_can_join_later(mgn_simulator: Simulator) -> None:
    late = mgn_simulator.add_servers(ServerSpec(name="late", lifecycle="NOT_READY"))[0]
    mgn_simulator.advance(5000)
    assert late.state == "READY_FOR_TEST"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "P0D"), (-5, "P0D"), (1, "PT1S"), (60, "PT1M"), (3661.5, "PT1H1M1.5S"), (0.25, "PT0.25S"), (90_000, "PT25H")],
)
def test_durations_are_iso_8601(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
