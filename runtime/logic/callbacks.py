"""callback_handler: tell the outside about each change of status."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from runtime.errors import CallbackDeliveryError
from runtime.logic.ports import Migrations, Receiver
from runtime.models.events import ChangeRef, MigrationStatusChanged, status_events
from runtime.models.record import MigrationRecord


def journaled_change(
    migrations: Migrations, named: ChangeRef
) -> tuple[MigrationRecord, MigrationStatusChanged] | tuple[None, None]:
    """The change that the journal tells of under this number: what else a message says of it may be forged."""
    record, entry = migrations.record(named.migration_id), migrations.entry(named.migration_id, named.sequence)
    if record and entry:
        for event in status_events(record, entry):
            if isinstance(event, MigrationStatusChanged):
                return record, event
    return None, None


def deliver(event: MigrationStatusChanged, urls: Sequence[str], receiver: Receiver) -> None:
    """POST the event to every receiver at once: one that fails or is slow holds up no other.

    Raises CallbackDeliveryError naming the receivers that did not take it; the queue then tries all of them again
    under the same idempotency key.
    """
    key = f"{event.migration_id}:{event.sequence}"

    def failure_of(url: str) -> str:
        try:
            receiver.deliver(url, event.to_json(), key)
        except CallbackDeliveryError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(len(urls)) as side_by_side:
        failures = [failure for failure in side_by_side.map(failure_of, urls) if failure]
    if failures:
        raise CallbackDeliveryError("; ".join(failures))
