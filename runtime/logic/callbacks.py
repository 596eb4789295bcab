"""callback_handler: tell the outside about each change of status."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from runtime.errors import CallbackDeliveryError
from runtime.logic.ports import Receiver
from runtime.models.events import MigrationStatusChanged


def deliver(event: MigrationStatusChanged, urls: Iterable[str], receiver: Receiver) -> int:
    """POST the event to every receiver at once; how many took it. One that fails or is slow holds up no other.

    Raises CallbackDeliveryError naming the receivers that did not take it; the queue then tries all of them again
    under the same idempotency key.
    """
    key = f"{event.migration_id}:{event.sequence}"
    receivers = tuple(dict.fromkeys(urls))
    if not receivers:
        return 0

    def failure_of(url: str) -> str:
        try:
            receiver.deliver(url, event.to_json(), key)
        except CallbackDeliveryError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(len(receivers)) as side_by_side:
        failures = [failure for failure in side_by_side.map(failure_of, receivers) if failure]
    if failures:
        raise CallbackDeliveryError("; ".join(failures))
    return len(receivers)
