"""How the MGN adapter calls: batches, pages, dates, and exactly once where there is no client token (I3)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal

import pytest
from botocore.stub import Stubber

from runtime.adapters.aws import clients
from runtime.adapters.servers.mgn import INVENTORY_SECONDS, MgnMigrationService
from runtime.errors import MgnNotInitializedError, ServiceUnavailableError, TargetAccountError, ThrottledError
from runtime.models.request import Phase
from simulator.engine import Simulator
from simulator.inprocess import intercept
from simulator.model.settings.faults import CallFault
from simulator.model.settings.knobs import Knobs
from simulator.scenario import Scenario, ServerSpec
from tests.builders import JOB_ID, server_id

Outcome = Literal[
    "throttle", "internal", "unavailable", "access_denied", "timeout_before", "timeout_after", "timeout_late"
]

READY = server_id(1)


@pytest.fixture
def simulator(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    scenario: Scenario = getattr(request, "param", Scenario(servers=(ServerSpec(name="ready", id=READY),)))
    clients._client.cache_clear()
    with intercept(Simulator(scenario)) as simulator:
        yield simulator
    clients._client.cache_clear()


@pytest.fixture
def mgn(simulator: Simulator) -> MgnMigrationService:
    return MgnMigrationService(clients.client("mgn"), clients.once_client("mgn"))


def calls(simulator: Simulator, operation: str) -> int:
    return sum(entry.get("operation") == operation for entry in simulator.log(kind="call"))


CROWD = Scenario(servers=(ServerSpec(name="many", count=450),), knobs=Knobs(default_page_size=7))


@pytest.mark.parametrize("simulator", [CROWD], indirect=True)
def test_hundreds_of_servers_are_asked_in_batches(simulator: Simulator, mgn: MgnMigrationService) -> None:
    ids = [server.server_id for server in simulator.account.servers.values()]
    assert {server.source_server_id for server in mgn.servers(ids)} == set(ids)
    assert calls(simulator, "DescribeSourceServers") == 3
    assert len(list(mgn.active_servers())) == 450
    assert calls(simulator, "DescribeSourceServers") == 6


@pytest.mark.parametrize("simulator", [CROWD], indirect=True)
def test_wave_of_names_lists_the_servers_once(simulator: Simulator, mgn: MgnMigrationService) -> None:
    assert mgn.active_servers() == mgn.active_servers()
    assert calls(simulator, "DescribeSourceServers") == 3


def test_list_is_read_again_when_it_grew_old_or_is_older_than_it_may_be(
    simulator: Simulator, mgn: MgnMigrationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at(seconds: float) -> datetime:
        moment = 1_767_614_400 + seconds
        monkeypatch.setattr("runtime.adapters.servers.mgn.time", lambda: moment)
        return datetime.fromtimestamp(moment, UTC)

    asked = at(-1)
    at(0)
    for _ in range(3):
        # Read after it was asked for, it says for good who is not there.
        mgn.active_servers(since=asked)
    assert calls(simulator, "DescribeSourceServers") == 1
    asked = at(INVENTORY_SECONDS)
    mgn.active_servers()
    assert calls(simulator, "DescribeSourceServers") == 1
    mgn.active_servers(since=asked)
    assert calls(simulator, "DescribeSourceServers") == 2
    at(2 * INVENTORY_SECONDS + 1)
    mgn.active_servers()
    assert calls(simulator, "DescribeSourceServers") == 3


def test_misses_cost_one_list_in_ten_seconds_and_wait_meanwhile(
    simulator: Simulator, mgn: MgnMigrationService, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = 1_767_614_400.0
    for second in range(30):
        now = began + second
        monkeypatch.setattr("runtime.adapters.servers.mgn.time", lambda now=now: now)
        with suppress(ThrottledError):
            mgn.active_servers(since=datetime.fromtimestamp(now, UTC))
    assert calls(simulator, "DescribeSourceServers") == 3


def test_every_time_zone_becomes_utc(mgn: MgnMigrationService, simulator: Simulator) -> None:
    job = mgn.start_launch(Phase.TEST, [READY], {})
    created = datetime.fromisoformat(job.creation_date_time or "")
    assert [found.job_id for found in mgn.jobs_since(created.astimezone(UTC))] == [job.job_id]
    for hours in (-8, 5):
        local = created.astimezone(timezone(timedelta(hours=hours)))
        assert [found.job_id for found in mgn.jobs_since(local)] == [job.job_id]
        assert list(mgn.jobs_since(local + timedelta(hours=1))) == []


@pytest.mark.parametrize("outcome", ["internal", "unavailable", "timeout_before", "timeout_after", "timeout_late"])
def test_launch_is_sent_once_whatever_comes_back(
    simulator: Simulator, mgn: MgnMigrationService, outcome: Outcome
) -> None:
    simulator.inject(CallFault(operations=("StartTest",), outcome=outcome))
    with pytest.raises(ServiceUnavailableError):
        mgn.start_launch(Phase.TEST, [READY], {})
    assert calls(simulator, "StartTest") == 1
    assert len(list(mgn.jobs_since(datetime(2000, 1, 1, tzinfo=UTC)))) == (outcome == "timeout_after")


def test_launch_throttled_is_not_repeated_behind_the_callers_back(
    simulator: Simulator, mgn: MgnMigrationService
) -> None:
    simulator.inject(CallFault(operations=("StartTest",), outcome="throttle"))
    with pytest.raises(ThrottledError):
        mgn.start_launch(Phase.TEST, [READY], {})
    assert calls(simulator, "StartTest") == 1


CHANGES: dict[str, Callable[[MgnMigrationService], object]] = {
    "TerminateTargetInstances": lambda mgn: mgn.terminate([READY], {}),
    "FinalizeCutover": lambda mgn: mgn.finalize(READY),
    "ChangeServerLifeCycleState": lambda mgn: mgn.change_lifecycle(READY, "READY_FOR_CUTOVER"),
}


@pytest.mark.parametrize("operation", CHANGES)
def test_other_changes_are_sent_once_too(simulator: Simulator, mgn: MgnMigrationService, operation: str) -> None:
    simulator.inject(CallFault(operations=(operation,), outcome="internal"))
    with pytest.raises(ServiceUnavailableError):
        CHANGES[operation](mgn)
    assert calls(simulator, operation) == 1


def test_reading_is_repeated(simulator: Simulator, mgn: MgnMigrationService) -> None:
    simulator.inject(CallFault(operations=("DescribeSourceServers",), outcome="unavailable", calls=(1,)))
    assert [server.source_server_id for server in mgn.servers([READY])] == [READY]


def test_denied_call_says_so_in_words(simulator: Simulator, mgn: MgnMigrationService) -> None:
    simulator.inject(CallFault(operations=("StartTest",), outcome="access_denied"))
    with pytest.raises(TargetAccountError, match=r"^StartTest: AccessDeniedException: "):
        mgn.start_launch(Phase.TEST, [READY], {})


@pytest.mark.parametrize("simulator", [Scenario(initialized=False)], indirect=True)
def test_account_without_mgn_is_named(mgn: MgnMigrationService) -> None:
    with pytest.raises(MgnNotInitializedError):
        mgn.servers([READY])
    with pytest.raises(MgnNotInitializedError):
        list(mgn.active_servers())


@contextmanager
def answering(operation: str, answer: dict[str, object]) -> Iterator[MgnMigrationService]:
    """MGN that gives this answer, be it none of its own."""
    client = clients.once_client("mgn")
    with Stubber(client) as stubber:
        stubber.add_response(operation, answer)
        yield MgnMigrationService(client, client)


READS: dict[str, Callable[[MgnMigrationService], object]] = {
    "describe_source_servers": lambda mgn: mgn.servers([READY]),
    "describe_jobs": lambda mgn: mgn.jobs([JOB_ID]),
    "describe_job_log_items": lambda mgn: mgn.job_log(JOB_ID),
}


@pytest.mark.parametrize(("operation", "read"), READS.items())
def test_answer_without_items_is_no_empty_list(operation: str, read: Callable[[MgnMigrationService], object]) -> None:
    with answering(operation, {"items": []}) as mgn:
        assert read(mgn) == ()
    with answering(operation, {}) as mgn, pytest.raises(ServiceUnavailableError, match="a list without items"):
        read(mgn)


def test_item_without_its_id_is_no_answer() -> None:
    with (
        answering("describe_source_servers", {"items": [{}]}) as mgn,
        pytest.raises(ServiceUnavailableError, match="sourceServerID: missing"),
    ):
        mgn.servers([READY])


STARTS: dict[str, Callable[[MgnMigrationService], object]] = {
    "start_test": lambda mgn: mgn.start_launch(Phase.TEST, [READY], {}),
    "start_cutover": lambda mgn: mgn.start_launch(Phase.CUTOVER, [READY], {}),
    "terminate_target_instances": lambda mgn: mgn.terminate([READY], {}),
}


@pytest.mark.parametrize(("operation", "start"), STARTS.items())
def test_i3_launch_whose_answer_names_no_job_may_have_been_made(
    operation: str, start: Callable[[MgnMigrationService], object]
) -> None:
    with answering(operation, {}) as mgn, pytest.raises(ServiceUnavailableError, match="no usable answer from MGN"):
        start(mgn)
