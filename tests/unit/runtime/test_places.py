"""Places in the queue for room in MGN, and about how long each takes."""

from datetime import timedelta
from typing import Any

import pytest

from runtime.logic.dispatch.packing import Place, places
from runtime.models.dispatch import Dispatch
from runtime.models.record import LaunchKind
from runtime.models.waits import LaunchIntent, Outcome
from tests.builders import JOB_ID, NOON, SCOPE, a_wait, server_id

JOB_SECONDS = 2_400.0


def seen(servers: int = 0, *, jobs: int = 1, seconds: float | None = JOB_SECONDS) -> Dispatch:
    """What the dispatcher saw of MGN's jobs."""
    return Dispatch(scope=SCOPE, active_jobs=jobs, active_servers=servers, job_seconds=seconds)


def asking(number: int, kind: LaunchKind = LaunchKind.TEST, **changes: Any) -> Any:
    """The numbered migration asks for a launch, later than those with lower numbers."""
    fields: dict[str, Any] = {"source_server_id": server_id(number), "intent": LaunchIntent(kind=kind, wave="1")}
    return a_wait(migration_id=f"m-{number}", parked_at=NOON + timedelta(seconds=number), **fields, **changes)


def test_places_are_in_the_order_of_launching() -> None:
    found = places([asking(2), asking(1), asking(3, LaunchKind.TERMINATE)], seen())
    assert {name: place.number for name, place in found.items()} == {"m-3": 1, "m-1": 2, "m-2": 3}


@pytest.mark.parametrize(("running", "seconds"), [(0, 0), (199, 0), (200, JOB_SECONDS), (400, 2 * JOB_SECONDS)])
def test_launch_starts_once_as_many_jobs_ended_as_fill_mgn_before_it(running: int, seconds: float) -> None:
    assert places([asking(1)], seen(running))["m-1"].seconds == seconds


def test_launch_waits_for_a_job_to_end_where_twenty_run_however_small() -> None:
    assert places([asking(1)], seen(20, jobs=20))["m-1"].seconds == JOB_SECONDS


def test_launches_ahead_in_the_queue_count_like_those_under_way() -> None:
    found = places([asking(number) for number in range(1, 402)], seen())
    assert [found[f"m-{n}"].seconds for n in (200, 201, 400, 401)] == [0, JOB_SECONDS, JOB_SECONDS, 2 * JOB_SECONDS]


def test_there_is_no_estimate_before_a_job_ended() -> None:
    assert places([asking(1)], seen(seconds=None)) == {"m-1": Place(1, None)}


def test_who_has_a_job_or_an_end_waits_for_no_room() -> None:
    assert places([asking(1, job_id=JOB_ID), asking(2, outcome=Outcome())], seen()) == {}
