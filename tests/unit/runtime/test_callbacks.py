"""callback_handler: every receiver is told what the journal says, whatever the others do."""

from threading import Barrier

import pytest

from runtime.errors import CallbackDeliveryError
from runtime.logic.callbacks import deliver, journaled_change
from runtime.models.events import ChangeRef, MigrationStatusChanged, status_events
from runtime.models.record import Facts
from tests.builders import a_record, an_entry
from tests.fakes import FakeReceiver, InMemoryMigrations

URLS = ["https://a.example.com/", "https://b.example.com/", "https://c.example.com/"]


def an_event() -> MigrationStatusChanged:
    record = a_record()
    event = status_events(record, an_entry(record))[0]
    assert isinstance(event, MigrationStatusChanged)
    return event


def test_every_receiver_gets_the_event_under_one_idempotency_key() -> None:
    receiver = FakeReceiver()
    deliver(an_event(), URLS, receiver)
    assert sorted(url for url, _, _ in receiver.delivered) == URLS
    assert {key for _, _, key in receiver.delivered} == {"mig-1:1"}
    assert MigrationStatusChanged.from_json(receiver.delivered[0][1]) == an_event()


def test_failing_receiver_does_not_keep_the_others() -> None:
    receiver = FakeReceiver(refusing={URLS[0]})
    with pytest.raises(CallbackDeliveryError, match="answered 500"):
        deliver(an_event(), URLS, receiver)
    assert sorted(url for url, _, _ in receiver.delivered) == URLS[1:]


def test_slow_receiver_does_not_hold_up_the_others() -> None:
    others_are_being_told = Barrier(len(URLS))

    class Patient(FakeReceiver):
        def deliver(self, url: str, body: str, key: str) -> None:
            others_are_being_told.wait(10)
            super().deliver(url, body, key)

    receiver = Patient()
    deliver(an_event(), URLS, receiver)
    assert len(receiver.delivered) == len(URLS)


def test_change_is_what_the_journal_says() -> None:
    migrations, record = InMemoryMigrations(), a_record()
    migrations.append(record, an_entry(record))
    assert journaled_change(migrations, ChangeRef(migration_id="mig-1", sequence=1)) == (record, an_event())


@pytest.mark.parametrize(("migration_id", "sequence"), [("mig-1", 2), ("mig-1", 0), ("mig-2", 1), ("mig-1", 3)])
def test_entry_that_is_none_or_changes_no_status_is_no_change(migration_id: str, sequence: int) -> None:
    migrations, record = InMemoryMigrations(), a_record()
    migrations.append(record, an_entry(record))
    noted = record.model_copy(update={"sequence": 2})
    fact = an_entry(noted).model_copy(update={"from_status": record.status, "facts": Facts(failure="noted")})
    migrations.append(noted, fact)
    named = ChangeRef(migration_id=migration_id, sequence=sequence)
    assert journaled_change(migrations, named) == (None, None)
