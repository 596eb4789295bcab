"""callback_handler: every receiver is told, whatever the others do."""

from threading import Barrier

import pytest

from runtime.errors import CallbackDeliveryError
from runtime.logic.callbacks import deliver
from runtime.models.events import MigrationStatusChanged, status_events
from tests.builders import a_record, an_entry
from tests.fakes import FakeReceiver

URLS = ["https://a.example.com/", "https://b.example.com/", "https://c.example.com/"]


def an_event() -> MigrationStatusChanged:
    record = a_record()
    event = status_events(record, an_entry(record))[0]
    assert isinstance(event, MigrationStatusChanged)
    return event


def test_every_receiver_gets_the_event_under_one_idempotency_key() -> None:
    receiver = FakeReceiver()
    assert deliver(an_event(), URLS, receiver) == 3
    assert sorted(url for url, _, _ in receiver.delivered) == URLS
    assert {key for _, _, key in receiver.delivered} == {"mig-1:1"}
    assert MigrationStatusChanged.from_json(receiver.delivered[0][1]) == an_event()


def test_failing_receiver_does_not_keep_the_others() -> None:
    receiver = FakeReceiver(refusing={URLS[0]})
    with pytest.raises(CallbackDeliveryError, match="answered 500"):
        deliver(an_event(), URLS, receiver)
    assert sorted(url for url, _, _ in receiver.delivered) == URLS[1:]


def test_slow_receiver_does_not_hold_up_the_others() -> None:
    others_were_told = Barrier(len(URLS))

    class Patient(FakeReceiver):
        def deliver(self, url: str, body: str, key: str) -> None:
            others_were_told.wait(10)
            super().deliver(url, body, key)

    assert deliver(an_event(), URLS, Patient()) == 3


def test_receiver_named_twice_is_told_once() -> None:
    receiver = FakeReceiver()
    assert deliver(an_event(), [URLS[0], URLS[0]], receiver) == 1


def test_event_without_receivers_is_told_nobody() -> None:
    assert deliver(an_event(), [], FakeReceiver()) == 0
