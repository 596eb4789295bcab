"""What every MigrationService does: the fake, and the MGN adapter in front of the simulator, pass the same suite."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from runtime.adapters.servers.mgn import MgnMigrationService
from runtime.errors import (
    SourceServerBusyError,
    SourceServerGoneError,
    SourceServerStateError,
    ThrottledError,
)
from runtime.logic.ports import MigrationService
from runtime.models.mgn import Job, JobLogEntry
from runtime.models.request import Phase
from simulator.engine import Simulator
from simulator.model.settings.faults import LaunchFault
from simulator.pytest_plugin import make_client
from simulator.scenario import Scenario, ServerSpec
from tests.builders import NOON, a_server, server_id
from tests.fakes import FakeMgn

READY, OTHER, ARCHIVED, LAGGING, TO_CUT_OVER = (server_id(number) for number in range(1, 6))
UNKNOWN = server_id(9)
TAGS = {"migration:launch-id": "launch-1"}


@dataclass
class World:
    """An MGN with five servers, and how to let its jobs end and its time pass."""

    mgn: MigrationService
    end_jobs: Callable[[], None]
    wait: Callable[[float], None]
    now: Callable[[], datetime]


def faked() -> World:
    mgn = FakeMgn(
        a_server(READY),
        a_server(OTHER),
        a_server(ARCHIVED, state="CUTOVER", replication="DISCONNECTED", lag=None, is_archived=True),
        a_server(LAGGING, state="NOT_READY", replication="INITIAL_SYNC", lag=None),
        a_server(TO_CUT_OVER, state="READY_FOR_CUTOVER"),
    )

    def wait(seconds: float) -> None:
        mgn.now += timedelta(seconds=seconds)

    def end_jobs() -> None:
        for job in mgn.started:
            if job.is_active:
                mgn.logs[job.job_id] = [JobLogEntry(event="JOB_START"), JobLogEntry(event="JOB_END")]
                mgn.end(job.job_id)

    return World(mgn, end_jobs, wait, lambda: mgn.now)


def simulated() -> World:
    simulator = Simulator(
        Scenario(
            start=NOON,
            servers=(
                ServerSpec(name="ready", id=READY),
                ServerSpec(name="other", id=OTHER),
                ServerSpec(name="archived", id=ARCHIVED, lifecycle="CUTOVER", archived=True),
                ServerSpec(name="lagging", id=LAGGING, lifecycle="NOT_READY"),
                ServerSpec(name="to-cut-over", id=TO_CUT_OVER, lifecycle="READY_FOR_CUTOVER"),
            ),
        )
    )
    client = make_client(simulator)
    return World(
        MgnMigrationService(client, client),
        simulator.finish_jobs,
        simulator.advance,
        lambda: datetime.fromtimestamp(simulator.clock.now(), UTC),
    )


@pytest.fixture(params=[faked, simulated])
def world(request: pytest.FixtureRequest) -> World:
    made: World = request.param()
    return made


@pytest.fixture
def mgn(world: World) -> MigrationService:
    return world.mgn


def state_of(mgn: MigrationService, source_server_id: str) -> str:
    return mgn.servers([source_server_id])[0].state


class TestReading:
    def test_servers_by_id_with_archived_and_without_unknown(self, mgn: MigrationService) -> None:
        found = {server.source_server_id: server for server in mgn.servers([READY, ARCHIVED, UNKNOWN])}
        assert found.keys() == {READY, ARCHIVED}
        assert found[ARCHIVED].is_archived
        assert not found[READY].is_archived
        assert found[READY].state == "READY_FOR_TEST"

    def test_no_ids_means_no_servers_and_no_jobs(self, mgn: MigrationService) -> None:
        assert mgn.servers([]) == ()
        assert mgn.jobs([]) == ()

    def test_active_servers_are_all_but_archived(self, mgn: MigrationService) -> None:
        assert {s.source_server_id for s in mgn.active_servers()} == {READY, OTHER, LAGGING, TO_CUT_OVER}

    def test_launchable_is_a_lag_and_not_launchable_is_none(self, mgn: MigrationService) -> None:
        lag = {s.source_server_id: s.data_replication_info.lag_duration for s in mgn.servers([READY, LAGGING])}
        assert lag[READY] is not None
        assert lag[LAGGING] is None

    def test_unknown_jobs_are_left_out(self, mgn: MigrationService) -> None:
        job = mgn.start_launch(Phase.TEST, [READY], TAGS)
        assert [found.job_id for found in mgn.jobs([job.job_id, f"mgnjob-{'9' * 17}"])] == [job.job_id]

    def test_jobs_since_a_moment_come_newest_first(self, world: World) -> None:
        world.mgn.start_launch(Phase.TEST, [READY], TAGS)
        world.end_jobs()
        world.wait(60)
        moment = world.now()
        jobs = []
        for source_id in (OTHER, TO_CUT_OVER):
            phase = Phase.TEST if source_id == OTHER else Phase.CUTOVER
            jobs.append(world.mgn.start_launch(phase, [source_id], {}).job_id)
            world.wait(60)
        assert [job.job_id for job in world.mgn.jobs_since(moment)] == jobs[::-1]
        assert len(list(world.mgn.jobs_since(moment - timedelta(days=1)))) == 3


class TestLaunching:
    def test_test_launch_is_a_pending_job_with_the_tags(self, mgn: MigrationService) -> None:
        job = mgn.start_launch(Phase.TEST, [READY, OTHER], TAGS)
        assert (job.type, job.initiated_by, job.status) == ("LAUNCH", "START_TEST", "PENDING")
        assert {part.source_server_id for part in job.participating_servers} == {READY, OTHER}
        assert mgn.jobs([job.job_id])[0].tags.items() >= TAGS.items()

    def test_lifecycle_changes_with_the_call_and_names_the_job(self, mgn: MigrationService) -> None:
        test = mgn.start_launch(Phase.TEST, [READY], TAGS)
        cutover = mgn.start_launch(Phase.CUTOVER, [TO_CUT_OVER], TAGS)
        tested, cut_over = (mgn.servers([source_id])[0] for source_id in (READY, TO_CUT_OVER))
        assert (tested.state, tested.launched_job(Phase.TEST)) == ("TESTING", test.job_id)
        assert (cut_over.state, cut_over.launched_job(Phase.CUTOVER)) == ("CUTTING_OVER", cutover.job_id)
        assert tested.launched_job(Phase.CUTOVER) is None

    def test_ended_launch_has_an_instance(self, world: World) -> None:
        job_id = world.mgn.start_launch(Phase.TEST, [READY], TAGS).job_id
        world.end_jobs()
        job = world.mgn.jobs([job_id])[0]
        part = job.server(READY)
        assert not job.is_active
        assert part is not None
        assert part.launch_status == "LAUNCHED"
        assert part.launched_ec2_instance_id is not None
        world.wait(7_200)
        launched = world.mgn.servers([READY])[0].launched_instance
        assert launched is not None
        assert (launched.ec2_instance_id, launched.job_id) == (part.launched_ec2_instance_id, job_id)
        assert launched.first_boot == "SUCCEEDED"

    def test_log_tells_the_job(self, world: World) -> None:
        job_id = world.mgn.start_launch(Phase.TEST, [READY], TAGS).job_id
        world.end_jobs()
        events = [entry.event for entry in world.mgn.job_log(job_id)]
        assert (events[0], events[-1]) == ("JOB_START", "JOB_END")

    def test_server_in_a_job_is_busy_and_the_whole_call_is_refused(self, mgn: MigrationService) -> None:
        mgn.start_launch(Phase.TEST, [READY], TAGS)
        with pytest.raises(SourceServerBusyError):
            mgn.start_launch(Phase.TEST, [READY, OTHER], TAGS)
        assert state_of(mgn, OTHER) == "READY_FOR_TEST"

    @pytest.mark.parametrize(
        ("phase", "source_id"), [(Phase.CUTOVER, READY), (Phase.TEST, TO_CUT_OVER), (Phase.TEST, LAGGING)]
    )
    def test_wrong_state_is_refused(self, mgn: MigrationService, phase: Phase, source_id: str) -> None:
        with pytest.raises(SourceServerStateError):
            mgn.start_launch(phase, [source_id], TAGS)

    def test_unknown_server_is_refused(self, mgn: MigrationService) -> None:
        with pytest.raises(SourceServerStateError):
            mgn.start_launch(Phase.TEST, [UNKNOWN], TAGS)


class TestUndoing:
    def test_instance_is_terminated_once_the_lifecycle_is_back(self, world: World) -> None:
        world.mgn.start_launch(Phase.TEST, [READY], TAGS)
        world.end_jobs()
        with pytest.raises(SourceServerStateError):
            world.mgn.terminate([READY], TAGS)
        assert world.mgn.change_lifecycle(READY, "READY_FOR_TEST").state == "READY_FOR_TEST"
        job_id = world.mgn.terminate([READY], TAGS).job_id
        world.end_jobs()
        job: Job = world.mgn.jobs([job_id])[0]
        assert (job.type, job.initiated_by, job.is_active) == ("TERMINATE", "TERMINATE", False)
        part = job.server(READY)
        assert part is not None
        assert part.launch_status == "TERMINATED"

    def test_terminating_server_is_busy(self, world: World) -> None:
        world.mgn.terminate([TO_CUT_OVER], TAGS)
        with pytest.raises(SourceServerBusyError):
            world.mgn.start_launch(Phase.CUTOVER, [TO_CUT_OVER], TAGS)

    def test_cutover_is_reverted_to_ready_for_cutover_only(self, world: World) -> None:
        world.mgn.start_launch(Phase.CUTOVER, [TO_CUT_OVER], TAGS)
        world.end_jobs()
        with pytest.raises(SourceServerStateError):
            world.mgn.change_lifecycle(TO_CUT_OVER, "READY_FOR_TEST")
        world.mgn.change_lifecycle(TO_CUT_OVER, "READY_FOR_CUTOVER")
        assert state_of(world.mgn, TO_CUT_OVER) == "READY_FOR_CUTOVER"

    def test_test_may_be_skipped(self, mgn: MigrationService) -> None:
        assert mgn.change_lifecycle(READY, "READY_FOR_CUTOVER").state == "READY_FOR_CUTOVER"

    def test_unlaunchable_or_unknown_server_keeps_its_lifecycle(self, mgn: MigrationService) -> None:
        with pytest.raises(SourceServerStateError):
            mgn.change_lifecycle(LAGGING, "READY_FOR_TEST")
        with pytest.raises(SourceServerGoneError):
            mgn.change_lifecycle(UNKNOWN, "READY_FOR_TEST")


class TestFinalizing:
    def test_cutover_is_final_and_ends_replication(self, world: World) -> None:
        world.mgn.start_launch(Phase.CUTOVER, [TO_CUT_OVER], TAGS)
        world.end_jobs()
        server = world.mgn.finalize(TO_CUT_OVER)
        assert server.state == "CUTOVER"
        assert server.data_replication_info.lag_duration is None
        with pytest.raises(SourceServerStateError):
            world.mgn.change_lifecycle(TO_CUT_OVER, "READY_FOR_CUTOVER")

    def test_only_a_server_cutting_over_is_finalized(self, mgn: MigrationService) -> None:
        with pytest.raises(SourceServerStateError):
            mgn.finalize(READY)
        with pytest.raises(SourceServerGoneError):
            mgn.finalize(UNKNOWN)


def test_full_account_asks_to_wait() -> None:
    servers = [server_id(number) for number in range(10, 31)]
    simulator = Simulator(Scenario(servers=tuple(ServerSpec(name=name, id=name) for name in servers)))
    client = make_client(simulator)
    for mgn in (FakeMgn(*map(a_server, servers)), MgnMigrationService(client, client)):
        for name in servers[:20]:
            mgn.start_launch(Phase.TEST, [name], TAGS)
        with pytest.raises(ThrottledError):
            mgn.start_launch(Phase.TEST, [servers[20]], TAGS)


def test_fake_can_fail_a_launch_as_the_simulator_does() -> None:
    fake, simulator = FakeMgn(a_server(READY)), Simulator(Scenario(servers=(ServerSpec(name="a", id=READY),)))
    simulator.inject(LaunchFault(at="launch"))
    client = make_client(simulator)
    real = MgnMigrationService(client, client)
    jobs = [mgn.start_launch(Phase.TEST, [READY], TAGS).job_id for mgn in (fake, real)]
    fake.end(jobs[0], "FAILED")
    simulator.finish_jobs()
    services: tuple[MigrationService, ...] = (fake, real)
    for mgn, job_id in zip(services, jobs, strict=True):
        job = mgn.jobs([job_id])[0]
        part = job.server(READY)
        assert part is not None
        assert (job.status, part.launch_status, part.launched_ec2_instance_id) == ("COMPLETED", "FAILED", None)
