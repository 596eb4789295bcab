"""dispatch_launches: every waiting launch is started once, inside the quotas, whatever goes wrong (I3, I4)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import (
    MgnNotInitializedError,
    MigrationError,
    RecordChangedError,
    ServiceUnavailableError,
    SourceServerBusyError,
    SourceServerGoneError,
    SourceServerStateError,
    TargetAccountError,
    ThrottledError,
)
from runtime.logic.dispatch import looking
from runtime.logic.dispatch.batching import CORRELATION_TAG, LAUNCH_TAG, correlation_tags
from runtime.logic.dispatch.looking import CALLS, PATIENCE, SOON, Look, look_again
from runtime.logic.journal import note
from runtime.logic.waits.parking import hand_out_signals
from runtime.models.decisions import Decision
from runtime.models.dispatch import VISIBLE_AFTER, Batch, Dispatch, Looked
from runtime.models.functions.environment import Budgets
from runtime.models.mgn import Job
from runtime.models.record import Facts, Launch, LaunchKind
from runtime.models.request import Phase
from runtime.models.status import MigrationStatus
from runtime.models.waits import (
    LaunchIntent,
    Outcome,
    Progress,
    WaitKind,
)
from tests.builders import (
    JOB_ID,
    NOON,
    SCOPE,
    a_job,
    a_record,
    a_server,
    a_signal,
    a_wait,
    server_id,
)
from tests.fakes import FakeMgn, FakePorts, FakeResumer

TEST, CUTOVER, TERMINATE = LaunchKind.TEST, LaunchKind.CUTOVER, LaunchKind.TERMINATE
STATE = {TEST: "READY_FOR_TEST", CUTOVER: "READY_FOR_CUTOVER", TERMINATE: "READY_FOR_TEST"}
STATUS = {
    TEST: MigrationStatus.TEST_LAUNCHING,
    CUTOVER: MigrationStatus.CUTOVER_LAUNCHING,
    TERMINATE: MigrationStatus.ROLLING_BACK,
}
ALL_LAUNCH = [TEST, CUTOVER, TERMINATE]
NO_ANSWER = ServiceUnavailableError("no answer")


def a_world(*numbers: int, kind: LaunchKind = TEST, **budgets: Any) -> FakePorts:
    """Migrations that wait for a launch, each of its own numbered server."""
    ports = FakePorts(FakeMgn(), budgets=Budgets(**{"launch_gather": 0, **budgets}))
    for number in numbers or (1,):
        ask(ports, number, kind)
    return ports


def look(ports: FakePorts) -> Look:
    """One round over everything, whose word to the next look is kept; the rest of what it says."""
    report = looking.look(ports)
    ports.dispatches.looked(SCOPE, report.looked)
    return report._replace(looked=Looked())


def ask(ports: FakePorts, number: int, kind: LaunchKind = TEST, **changes: Any) -> Any:
    """Have one more migration wait for a launch."""
    ports.mgn.add(a_server(server_id(number), state=STATE[kind]))
    name = f"mig-{number}"
    ports.migrations.records[name] = a_record(
        name, status=STATUS[kind], scope=SCOPE, source_server_id=server_id(number), correlation_id=f"{number:032x}"
    )
    wait = {
        "kind": WaitKind.UNDO if kind is TERMINATE else WaitKind.LAUNCH,
        "source_server_id": server_id(number),
        "parked_at": ports.now(),
        "deadline": NOON + timedelta(days=3),
        "token": f"token-{number}",
        "intent": LaunchIntent(kind=kind, wave="1"),
    }
    return ports.waits.park(a_wait("undo" if kind is TERMINATE else f"launch-{kind}", name, **{**wait, **changes}))


def the_wait(ports: FakePorts, number: int = 1) -> Any:
    (wait,) = ports.waits.of(SCOPE, f"mig-{number}")
    return wait


def a_full_job() -> Job:
    """Another's job that leaves no room."""
    return a_job(JOB_ID, *(f"s-foreign{number:010d}" for number in range(200)))


def launch_of(ports: FakePorts, number: int = 1) -> Launch | None:
    record = ports.migrations.records[f"mig-{number}"]
    return record.test_launch or record.cutover_launch or record.undo_launch


def servers_of(jobs: Iterable[Job]) -> list[list[str]]:
    return [[part.source_server_id for part in job.participating_servers] for job in jobs]


def errors(ports: FakePorts) -> dict[str, str | None]:
    return {token: outcome.error for token, outcome in ports.resumer.resumed.items()}


def in_flight(ports: FakePorts) -> Batch | None:
    return ports.dispatches.state(SCOPE).in_flight


def raising(error: Exception) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> Any:
        raise error

    return call


def once_before(owner: Any, method: str, act: Callable[[], object]) -> None:
    """Let `act` happen right before the next call of a method."""
    real = getattr(owner, method)

    def called(*args: Any, **kwargs: Any) -> Any:
        setattr(owner, method, real)
        act()
        return real(*args, **kwargs)

    setattr(owner, method, called)


class TestLaunching:
    def test_all_that_wait_share_one_job(self) -> None:
        ports = a_world(1, 2, 3)
        assert look(ports).launched == 3
        (job,) = ports.mgn.started
        assert servers_of([job]) == [[server_id(number) for number in (1, 2, 3)]]
        assert {the_wait(ports, number).job_id for number in (1, 2, 3)} == {job.job_id}

    @pytest.mark.parametrize(
        ("kind", "initiated_by"), [(TEST, "START_TEST"), (CUTOVER, "START_CUTOVER"), (TERMINATE, "TERMINATE")]
    )
    def test_each_kind_has_its_own_call(self, kind: LaunchKind, initiated_by: str) -> None:
        ports = a_world(kind=kind)
        look(ports)
        assert [job.initiated_by for job in ports.mgn.started] == [initiated_by]

    def test_kinds_share_no_job_and_the_undo_goes_first(self) -> None:
        ports = a_world()
        for number, kind in enumerate(ALL_LAUNCH, start=2):
            ask(ports, number, kind)
        assert look(ports).launched == 4
        assert [job.initiated_by for job in ports.mgn.started] == ["TERMINATE", "START_CUTOVER", "START_TEST"]

    @pytest.mark.parametrize(("kind", "limit"), [(TEST, 7_200), (TERMINATE, 3_600)])
    def test_record_and_wait_name_the_job_and_the_wait_ends_with_it(self, kind: LaunchKind, limit: int) -> None:
        ports = a_world(1, 2, kind=kind, undo=3_600)
        ports.advance(10)
        look(ports)
        (job,) = ports.mgn.started
        assert launch_of(ports) == Launch(launch_id=job.tags[LAUNCH_TAG], job_id=job.job_id)
        assert ports.migrations.records["mig-1"].reason == f"MGN job {job.job_id} with 2 servers"
        wait = the_wait(ports)
        assert (wait.job_id, wait.deadline) == (job.job_id, ports.now() + timedelta(seconds=limit))

    def test_i9_job_carries_its_launch_id_and_the_correlation_ids(self) -> None:
        ports = a_world(1, 2)
        look(ports)
        launch = launch_of(ports)
        assert launch is not None
        assert ports.mgn.started[0].tags == {
            "migration:launch-id": launch.launch_id,
            "migration:correlation-id": f"{1:032x} {2:032x}",
        }

    def test_launch_gathers_company_and_says_when_to_look_again(self) -> None:
        ports = a_world(launch_gather=5)
        foreign = [a_job(f"mgnjob-{n}", f"s-foreign{n:010d}", creation_date_time=str(NOON)) for n in range(15)]
        ports.mgn.started += foreign
        ports.advance(2)
        assert look(ports) == Look(waiting=1, resumed=0, launched=0, again=3)
        ask(ports, 2)
        ports.advance(3)
        assert look(ports).launched == 2

    def test_launch_after_another_one_of_the_same_look_gathers_company_from_then_on(self) -> None:
        # Given five jobs left, after one that began long ago
        ports = a_world(1, kind=TERMINATE, launch_gather=50)
        began = {"creation_date_time": str(NOON - timedelta(hours=1))}
        ports.mgn.started += [a_job(f"mgnjob-{n}", f"s-foreign{n:010d}", **began) for n in range(15)]
        ask(ports, 2, TEST)
        # Then the undo leaves, and with four left the test does so one and a half times the pace later
        assert look(ports) == Look(waiting=2, resumed=0, launched=1, again=75)
        ports.advance(75)
        assert look(ports).launched == 1

    @pytest.mark.parametrize("kind", [WaitKind.WINDOW, WaitKind.SOAK])
    @pytest.mark.parametrize(("left", "again"), [(1, 1), (90, 90), (SOON, SOON), (SOON + 1, None), (0, None)])
    def test_what_begins_soon_is_looked_at_when_it_begins(self, kind: WaitKind, left: int, again: int | None) -> None:
        ports = FakePorts()
        state = "CUTTING_OVER" if kind is WaitKind.SOAK else "READY_FOR_CUTOVER"
        ports.mgn.add(a_server(server_id(9), state=state, lag="PT1H"))
        begins = NOON + timedelta(seconds=left)
        ports.waits.park(a_wait(kind, "mig-9", kind=kind, source_server_id=server_id(9), not_before=begins))
        assert look(ports).again == again

    def test_nothing_waits_and_nobody_is_called(self) -> None:
        ports = FakePorts()
        assert look(ports) == Look(waiting=0, resumed=0, launched=0, again=None)
        assert ports.mgn.calls == []

    def test_launch_that_ended_is_resumed_and_needs_no_further_look(self) -> None:
        ports = a_world()
        assert look(ports).again is None
        ports.mgn.end(ports.mgn.started[0].job_id)
        assert look(ports) == Look(waiting=1, resumed=1, launched=0, again=None)
        assert errors(ports) == {"token-1": None}

    def test_i7_dispatcher_wakes_itself_for_an_hour_after_the_latest_wait(self) -> None:
        ports = a_world(look=2)
        ports.mgn.started.append(a_full_job())
        assert (look(ports).again, look_again(ports)) == (10, 2)
        ports.advance(PATIENCE.total_seconds() - 1)
        assert (look(ports).again, look_again(ports)) == (10, 2)
        ports.advance(1)
        assert (look(ports).again, look_again(ports)) == (None, None)

    def test_latest_launch_keeps_the_dispatcher_awake_for_those_who_wait_longer(self) -> None:
        ports = a_world(1, look=2)
        ports.advance(PATIENCE.total_seconds() / 2)
        look(ports)
        ports.mgn.started.append(a_full_job())
        ask(ports, 2, parked_at=NOON)
        ports.advance(PATIENCE.total_seconds() - 1)
        assert look(ports).again == 2
        ports.advance(1)
        assert look(ports).again is None

    def test_launch_after_a_long_wait_has_the_rest_looked_at_soon(self) -> None:
        ports = a_world(*range(1, 251), look=2)
        ports.advance(PATIENCE.total_seconds())
        assert look(ports) == Look(waiting=250, resumed=0, launched=200, again=10)

    def test_lost_call_is_looked_for_soon_however_long_its_servers_waited(self) -> None:
        ports = a_world(look=2)
        ports.advance(PATIENCE.total_seconds())
        ports.mgn.lost["start_launch"] = [NO_ANSWER]
        look(ports)
        assert in_flight(ports) is not None
        ports.mgn.unseen.add(ports.mgn.started[0].job_id)
        assert look(ports).again == 2

    def test_boot_of_which_no_event_tells_is_looked_at_again(self) -> None:
        ports = a_world(look=2)
        ports.mgn.add(a_server(server_id(9), state="TESTING"))
        boot = a_wait("boot", "mig-9", kind=WaitKind.BOOT, source_server_id=server_id(9), phase=Phase.TEST)
        ports.waits.park(boot)
        assert look(ports).again == 2
        ports.waits.close(boot)
        assert look(ports).again is None

    def test_what_mgn_runs_is_kept_for_estimates_be_it_others_or_ours(self) -> None:
        ports = a_world(1, 2)
        ports.mgn.started.append(a_job(JOB_ID, *(f"s-foreign{number:010d}" for number in range(30))))
        look(ports)
        state = ports.dispatches.state(SCOPE)
        assert (state.active_jobs, state.active_servers) == (2, 32)

    def test_full_account_is_kept_for_estimates(self) -> None:
        ports = a_world()
        ports.mgn.started.append(a_job(JOB_ID, *(f"s-foreign{number:010d}" for number in range(200))))
        assert look(ports).launched == 0
        state = ports.dispatches.state(SCOPE)
        assert (state.active_jobs, state.active_servers) == (1, 200)

    def test_time_that_launches_take_is_kept_for_estimates(self) -> None:
        ports = a_world()
        ended = a_job(
            status="COMPLETED", creation_date_time="2026-01-05T12:00:00Z", end_date_time="2026-01-05T12:10:00Z"
        )
        ports.mgn.started.append(ended)
        look(ports)
        assert ports.dispatches.state(SCOPE).job_seconds == 600
        # It holds until MGN shows another one that ended.
        ports.mgn.started.remove(ended)
        ask(ports, 2)
        look(ports)
        assert ports.dispatches.state(SCOPE).job_seconds == 600


class TestQuotas:
    def test_i4_two_hundred_of_two_hundred_and_fifty_are_launched_and_the_rest_waits(self) -> None:
        ports = a_world(*range(1, 251), look=2)
        assert look(ports) == Look(waiting=250, resumed=0, launched=200, again=10)
        assert look(ports).launched == 0
        ports.mgn.end(ports.mgn.started[0].job_id)
        assert look(ports).launched == 50

    def test_i4_jobs_that_others_started_count(self) -> None:
        ports = a_world(1, 2, 3)
        ports.mgn.started.append(a_job(JOB_ID, *(f"s-foreign{number:010d}" for number in range(198))))
        assert look(ports).launched == 2
        assert len(ports.mgn.started) == 2

    def test_i4_job_of_ours_that_mgn_does_not_show_yet_counts(self) -> None:
        ports = a_world(*range(1, 151))
        look(ports)
        ports.mgn.unseen.add(ports.mgn.started[0].job_id)
        for number in range(151, 251):
            ask(ports, number)
        assert look(ports).launched == 50

    def test_i4_job_of_ours_that_mgn_dates_before_its_call_and_shows_late_counts(self) -> None:
        # Given an MGN whose clock is three minutes behind and that shows a job only after the next look
        behind = timedelta(minutes=3)
        ports = a_world(*range(1, 151))
        ports.mgn.now = NOON - behind
        look(ports)
        ports.mgn.unseen.add(ports.mgn.started[0].job_id)
        ports.advance(240)
        ports.mgn.now -= behind
        ask(ports, 151)
        assert look(ports).launched == 1
        # When many more ask, once it is no longer counted for the call alone
        ports.mgn.unseen.clear()
        ports.advance(120)
        for number in range(152, 252):
            ask(ports, number)
        assert look(ports).launched == 49

    def test_call_that_came_to_nothing_takes_no_place_of_a_job(self) -> None:
        # Given room for one job, and a cutover that is given up right before its call
        ports = a_world(1, kind=CUTOVER)
        ask(ports, 2, TEST)
        ports.mgn.started += [a_job(f"mgnjob-{number}", f"s-foreign{number:010d}") for number in range(19)]
        once_before(ports.dispatches, "save", lambda: ports.waits.close(the_wait(ports)))
        assert look(ports).launched == 1
        assert servers_of(ports.mgn.started[19:]) == [[server_id(2)]]

    def test_i4_twenty_jobs_are_enough(self) -> None:
        ports = a_world()
        ports.mgn.started += [a_job(f"mgnjob-{number}", f"s-foreign{number:010d}") for number in range(20)]
        assert look(ports).launched == 0
        assert "start_launch" not in ports.mgn.calls

    def test_job_that_mgn_has_shown_is_remembered_no_longer_than_needed(self) -> None:
        ports = a_world()
        look(ports)
        assert len(ports.dispatches.state(SCOPE).recent) == 1
        ports.advance(VISIBLE_AFTER.total_seconds())
        ask(ports, 2)
        look(ports)
        assert [job.servers for job in ports.dispatches.state(SCOPE).recent] == [1]

    def test_jobs_are_listed_from_the_oldest_active_one_and_every_active_one_counts(self) -> None:
        ports = a_world()
        asked: list[datetime] = []
        listed = ports.mgn.jobs_since

        def noted(moment: datetime) -> Iterable[Job]:
            asked.append(moment)
            return listed(moment)

        ports.mgn.jobs_since = noted  # type: ignore[method-assign]
        began = NOON - timedelta(hours=3)
        foreign = a_job("mgnjob-foreign", *(f"s-foreign{n:010d}" for n in range(150)), creation_date_time=str(began))
        ports.mgn.started.append(foreign)
        look(ports)
        ports.advance(3_600)
        for number in range(2, 102):
            ask(ports, number)
        assert look(ports).launched == 49
        assert asked == [NOON - timedelta(days=1), began]

    def test_where_no_job_is_active_only_the_latest_are_listed(self) -> None:
        ports = a_world()
        look(ports)
        ports.mgn.end(ports.mgn.started[0].job_id)
        since = ports.dispatches.state(SCOPE).active_since
        assert since == NOON - timedelta(minutes=5)

    def test_full_quota_that_only_mgn_knows_of_is_waited_for(self) -> None:
        ports = a_world(look=2)
        ports.mgn.failures["start_launch"] = [ThrottledError("ConflictException: maximum of 200 servers")]
        assert look(ports) == Look(waiting=1, resumed=0, launched=0, again=2)
        assert in_flight(ports) is None
        assert look(ports).launched == 1


class TestDoubt:
    def test_i3_batch_is_written_before_the_call_and_gone_after_it(self) -> None:
        ports = a_world(1, 2)
        written: list[Batch | None] = []
        once_before(ports.mgn, "start_launch", lambda: written.append(in_flight(ports)))
        look(ports)
        (batch,) = written
        assert batch is not None
        assert (batch.kind, batch.attempted_at, batch.job_id) == (TEST, NOON, None)
        assert [member.migration_id for member in batch.members] == ["mig-1", "mig-2"]
        assert batch.launch_id == ports.mgn.started[0].tags[LAUNCH_TAG]
        assert in_flight(ports) is None

    @pytest.mark.parametrize("kind", ALL_LAUNCH)
    def test_i3_job_whose_answer_was_lost_is_adopted_by_its_tag(self, kind: LaunchKind) -> None:
        ports = a_world(1, 2, kind=kind, look=2)
        call = "terminate" if kind is TERMINATE else "start_launch"
        ports.mgn.lost[call] = [NO_ANSWER]
        assert look(ports) == Look(waiting=2, resumed=0, launched=0, again=2)
        assert launch_of(ports) is None
        look(ports)
        (job,) = ports.mgn.started
        for number in (1, 2):
            launch = launch_of(ports, number)
            assert launch is not None
            assert launch.job_id == the_wait(ports, number).job_id == job.job_id
        assert in_flight(ports) is None
        assert ports.mgn.calls.count(call) == 1

    def test_i3_nothing_is_launched_while_a_launch_is_in_doubt(self) -> None:
        ports = a_world(launch_doubt=60, look=2)
        ports.mgn.failures["start_launch"] = [NO_ANSWER]
        look(ports)
        ask(ports, 2)
        for _ in range(5):
            ports.advance(11)
            assert look(ports) == Look(waiting=2, resumed=0, launched=0, again=2)
        assert ports.mgn.calls.count("start_launch") == 1

    def test_i3_when_it_cannot_arrive_any_more_a_new_call_goes_out_under_a_new_launch_id(self) -> None:
        ports = a_world(launch_doubt=60, request_life=360, look=2)
        ports.mgn.failures["start_launch"] = [NO_ANSWER]
        look(ports)
        batch = in_flight(ports)
        ports.advance(359)
        assert look(ports) == Look(waiting=1, resumed=0, launched=0, again=2)
        ports.advance(1)
        assert look(ports).launched == 1
        (job,) = ports.mgn.started
        assert batch is not None
        assert job.tags[LAUNCH_TAG] != batch.launch_id

    def test_after_the_doubt_others_go_while_the_lost_call_may_still_arrive(self) -> None:
        ports = a_world(launch_doubt=60, request_life=360)
        ports.mgn.failures["start_launch"] = [NO_ANSWER]
        look(ports)
        ask(ports, 2)
        ports.advance(60)
        assert look(ports).launched == 1
        assert servers_of(ports.mgn.started) == [[server_id(2)]]

    @pytest.mark.parametrize("kind", [TEST, CUTOVER])
    def test_i3_job_that_only_its_server_names_is_found_by_id_and_adopted(self, kind: LaunchKind) -> None:
        ports = a_world(1, 2, kind=kind)
        ports.mgn.lost["start_launch"] = [NO_ANSWER]
        look(ports)
        (job,) = ports.mgn.started
        ports.mgn.unlisted.add(job.job_id)
        look(ports)
        assert [the_wait(ports, number).job_id for number in (1, 2)] == [job.job_id] * 2

    def test_i3_server_that_names_a_launch_nobody_shows_is_not_launched_again_although_it_looks_ready(self) -> None:
        ports = a_world(request_life=360)
        ports.mgn.lost["start_launch"] = [NO_ANSWER]
        look(ports)
        ports.mgn.unseen.add(ports.mgn.started[0].job_id)
        ports.mgn.end(ports.mgn.started[0].job_id, "FAILED")
        ports.mgn.change_lifecycle(server_id(1), "READY_FOR_TEST")
        ports.advance(361)
        assert look(ports).launched == 0
        assert len(ports.mgn.started) == 1

    def test_launch_of_long_ago_does_not_keep_its_server_from_being_launched_again(self) -> None:
        ports = a_world(request_life=360)
        ports.mgn.start_launch(Phase.TEST, [server_id(1)], {})
        ports.mgn.end(ports.mgn.started[0].job_id)
        ports.mgn.change_lifecycle(server_id(1), "READY_FOR_TEST")
        ports.advance(3_600)
        ports.mgn.failures["start_launch"] = [NO_ANSWER]
        look(ports)
        ports.advance(361)
        assert look(ports).launched == 1

    def test_i3_call_that_arrives_late_is_adopted_and_no_other_was_made(self) -> None:
        ports = a_world(launch_doubt=30, request_life=60)
        befalling = Fates(ports, ["late"])
        ports.mgn.start_launch = befalling.call  # type: ignore[method-assign]
        for _ in range(20):
            befalling.arrive()
            look(ports)
            ports.advance(5)
        (job,) = ports.mgn.started
        assert the_wait(ports).job_id == job.job_id

    def test_i3_job_that_mgn_shows_late_is_adopted(self) -> None:
        ports = a_world(launch_doubt=60)
        ports.mgn.lost["start_launch"] = [NO_ANSWER]
        look(ports)
        job_id = ports.mgn.started[0].job_id
        ports.mgn.unseen.add(job_id)
        ports.advance(59)
        look(ports)
        assert the_wait(ports).job_id is None
        ports.mgn.unseen.clear()
        look(ports)
        assert the_wait(ports).job_id == job_id

    def test_i3_job_that_mgn_shows_only_after_the_doubt_is_adopted_and_no_drift(self) -> None:
        ports = a_world(launch_doubt=60, look=2)
        ports.mgn.lost["start_launch"] = [NO_ANSWER]
        look(ports)
        job_id = ports.mgn.started[0].job_id
        ports.mgn.unseen.add(job_id)
        ports.advance(300)
        assert look(ports) == Look(waiting=1, resumed=0, launched=0, again=2)
        assert in_flight(ports) is None
        # An hour after the call at the latest.
        ports.advance(3_300)
        look(ports)
        ports.mgn.unseen.clear()
        look(ports)
        assert the_wait(ports).job_id == job_id
        assert ports.dispatches.state(SCOPE).given_up == ()
        assert ports.mgn.calls.count("start_launch") == 1

    @pytest.mark.parametrize("given_up", [False, True])
    def test_i3_job_that_was_found_stays_in_flight_until_every_record_names_it(self, given_up: bool) -> None:
        ports = a_world(1, 2, launch_doubt=60)
        ports.mgn.lost["start_launch"] = [NO_ANSWER]
        look(ports)
        job_id = ports.mgn.started[0].job_id
        if given_up:
            ports.mgn.unseen.add(job_id)
            ports.advance(60)
            look(ports)
            ports.mgn.unseen.clear()
        # When the dispatcher that found it dies
        write = ports.migrations.append
        ports.migrations.append = raising(ServiceUnavailableError("died"))  # type: ignore[method-assign]
        with pytest.raises(ServiceUnavailableError):
            look(ports)
        batch = in_flight(ports)
        assert batch is not None
        assert batch.job_id == job_id
        # Then the next one tells the others
        ports.migrations.append = write  # type: ignore[method-assign]
        look(ports)
        assert [the_wait(ports, number).job_id for number in (1, 2)] == [job_id] * 2
        assert ports.mgn.calls.count("start_launch") == 1

    def test_job_that_never_comes_to_light_is_forgotten_and_the_change_counts_as_drift(self) -> None:
        ports = a_world(launch_doubt=60)
        ports.mgn.lost["start_launch"] = [NO_ANSWER]
        look(ports)
        ports.mgn.unseen.add(ports.mgn.started[0].job_id)
        ports.advance(300)
        look(ports)
        ports.advance(3_600)
        look(ports)
        assert errors(ports) == {"token-1": "DriftError"}

    def test_while_mgn_answers_no_launch_call_single_servers_are_tried(self) -> None:
        ports = a_world(*range(1, 201), launch_doubt=60, request_life=60)
        ports.mgn.failures["start_launch"] = [NO_ANSWER] * 60
        for _ in range(60):
            look(ports)
            ports.advance(60)
        given_up = ports.dispatches.state(SCOPE).given_up
        assert {len(batch.members) for batch in given_up} <= {1, 200}
        assert len(given_up) < 60
        assert len(ports.dispatches.state(SCOPE).to_json()) < 100_000
        look(ports)
        ports.advance(60)
        look(ports)
        assert sorted(map(len, servers_of(ports.mgn.started))) == [1, 199]

    def test_i3_job_of_a_call_that_was_given_up_is_adopted_while_later_calls_fail(self) -> None:
        ports = a_world(1, 2, launch_doubt=60)
        ports.mgn.lost["start_launch"] = [NO_ANSWER]
        look(ports)
        (job,) = ports.mgn.started
        ports.mgn.unseen.add(job.job_id)
        ports.mgn.failures["start_launch"] = [NO_ANSWER] * 9
        for _ in range(3):
            ports.advance(60)
            look(ports)
        ports.mgn.unseen.clear()
        ports.advance(60)
        look(ports)
        assert [the_wait(ports, number).job_id for number in (1, 2)] == [job.job_id] * 2

    def test_i3_lost_answer_of_a_call_without_those_who_moved_on_is_waited_for_and_not_theirs(self) -> None:
        ports = a_world(1, 2)
        once_before(ports.dispatches, "save", lambda: ports.waits.close(the_wait(ports)))
        ports.mgn.lost["start_launch"] = [NO_ANSWER]
        look(ports)
        batch = in_flight(ports)
        assert batch is not None
        assert [member.migration_id for member in batch.members] == ["mig-2"]
        look(ports)
        assert ports.mgn.calls.count("start_launch") == 1
        assert launch_of(ports, 1) is None
        assert the_wait(ports, 2).job_id == ports.mgn.started[0].job_id

    def test_job_of_a_foreign_tag_is_not_adopted(self) -> None:
        ports = a_world()
        ports.mgn.failures["start_launch"] = [NO_ANSWER]
        look(ports)
        ports.mgn.started.append(a_job(JOB_ID, server_id(1), tags={LAUNCH_TAG: "another"}))
        look(ports)
        assert launch_of(ports) is None

    def test_after_a_lost_answer_no_further_batch_is_tried(self) -> None:
        ports = a_world(1, kind=CUTOVER)
        ask(ports, 2, TEST)
        ports.mgn.failures["start_launch"] = [NO_ANSWER]
        look(ports)
        assert ports.mgn.calls.count("start_launch") == 1
        batch = in_flight(ports)
        assert batch is not None
        assert batch.kind is CUTOVER

    def test_refusal_of_the_whole_call_leaves_nothing_in_flight(self) -> None:
        ports = a_world()
        ports.mgn.failures["start_launch"] = [ThrottledError("slow down")]
        look(ports)
        assert in_flight(ports) is None
        assert look(ports).launched == 1

    def test_refusal_no_server_is_to_blame_for_ends_the_look_and_leaves_nothing_in_flight(self) -> None:
        ports = a_world()
        ports.mgn.failures["start_launch"] = [MgnNotInitializedError("InitializeService")]
        with pytest.raises(MgnNotInitializedError):
            look(ports)
        assert in_flight(ports) is None
        assert look(ports).launched == 1

    def test_i3_dispatcher_that_died_after_the_call_is_finished_by_the_next(self) -> None:
        ports = a_world(1, 2)
        ports.mgn.lost["start_launch"] = [NO_ANSWER]
        look(ports)
        job_id = ports.mgn.started[0].job_id
        # The first member was told before it died.
        state = ports.dispatches.state(SCOPE)
        assert state.in_flight is not None
        known = Launch(launch_id=state.in_flight.launch_id, job_id=job_id)
        note(ports, ports.migrations.records["mig-1"], Facts(test_launch=known), actor="test", reason="told")
        look(ports)
        assert launch_of(ports, 1) == launch_of(ports, 2) == known
        assert len(ports.migrations.journal("mig-1")) == 1

    def test_job_of_a_wait_that_ended_meanwhile_is_kept_in_its_record(self) -> None:
        ports = a_world()
        ports.mgn.lost["start_launch"] = [NO_ANSWER]
        look(ports)
        ports.waits.close(the_wait(ports))
        look(ports)
        assert launch_of(ports) is not None
        assert ports.waits.of(SCOPE, "mig-1") == ()

    @pytest.mark.parametrize(("rivals", "told"), [(4, True), (5, False)])
    def test_record_that_others_write_meanwhile_is_told_its_job_in_the_end(self, rivals: int, told: bool) -> None:
        ports = a_world()
        write, left = ports.migrations.append, [None] * rivals

        def contended(*args: Any, **kwargs: Any) -> None:
            if left:
                left.pop()
                raise RecordChangedError("another writer was first")
            write(*args, **kwargs)

        ports.migrations.append = contended  # type: ignore[method-assign]
        if told:
            look(ports)
        else:
            with pytest.raises(RecordChangedError):
                look(ports)
            batch = in_flight(ports)
            assert batch is not None
            assert batch.job_id is not None
            look(ports)
        assert launch_of(ports) is not None
        assert len(ports.mgn.started) == 1


class TestBadServers:
    @pytest.mark.parametrize(
        ("server", "error"),
        [
            (a_server(server_id(2), state="TESTING"), "DriftError"),
            (a_server(server_id(2), state="READY_FOR_CUTOVER"), "DriftError"),
            (a_server(server_id(2), is_archived=True), "SourceServerGoneError"),
            (a_server(server_id(2), state="DISCONNECTED"), "SourceServerGoneError"),
        ],
    )
    def test_server_that_mgn_shows_as_unfit_fails_alone_and_spoils_no_call(self, server: Any, error: str) -> None:
        ports = a_world(1, 2, 3)
        ports.mgn.add(server)
        assert look(ports).launched == 2
        assert errors(ports) == {"token-2": error}
        assert servers_of(ports.mgn.started) == [[server_id(1), server_id(3)]]
        assert ports.mgn.calls.count("start_launch") == 1

    def test_each_server_that_mgn_shows_as_unfit_fails(self) -> None:
        ports = a_world(1, 2, 3)
        for number in (1, 3):
            ports.mgn.add(a_server(server_id(number), state="TESTING"))
        assert look(ports).launched == 1
        assert errors(ports) == {"token-1": "DriftError", "token-3": "DriftError"}

    def test_server_that_mgn_does_not_know_fails_alone(self) -> None:
        ports = a_world(1, 2)
        del ports.mgn.by_id[server_id(1)]
        assert look(ports).launched == 1
        assert errors(ports) == {"token-1": "SourceServerGoneError"}

    @pytest.mark.parametrize(
        "now",
        [
            a_server(server_id(2), replication="STALLED"),
            a_server(server_id(2), lag=None),
            a_server(server_id(2), lag="PT1H"),
        ],
    )
    def test_stalled_or_lagging_server_waits_and_keeps_nobody(self, now: Any) -> None:
        ports = a_world(1, 2, look=2)
        ports.mgn.add(now)
        assert look(ports) == Look(waiting=2, resumed=0, launched=1, again=10)
        ports.mgn.add(a_server(server_id(2)))
        assert look(ports).launched == 1

    def test_places_of_those_who_cannot_launch_go_to_the_next(self) -> None:
        ports = a_world(*range(1, 211))
        for number in range(1, 6):
            ports.mgn.add(a_server(server_id(number), lag=None))
        assert look(ports).launched == 200
        assert len(ports.mgn.started) == 1

    def test_server_that_a_job_holds_waits_until_the_job_is_over(self) -> None:
        ports = a_world(1, 2)
        ports.mgn.started.append(a_job("mgnjob-theirs", server_id(1), launch_status="LAUNCHED"))
        assert look(ports).launched == 1
        assert servers_of(ports.mgn.started[1:]) == [[server_id(2)]]
        assert ports.mgn.calls.count("start_launch") == 1
        ports.mgn.started[0] = ports.mgn.started[0].model_copy(update={"status": "COMPLETED"})
        assert look(ports).launched == 1

    def test_server_that_becomes_busy_right_before_the_call_waits_and_the_others_launch(self) -> None:
        ports = a_world(1, 2, 3)
        theirs = a_job("mgnjob-theirs", server_id(2))
        once_before(ports.mgn, "start_launch", lambda: ports.mgn.started.append(theirs))
        assert look(ports).launched == 2
        assert servers_of(ports.mgn.started[1:]) == [[server_id(1), server_id(3)]]
        assert errors(ports) == {}
        assert the_wait(ports, 2).asks_for_launch

    def test_server_that_changes_right_before_the_call_is_found_by_reading_again(self) -> None:
        ports = a_world(1, 2, 3)
        once_before(ports.mgn, "start_launch", lambda: ports.mgn.add(a_server(server_id(2), state="CUTOVER")))
        assert look(ports).launched == 2
        assert errors(ports) == {"token-2": "DriftError"}
        assert ports.mgn.calls.count("start_launch") == 2

    @pytest.mark.parametrize(
        "refusal",
        [
            SourceServerStateError("ValidationException: no such subnet"),
            SourceServerBusyError("currently being processed by a Job"),
            SourceServerGoneError("ResourceNotFoundException"),
        ],
    )
    @pytest.mark.parametrize("bad", [1, 4, 8])
    def test_server_mgn_refuses_without_showing_why_is_found_by_halving(
        self, bad: int, refusal: MigrationError
    ) -> None:
        ports = a_world(*range(1, 9))
        ports.mgn.refusing[server_id(bad)] = refusal
        assert look(ports).launched == 7
        assert ports.resumer.resumed == {
            f"token-{bad}": Outcome(error=type(refusal).__name__, reason=str(refusal)),
        }
        launched = [source_id for servers in servers_of(ports.mgn.started) for source_id in servers]
        assert sorted(launched) == [server_id(number) for number in range(1, 9) if number != bad]
        assert in_flight(ports) is None

    def test_two_bad_servers_of_two_hundred_are_found_in_few_calls(self) -> None:
        ports = a_world(*range(1, 201))
        for bad in (17, 180):
            ports.mgn.refusing[server_id(bad)] = SourceServerStateError("no")
        assert look(ports).launched + look(ports).launched == 198
        assert ports.mgn.calls.count("start_launch") <= 4 * 8
        assert set(errors(ports)) == {"token-17", "token-180"}

    def test_full_account_that_says_so_in_unknown_words_ends_nobodys_wait(self) -> None:
        ports = a_world(*range(1, 201))
        ports.mgn.started.append(a_job("mgnjob-theirs", "s-foreign", creation_date_time=str(NOON)))
        real = ports.mgn.start_launch
        ports.mgn.start_launch = raising(SourceServerStateError("ConflictException: no more, please"))  # type: ignore[method-assign]
        for _ in range(10):
            look(ports)
            ports.advance(30)
        ports.mgn.start_launch = real  # type: ignore[method-assign]
        assert errors(ports) == {}
        ports.advance(60)
        assert look(ports).launched == 199

    @pytest.mark.parametrize(("refused", "failed"), [(2, 2), (3, 0)])
    def test_beside_active_jobs_it_takes_three_refusals_to_think_of_a_full_account(
        self, refused: int, failed: int
    ) -> None:
        ports = a_world(*range(1, refused + 1))
        ports.mgn.started.append(a_job("mgnjob-theirs", "s-foreign", creation_date_time=str(NOON)))
        ports.mgn.refusing = {server_id(number): SourceServerStateError("no") for number in range(1, refused + 1)}
        look(ports)
        assert len(errors(ports)) == failed

    def test_where_no_job_is_active_the_account_is_not_full_and_refused_servers_fail(self) -> None:
        ports = a_world(*range(1, 9))
        ports.mgn.refusing = {server_id(number): SourceServerStateError("no") for number in range(1, 9)}
        look(ports)
        assert errors(ports) == {f"token-{number}": "SourceServerStateError" for number in range(1, 9)}

    def test_calls_of_a_look_that_mgn_refuses_are_bounded_and_the_next_ones_wait_a_minute(self) -> None:
        ports = a_world(*range(1, 201))
        ports.mgn.started.append(a_job("mgnjob-theirs", "s-foreign", creation_date_time=str(NOON)))
        ports.mgn.refusing = {server_id(number): SourceServerStateError("no") for number in range(1, 201)}
        look(ports)
        assert ports.mgn.calls.count("start_launch") == CALLS
        ports.advance(59)
        look(ports)
        assert ports.mgn.calls.count("start_launch") == CALLS

    def test_refused_calls_for_cutovers_and_tests_are_bounded_together(self) -> None:
        ports = a_world(*range(1, 9), kind=CUTOVER)
        for number in range(9, 49):
            ask(ports, number, TEST)
        ports.mgn.refusing = {server_id(number): SourceServerStateError("no") for number in range(1, 49)}
        look(ports)
        assert ports.mgn.calls.count("start_launch") == CALLS

    def test_full_account_that_fills_during_the_call_is_seen_by_counting_again(self) -> None:
        ports = a_world(*range(1, 101))
        foreign = a_job("mgnjob-theirs", *(f"s-foreign{n:010d}" for n in range(200)), creation_date_time=str(NOON))

        def fill() -> None:
            ports.mgn.started.append(foreign)
            ports.mgn.failures["start_launch"] = [SourceServerStateError("ConflictException: no more, please")]

        once_before(ports.mgn, "start_launch", fill)
        assert look(ports) == Look(waiting=100, resumed=0, launched=0, again=10)
        assert ports.mgn.calls.count("start_launch") == 1

    def test_server_whose_launch_is_denied_waits_and_keeps_no_other(self) -> None:
        ports = a_world(1, 2, 3)
        ask(ports, 4, TERMINATE)
        denied = TargetAccountError("StartTest: AccessDeniedException: explicit deny")
        ports.mgn.refusing = {server_id(2): denied, server_id(4): denied}
        report = look(ports)
        assert (report.launched, report.failures) == (2, (denied, denied))
        assert errors(ports) == {}
        ports.mgn.refusing = {}
        ports.advance(60)
        assert look(ports).launched == 2

    def test_launch_that_is_denied_is_told_while_others_gather_company(self) -> None:
        ports = a_world(launch_gather=50)
        end = NOON + timedelta(minutes=9)
        ask(ports, 2, CUTOVER, intent=LaunchIntent(kind=CUTOVER, wave="1", not_after=end), deadline=end)
        ports.mgn.started += [a_job(f"mgnjob-{number}", f"s-foreign{number:010d}") for number in range(15)]
        denied = TargetAccountError("StartCutover: AccessDeniedException: explicit deny")
        ports.mgn.refusing = {server_id(2): denied}
        assert look(ports) == Look(waiting=2, resumed=0, launched=0, again=50, failures=(denied,))

    def test_refusal_with_the_longest_reason_still_ends_its_wait(self) -> None:
        ports = a_world()
        ports.mgn.refusing[server_id(1)] = SourceServerStateError("x" * 5_000)
        look(ports)
        assert len(ports.resumer.resumed["token-1"].reason) == 2_048

    def test_terminate_that_mgn_calls_busy_lets_the_undo_look_for_itself(self) -> None:
        ports = a_world(kind=TERMINATE)
        ports.mgn.refusing[server_id(1)] = SourceServerBusyError("currently being processed by a Job")
        look(ports)
        again = Outcome(reason="currently being processed by a Job", progress=Progress.AGAIN)
        assert ports.resumer.resumed == {"token-1": again}


class TestMovedOn:
    @pytest.mark.parametrize("seconds", [10, 25])
    def test_i5_cutover_whose_window_closed_during_an_earlier_call_is_not_launched(self, seconds: int) -> None:
        ports = a_world(1, kind=TERMINATE)
        end = NOON + timedelta(seconds=10)
        ask(ports, 2, CUTOVER, intent=LaunchIntent(kind=CUTOVER, wave="1", not_after=end), deadline=end)
        ask(ports, 3, CUTOVER)
        once_before(ports.mgn, "terminate", lambda: ports.advance(seconds))
        assert look(ports).launched == 2
        assert servers_of(ports.mgn.started) == [[server_id(1)], [server_id(3)]]

    def test_wait_decided_before_the_call_is_not_launched(self) -> None:
        ports = a_world(1, 2)
        once_before(ports.dispatches, "save", lambda: ports.waits.decide(the_wait(ports), Outcome(error="Expired")))
        assert look(ports).launched == 1
        assert servers_of(ports.mgn.started) == [[server_id(2)]]

    def test_wait_cancelled_before_the_call_is_not_launched(self) -> None:
        ports = a_world(1, 2)

        def cancel() -> None:
            ports.decisions.keep(a_signal(Decision.CANCEL))
            hand_out_signals(ports, ports.migrations.records["mig-1"])

        once_before(ports.dispatches, "save", cancel)
        assert look(ports).launched == 1
        look(ports)
        assert errors(ports) == {"token-1": "MigrationCancelledError"}
        assert servers_of(ports.mgn.started) == [[server_id(2)]]

    def test_wait_closed_before_the_call_is_not_launched(self) -> None:
        ports = a_world()
        once_before(ports.dispatches, "save", lambda: ports.waits.close(the_wait(ports)))
        assert look(ports).launched == 0
        assert ports.mgn.started == []
        assert in_flight(ports) is None

    def test_wait_parked_again_before_the_call_is_launched_once(self) -> None:
        ports = a_world()
        again = the_wait(ports).model_copy(update={"token": "second"})
        once_before(ports.dispatches, "save", lambda: ports.waits.park(again))
        assert look(ports).launched == 1
        assert (ports.token_of(the_wait(ports)), the_wait(ports).job_id) == ("second", ports.mgn.started[0].job_id)

    @pytest.mark.parametrize(
        ("kind", "status"),
        [
            (TEST, MigrationStatus.ROLLING_BACK),
            (TEST, MigrationStatus.FROZEN),
            (CUTOVER, MigrationStatus.ROLLING_BACK),
            (CUTOVER, MigrationStatus.TEST_LAUNCHING),
            (TERMINATE, MigrationStatus.ROLLED_BACK),
            (TERMINATE, MigrationStatus.FROZEN),
        ],
    )
    def test_migration_that_moved_on_is_never_launched(self, kind: LaunchKind, status: MigrationStatus) -> None:
        ports = a_world(1, 2, kind=kind)
        record = ports.migrations.records["mig-1"]
        moved = record.model_copy(update={"status": status})
        once_before(ports.dispatches, "save", lambda: ports.migrations.records.update({"mig-1": moved}))
        assert look(ports).launched == 1
        assert servers_of(ports.mgn.started) == [[server_id(2)]]
        assert ports.waits.of(SCOPE, "mig-1") == ()

    def test_test_that_is_cleaned_up_needs_no_rollback(self) -> None:
        ports = a_world(kind=TERMINATE)
        record = ports.migrations.records["mig-1"]
        ports.migrations.records["mig-1"] = record.model_copy(update={"status": MigrationStatus.TEST_VERIFYING})
        assert look(ports).launched == 1

    @pytest.mark.parametrize("state", ["TESTING", "READY_FOR_TEST"])
    def test_wait_that_does_not_know_the_job_its_record_has_gets_it(self, state: str) -> None:
        ports = a_world(1, 2)
        known = Launch(launch_id="launch-1", job_id=JOB_ID)
        record = ports.migrations.records["mig-1"]
        ports.migrations.records["mig-1"] = record.model_copy(update={"test_launch": known})
        ports.mgn.add(a_server(server_id(1), state=state))
        look(ports)
        wait = the_wait(ports)
        assert (wait.job_id, wait.deadline) == (JOB_ID, NOON + timedelta(hours=2))
        assert servers_of(ports.mgn.started) == [[server_id(2)]]
        assert errors(ports) == {}

    def test_migration_whose_record_is_gone_is_not_launched(self) -> None:
        ports = a_world(1, 2)
        del ports.migrations.records["mig-1"]
        assert look(ports).launched == 1


class TestTwoDispatchers:
    def test_second_that_read_before_the_first_wrote_gives_up_and_launches_nothing(self) -> None:
        ports = a_world(1, 2)
        looks: list[Look] = []
        once_before(ports.dispatches, "save", lambda: looks.append(look(ports)))
        with pytest.raises(RecordChangedError, match="another dispatcher is at work"):
            look(ports)
        assert [each.launched for each in looks] == [2]
        assert len(ports.mgn.started) == 1

    @pytest.mark.parametrize("answer", ["taken", "lost"])
    def test_second_does_not_take_what_the_first_launched_for_the_work_of_a_stranger(self, answer: str) -> None:
        # Given a look that saw no job, and another one that launches before it sees the servers
        ports = a_world(1, 2)
        if answer == "lost":
            ports.mgn.lost["start_launch"] = [NO_ANSWER]
        once_before(ports.mgn, "servers", lambda: look(ports))
        with pytest.raises(RecordChangedError, match="another dispatcher is at work"):
            look(ports)
        look(ports)
        # Then nobody failed
        assert errors(ports) == {}
        for number in (1, 2):
            assert the_wait(ports, number).job_id == ports.mgn.started[0].job_id

    def test_first_whose_call_was_refused_does_not_overwrite_the_batch_the_second_wrote_since(self) -> None:
        # Given a call that is refused, and a second dispatcher whose call for the same gets no answer
        ports = a_world(1, 2)
        ports.mgn.failures["start_launch"] = [SourceServerStateError("no")]
        save = ports.dispatches.save

        def saved_and_overtaken(state: Dispatch) -> Dispatch:
            written = save(state)
            if state.in_flight is None:
                ports.dispatches.save = save  # type: ignore[method-assign]
                ports.mgn.lost["start_launch"] = [NO_ANSWER]
                look(ports)
            return written

        ports.dispatches.save = saved_and_overtaken  # type: ignore[method-assign]
        with pytest.raises(RecordChangedError):
            look(ports)
        # Then the second one's batch is still known and its job adopted
        look(ports)
        (job,) = ports.mgn.started
        assert [the_wait(ports, number).job_id for number in (1, 2)] == [job.job_id] * 2
        assert errors(ports) == {}

    def test_second_that_comes_during_the_call_waits_for_the_first(self) -> None:
        ports = a_world(1, 2)
        looks: list[Look] = []
        once_before(ports.mgn, "start_launch", lambda: looks.append(look(ports)))
        assert look(ports).launched == 2
        assert [each.launched for each in looks] == [0]
        assert len(ports.mgn.started) == 1

    def test_second_that_comes_while_the_job_is_announced_finishes_it_and_the_first_gives_up(self) -> None:
        ports = a_world(1, 2)
        once_before(ports.migrations, "append", lambda: look(ports))
        with pytest.raises(RecordChangedError):
            look(ports)
        assert len(ports.mgn.started) == 1
        for number in (1, 2):
            assert the_wait(ports, number).job_id == ports.mgn.started[0].job_id
        assert look(ports).launched == 0


class TestTroubleElsewhere:
    def test_wait_that_cannot_be_resumed_keeps_no_launch_from_starting(self) -> None:
        class Poisoned(FakeResumer):
            def resume(self, token: str, outcome: Outcome) -> bool:
                raise ValueError("Step Functions cannot read this token")

        ports = a_world()
        ports.resumer = Poisoned()
        ports.waits.park(a_wait(migration_id="mig-9", deadline=NOON, job_id=JOB_ID))
        assert [str(failure) for failure in look(ports).failures] == ["Step Functions cannot read this token"]
        assert the_wait(ports).job_id == ports.mgn.started[0].job_id

    def test_account_that_lets_nobody_in_launches_nothing_and_ends_its_waits_at_their_deadlines(self) -> None:
        ports = a_world(1, 2)
        ports.dispatches.save(
            Dispatch(scope=SCOPE, in_flight=Batch(launch_id="l", kind=TEST, members=(), attempted_at=NOON))
        )
        short = the_wait(ports).model_copy(update={"deadline": NOON, "job_id": JOB_ID})
        ports.waits.park(short)
        for method in ("jobs", "jobs_since", "servers"):
            ports.mgn.failures[method] = [TargetAccountError("refused")] * 2
        assert [type(failure) for failure in look(ports).failures] == [TargetAccountError]
        assert ports.resumer.resumed == {"token-1": Outcome(error="TargetAccountError", reason="refused")}
        assert ports.mgn.started == []

    @pytest.mark.parametrize("method", ["servers", "jobs_since"])
    def test_throttled_reading_ends_the_look_and_launches_nothing(self, method: str) -> None:
        ports = a_world()
        ports.mgn.failures[method] = [ThrottledError("slow down")]
        with pytest.raises(ThrottledError):
            look(ports)
        assert ports.mgn.started == []
        assert look(ports).launched == 1


class TestCorrelationTags:
    def test_ids_of_a_full_job_fit_the_tags_of_a_job(self) -> None:
        ids = [f"{number:032x}" for number in range(200)]
        tags = correlation_tags(ids)
        assert " ".join(tags.values()).split() == ids
        assert len(tags) + 1 <= 50

    def test_one_id_lies_under_the_plain_name_and_more_are_numbered(self) -> None:
        assert correlation_tags(["cor-1"]) == {CORRELATION_TAG: "cor-1"}
        assert list(correlation_tags(["x" * 128, "y" * 128])) == [CORRELATION_TAG, f"{CORRELATION_TAG}-2"]

    def test_id_that_several_share_is_named_once(self) -> None:
        assert correlation_tags(["wave-1"] * 200) == {CORRELATION_TAG: "wave-1"}

    @given(st.lists(st.text("abcdef0123456789._:-", min_size=1, max_size=128), max_size=220))
    def test_i9_tags_stay_within_what_mgn_takes(self, ids: list[str]) -> None:
        tags = correlation_tags(ids)
        assert len(tags) + 1 <= 50
        assert all(len(key) <= 128 and len(value) <= 256 for key, value in tags.items())
        kept = " ".join(tags.values()).split()
        assert kept == list(dict.fromkeys(ids))[: len(kept)]


class DiedError(Exception):
    """The dispatcher's process is gone."""


LATE = 45
"""Seconds after which a late call arrives: when it was given up, and before it may be repeated."""


class Fates:
    """What befalls each call that starts a job, in turn; then all is well."""

    def __init__(self, ports: FakePorts, fates: list[str]) -> None:
        self._ports, self._fates = ports, fates
        self._start = ports.mgn.start_launch
        self._under_way: list[tuple[datetime, Callable[[], Job]]] = []

    def arrive(self) -> None:
        """Let the calls arrive that are due by now; their callers do not listen any more."""
        due = [arrives for at, arrives in self._under_way if at <= self._ports.now()]
        self._under_way = self._under_way[len(due) :]
        for arrives in due:
            with suppress(MigrationError):
                arrives()

    def call(self, phase: Phase, ids: Sequence[str], tags: Mapping[str, str]) -> Job:
        fate = self._fates.pop() if self._fates else "taken"
        getattr(self, f"_{fate}_before", lambda ids: None)(ids)
        if fate == "late":
            at = self._ports.now() + timedelta(seconds=LATE)
            self._under_way.append((at, lambda: self._start(phase, ids, tags)))
            raise NO_ANSWER
        job = self._start(phase, ids, tags)
        if fate == "lost":
            raise NO_ANSWER
        if fate == "died":
            raise DiedError
        return job

    def _unavailable_before(self, ids: Sequence[str]) -> None:
        raise NO_ANSWER

    def _throttled_before(self, ids: Sequence[str]) -> None:
        raise ThrottledError("slow down")

    def _rival_before(self, ids: Sequence[str]) -> None:
        look(self._ports)

    def _busy_before(self, ids: Sequence[str]) -> None:
        self._ports.mgn.started.append(
            a_job(f"mgnjob-theirs{len(self._fates)}", ids[0], creation_date_time=self._ports.now().isoformat())
        )


def end_foreign_jobs(ports: FakePorts) -> None:
    ports.mgn.started = [
        job if LAUNCH_TAG in job.tags else job.model_copy(update={"status": "COMPLETED"}) for job in ports.mgn.started
    ]


@given(
    fates=st.lists(
        st.sampled_from(["taken", "lost", "late", "died", "unavailable", "throttled", "busy", "rival"]), max_size=25
    ),
    count=st.integers(1, 30),
    bad=st.sets(st.integers(1, 30), max_size=3),
)
def test_i3_every_server_is_launched_once_or_fails_whatever_befalls_the_calls(
    fates: list[str], count: int, bad: set[int]
) -> None:
    ports = a_world(*range(1, count + 1), launch_doubt=30, request_life=60)
    ports.mgn.refusing = {server_id(number): SourceServerStateError("no") for number in bad}
    rounds = 13 * (len(fates) + 2)
    befalling = Fates(ports, fates)
    ports.mgn.start_launch = befalling.call  # type: ignore[method-assign]
    for _ in range(rounds):
        befalling.arrive()
        with suppress(RecordChangedError, DiedError):
            look(ports)
        ports.advance(5)
        end_foreign_jobs(ports)
    ours = [source_id for job in ports.mgn.started if LAUNCH_TAG in job.tags for source_id in servers_of([job])[0]]
    expected = set(range(1, count + 1)) - bad
    assert sorted(ours) == sorted(server_id(number) for number in expected)
    assert errors(ports) == {f"token-{number}": "SourceServerStateError" for number in bad if number <= count}
    for number in expected:
        launch = launch_of(ports, number)
        assert launch is not None
        assert the_wait(ports, number).job_id == launch.job_id
