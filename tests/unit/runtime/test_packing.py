"""Which waiting launches go into the next MGN call: never over a quota, most urgent first, fair, none for ever (I4)."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runtime.logic.dispatch.packing import (
    ACTIVE_JOBS,
    SERVERS_IN_ACTIVE_JOBS,
    SERVERS_PER_JOB,
    Room,
    in_order,
    leaves_at,
    next_batch,
    room,
    typical_seconds,
)
from runtime.models.dispatch import StartedJob
from runtime.models.functions.environment import Budgets
from runtime.models.mgn import Job
from runtime.models.record import LaunchKind
from runtime.models.waits import Launching, LaunchIntent, LaunchWait, WaitKind
from tests.builders import NOON, a_job, a_wait, server_id

EMPTY = Room(ACTIVE_JOBS, SERVERS_IN_ACTIVE_JOBS)
GATHER = 1.0
TEST, CUTOVER, TERMINATE = LaunchKind.TEST, LaunchKind.CUTOVER, LaunchKind.TERMINATE


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def asking(
    name: str, kind: LaunchKind = TEST, wave: str = "1", parked: float = 0, end: float | None = None
) -> LaunchWait:
    """A wait for a launch, parked so many seconds after noon; its window closes `end` seconds after noon."""
    not_after = None if end is None else after(end)
    intent = LaunchIntent(kind=kind, wave=wave, not_after=not_after)
    wait: LaunchWait = a_wait(migration_id=name, intent=intent, parked_at=after(parked))
    return wait


LAST_JOB = Room(1, 200, NOON)
"""One job is left for all servers, and the one before began at noon."""
PACE = 9 * GATHER


def batch(*waiting: Launching, left: Room = EMPTY, now: float = 60, gather: float = GATHER) -> list[str]:
    return names(next_batch(in_order(waiting), left, now=after(now), gather=gather))


def names(waits: Any) -> list[str]:
    return [wait.migration_id for wait in waits]


def some_jobs(number: int, servers: int, **changes: Any) -> list[Job]:
    parts = [server_id(each) for each in range(servers)]
    return [a_job(f"mgnjob-{each:017d}", *parts, **changes) for each in range(number)]


class TestRoom:
    def test_empty_account_has_twenty_jobs_and_two_hundred_servers(self) -> None:
        assert room((), (), now=NOON) == Room(20, 200)

    def test_jobs_that_others_started_count(self) -> None:
        foreign = some_jobs(3, 10, tags={}, initiated_by="DIAGNOSTIC")
        assert room(foreign, (), now=NOON) == Room(17, 170, NOON)

    @pytest.mark.parametrize("status", ["PENDING", "STARTED", "SOMETHING_NEW"])
    def test_only_completed_jobs_hold_nothing(self, status: str) -> None:
        assert room(some_jobs(1, 10, status=status), (), now=NOON) == Room(19, 190, NOON)
        assert room(some_jobs(1, 10, status="COMPLETED"), (), now=NOON) == EMPTY

    def test_job_of_ours_that_mgn_does_not_show_yet_counts_for_a_while(self) -> None:
        unseen = StartedJob(job_id="mgnjob-unseen", servers=30, started_at=NOON)
        assert room(some_jobs(1, 10), [unseen], now=NOON) == Room(18, 160, NOON)
        assert room((), [unseen], now=after(299)) == Room(19, 170, NOON)
        assert room((), [unseen], now=after(300)) == EMPTY

    @pytest.mark.parametrize(("status", "left"), [("STARTED", Room(19, 190, NOON)), ("COMPLETED", EMPTY)])
    def test_job_of_ours_that_mgn_shows_counts_as_mgn_has_it(self, status: str, left: Room) -> None:
        (shown,) = some_jobs(1, 10, status=status)
        ours = StartedJob(job_id=shown.job_id, servers=10, started_at=NOON)
        assert room([shown], [ours], now=NOON) == left

    @pytest.mark.parametrize("jobs", [some_jobs(20, 1), some_jobs(1, 200), some_jobs(25, 20)])
    def test_full_account_takes_nothing(self, jobs: list[Job]) -> None:
        left = room(jobs, (), now=NOON)
        assert left.is_full
        assert batch(asking("mig-1"), left=left) == []


class TestOrder:
    def test_undo_before_cutover_before_test(self) -> None:
        waits = [asking("test"), asking("cutover", CUTOVER, end=10), asking("undo", TERMINATE, parked=9)]
        assert names(in_order(waits)) == ["undo", "cutover", "test"]

    def test_window_that_closes_first_goes_first_and_none_at_all_last(self) -> None:
        ends = {"never": None, "late": 7_200, "soon": 3_600}
        waits = [asking(name, CUTOVER, parked=number, end=end) for number, (name, end) in enumerate(ends.items())]
        assert names(in_order(waits)) == ["soon", "late", "never"]

    def test_each_wave_has_its_turn_whichever_came_first(self) -> None:
        first = [asking(f"a{number}", wave="a", parked=number) for number in range(3)]
        second = [asking(f"b{number}", wave="b", parked=100 + number) for number in range(3)]
        assert names(in_order([*first, *second])) == ["a0", "b0", "a1", "b1", "a2", "b2"]

    def test_turns_are_counted_among_equals_only(self) -> None:
        # Wave a has used turns in an earlier window; in the later one it is as new as wave b.
        early = [asking(f"early{number}", CUTOVER, "a", parked=number, end=3_600) for number in range(2)]
        late = [asking("a", CUTOVER, "a", parked=5, end=7_200), asking("b", CUTOVER, "b", parked=6, end=7_200)]
        assert names(in_order([*late, *early])) == ["early0", "early1", "a", "b"]

    def test_first_come_first_served_within_a_wave(self) -> None:
        waits = [asking("late", parked=2), asking("b", parked=1), asking("a", parked=1)]
        assert names(in_order(waits)) == ["a", "b", "late"]

    def test_wait_that_asks_for_nothing_is_no_launch(self) -> None:
        with pytest.raises(ValueError, match="mig-1: the wait undo asks for no launch"):
            _ = a_wait("undo", kind=WaitKind.UNDO).asked


class TestPace:
    @pytest.mark.parametrize("left", [EMPTY, Room(19, 199, NOON), Room(10, 190, NOON)])
    def test_while_half_of_the_jobs_are_left_a_launch_leaves_at_once(self, left: Room) -> None:
        assert batch(asking("mig-1"), left=left, now=0) == ["mig-1"]

    def test_launch_leaves_at_once_when_the_last_job_began_long_ago(self) -> None:
        assert batch(asking("mig-1", parked=PACE), left=LAST_JOB, now=PACE) == ["mig-1"]

    @pytest.mark.parametrize(("jobs", "seconds"), [(9, 1 / 9), (5, 1), (2, 4), (1, 9)])
    def test_the_fewer_jobs_are_left_the_longer_the_next_one_gathers(self, jobs: int, seconds: float) -> None:
        left = Room(jobs, 200, NOON)
        assert batch(asking("mig-1"), left=left, now=seconds - 0.01) == []
        assert batch(asking("mig-1"), left=left, now=seconds + 0.01) == ["mig-1"]

    def test_ten_jobs_in_a_row_take_about_as_long_as_one_job_of_twenty_minutes(self) -> None:
        gather = Budgets().launch_gather
        paces = [leaves_at([], Room(jobs, 200, NOON), gather=gather) - NOON for jobs in range(1, ACTIVE_JOBS + 1)]
        assert 15 * 60 < sum(pace.total_seconds() for pace in paces) < 20 * 60

    def test_launches_leave_at_once_when_each_job_left_could_be_as_large(self) -> None:
        waits = [asking(f"mig-{number}") for number in range(30)]
        assert batch(*waits[:29], left=Room(5, 150, NOON), now=0) == []
        assert len(batch(*waits, left=Room(5, 150, NOON), now=0)) == 30

    def test_those_who_fill_the_room_leave_at_once(self) -> None:
        waits = [asking(f"mig-{number}") for number in range(5)]
        assert batch(*waits, left=Room(1, 6, NOON), now=0) == []
        assert len(batch(*waits, left=Room(1, 5, NOON), now=0)) == 5
        assert len(batch(*waits, left=Room(1, 3, NOON), now=0)) == 3

    def test_launch_whose_window_closes_soon_gathers_no_company(self) -> None:
        seconds = 600
        assert batch(asking("soon", CUTOVER, end=seconds), left=LAST_JOB, now=0) == ["soon"]
        assert batch(asking("later", CUTOVER, end=seconds + 0.5), left=LAST_JOB, now=0) == []
        assert batch(asking("later", CUTOVER, end=seconds + 0.5), left=LAST_JOB, now=0.5) == ["later"]

    def test_nothing_gathers_where_gathering_is_off(self) -> None:
        assert batch(asking("mig-1"), left=LAST_JOB, now=0, gather=0) == ["mig-1"]

    def test_test_that_may_leave_does_not_take_the_place_an_undo_gathers_company_for(self) -> None:
        waits = [asking("test"), asking("undo", TERMINATE, parked=59.9)]
        assert batch(*waits, left=Room(1, 2, NOON)) == ["undo"]
        assert batch(*waits, left=Room(5, 1, NOON), now=0) == ["undo"]

    def test_nobody_waits_and_nobody_leaves(self) -> None:
        assert batch() == []


intents = st.builds(
    lambda kind, wave, end: (kind, wave, end if kind is CUTOVER else None),
    st.sampled_from(LaunchKind),
    st.sampled_from(["a", "b", "c"]),
    st.none() | st.integers(0, 7_200),
)
arrivals = st.lists(st.tuples(intents, st.floats(0, 120)), max_size=60)
rooms = st.builds(
    Room,
    st.integers(-1, ACTIVE_JOBS),
    st.integers(-5, SERVERS_IN_ACTIVE_JOBS),
    st.none() | st.floats(0, 240).map(after),
)
moments = st.floats(0, 240)


def waits_of(drawn: list[tuple[tuple[LaunchKind, str, int | None], float]]) -> list[Launching]:
    return in_order(
        asking(f"mig-{number}", kind, wave, parked, end) for number, ((kind, wave, end), parked) in enumerate(drawn)
    )


class TestEveryBatch:
    @given(arrivals, rooms, moments)
    def test_i4_fits_the_room_and_one_job(self, drawn: Any, left: Room, now: float) -> None:
        found = next_batch(waits_of(drawn), left, now=after(now), gather=GATHER)
        assert len(found) <= max(0, min(left.servers, SERVERS_PER_JOB))
        assert not found or left.jobs > 0
        assert len(set(names(found))) == len(found)

    @given(arrivals, rooms, moments)
    def test_holds_one_kind_and_no_more_urgent_launch_stays_behind(self, drawn: Any, left: Room, now: float) -> None:
        waiting = waits_of(drawn)
        found = next_batch(waiting, left, now=after(now), gather=GATHER)
        assume(found)
        assert len({wait.asked.kind for wait in found}) == 1
        assert list(found) == waiting[: len(found)]

    @given(arrivals, rooms, moments)
    def test_waves_that_are_equal_share_the_room(self, drawn: Any, left: Room, now: float) -> None:
        waiting = [wait for wait in waits_of(drawn) if wait.asked.kind is TEST]
        found = next_batch(waiting, left, now=after(now), gather=GATHER)
        taken = Counter(wait.asked.wave for wait in found)
        behind = Counter(wait.asked.wave for wait in waiting if wait not in found)
        for wave in behind if found else ():
            assert taken[wave] >= max(taken.values()) - 1

    @given(arrivals, rooms, moments)
    def test_leaves_when_the_next_job_is_due_or_enough_have_gathered(self, drawn: Any, left: Room, now: float) -> None:
        waiting = waits_of(drawn)
        assume(waiting)
        assume(not left.is_full)
        enough = len(waiting) * left.jobs >= left.servers
        leaves = enough or leaves_at(waiting, left, gather=GATHER) <= after(now)
        assert bool(next_batch(waiting, left, now=after(now), gather=GATHER)) is leaves


class Running(NamedTuple):
    began: float
    ends: float
    servers: int


@given(
    drawn=arrivals,
    foreign=st.lists(st.tuples(st.floats(1, 300), st.integers(1, 60)), max_size=25),
    lasts=st.floats(1, 300),
    gather=st.floats(0, 5),
)
def test_i7_every_launch_leaves_while_jobs_end_and_quotas_are_kept(
    drawn: Any, foreign: list[tuple[float, int]], lasts: float, gather: float
) -> None:
    running = [Running(0, *each) for each in foreign]
    waiting = {wait.migration_id: wait for wait in waits_of(drawn)}
    left_at: dict[str, float] = {}
    now = 0.0
    while waiting and now < 100_000:
        running = [job for job in running if job.ends > now]
        here = in_order(wait for wait in waiting.values() if wait.parked_at <= after(now))
        latest = max((after(job.began) for job in running), default=None)
        left = Room(ACTIVE_JOBS - len(running), SERVERS_IN_ACTIVE_JOBS - sum(job.servers for job in running), latest)
        found = next_batch(here, left, now=after(now), gather=gather)
        for wait in found:
            left_at[waiting.pop(wait.migration_id).migration_id] = now
        if found:
            running.append(Running(now, now + lasts, len(found)))
            assert left.jobs > 0
            assert len(found) <= left.servers
            continue
        now += 1
    assert len(left_at) == len(drawn)


def test_two_hundred_servers_of_one_wave_share_one_job() -> None:
    waits = [asking(f"mig-{number}") for number in range(250)]
    assert len(batch(*waits, now=0)) == SERVERS_PER_JOB


class TestTypicalSeconds:
    def test_is_the_median_of_the_launch_jobs_that_ended(self) -> None:
        jobs = [
            a_job(f"mgnjob-{minutes}", end_date_time=after(minutes * 60).isoformat(), status="COMPLETED")
            for minutes in (10, 12, 90)
        ]
        assert typical_seconds(jobs) == 12 * 60

    def test_running_and_terminate_jobs_say_nothing_of_launches(self) -> None:
        ended = a_job(type="TERMINATE", status="COMPLETED", end_date_time=after(60).isoformat())
        assert typical_seconds([a_job(), ended]) is None
