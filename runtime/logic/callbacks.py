"""callback_handler: tell the outside about each change of status."""

from collections.abc import Iterable

from runtime.errors import CallbackDeliveryError
from runtime.logic.ports import Receiver
from runtime.models.events import MigrationStatusChanged


def deliver(event: MigrationStatusChanged, urls: Iterable[str], receiver: Receiver) -> int:
    """POST the event to every receiver; how many took it. One that fails does not keep it from the others.

    Raises CallbackDeliveryError naming the receivers that did not take it; the queue then tries all of them again
    under the same idempotency key.
    """
    key = f"{event.migration_id}:{event.sequence}"
    failures = []
    delivered = 0
    for url in dict.fromkeys(urls):
        try:
            receiver.deliver(url, event.to_json(), key)
            delivered += 1
        except CallbackDeliveryError as error:
            failures.append(str(error))
    if failures:
        raise CallbackDeliveryError("; ".join(failures))
    return delivered
