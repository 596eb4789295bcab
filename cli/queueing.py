"""Migrations that wait for room in MGN: their places, read and computed when someone asks."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from runtime.logic.dispatch.packing import Place, places
from runtime.logic.ports import State
from runtime.models.record import MigrationRecord
from runtime.models.status import MigrationStatus

LAUNCHING = (
    MigrationStatus.TEST_LAUNCHING,
    MigrationStatus.TEST_VERIFYING,
    MigrationStatus.CUTOVER_LAUNCHING,
    MigrationStatus.ROLLING_BACK,
)
"""Where a migration may wait for a launch, or for its instance to be terminated."""

HOUR = 60
"""Minutes."""


def places_in_queue(state: State, records: Iterable[MigrationRecord]) -> dict[str, Place]:
    """The place of each of these migrations that waits for room; queues are per account and Region."""
    scopes = {record.scope for record in records if record.scope and record.status in LAUNCHING}
    found: dict[str, Place] = {}
    for scope in sorted(scopes):
        with _unless_denied():
            found |= places(state.waits.open(scope), state.dispatches.state(scope))
    return found


@contextmanager
def _unless_denied() -> Iterator[None]:
    # Waits hold task tokens, so MigrationReader does not read them: a reader does without the places.
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "AccessDeniedException":
            raise


def in_words(place: Place) -> str:
    """#12, in about 40 min."""
    if place.seconds is None:
        return f"#{place.number}"
    minutes = round(place.seconds / 60)
    if minutes < 1:
        return f"#{place.number}, soon"
    if minutes < 2 * HOUR:
        return f"#{place.number}, in about {minutes} min"
    return f"#{place.number}, in about {round(minutes / HOUR)} h"


def in_json(place: Place | None, now: datetime) -> dict[str, object]:
    """The fields of a document."""
    if place is None:
        return {}
    start = None if place.seconds is None else now + timedelta(seconds=place.seconds)
    estimate = {} if start is None else {"estimatedStart": start.isoformat().replace("+00:00", "Z")}
    return {"queuePlace": place.number, **estimate}
