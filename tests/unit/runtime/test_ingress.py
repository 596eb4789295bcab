"""Taking requests in: once per migration id, whatever fails in between (I1)."""

import json
from threading import Barrier, Thread

import pytest

from runtime.errors import RecordChangedError, RequestConflictError, RequestError, ServiceUnavailableError
from runtime.logic import ingress
from runtime.logic.ingress import accept, id_hints, parse_request, rejected
from runtime.logic.ingress import take as take_message
from runtime.logic.journal import rebuild
from runtime.models.record import JournalEntry, Lock, MigrationRecord, Rejection
from runtime.models.request import MigrationRequest
from runtime.models.status import MigrationStatus
from tests.builders import NOON, a_request
from tests.fakes import FakePorts, InMemoryMigrations


def take(ports: FakePorts, request: MigrationRequest | None = None) -> MigrationRecord:
    return accept(ports, request or a_request())


def test_success_keeps_the_record_and_publishes_its_request(ports: FakePorts) -> None:
    record = take(ports)
    assert ports.migrations.record("mig-1") == record == rebuild(ports.migrations.journal("mig-1"))
    assert record.status is MigrationStatus.RECEIVED
    (entry,) = ports.migrations.journal("mig-1")
    assert (entry.actor, entry.reason, entry.from_status) == ("ingress_handler", "accepted", None)
    assert [event.correlation_id for event in ports.bus.published] == [record.correlation_id]
    assert ports.bus.types() == ["MigrationRequested"]


def test_i14_who_aws_says_sent_a_request_is_in_the_journal_from_the_first_entry(ports: FakePorts) -> None:
    for sender in ("AROA1:ada", "AROA1:eve"):
        # Who sends a copy later changes nothing of it.
        take_message(ports, a_request().to_json(), message_id="message-1", retention_days=90, sender=sender)
    (entry,) = ports.migrations.journal("mig-1")
    record = ports.migrations.record("mig-1")
    assert record is not None
    assert entry.facts.requester == record.requester == "AROA1:ada"


def test_who_aws_says_sent_a_refused_message_is_kept_with_it(ports: FakePorts) -> None:
    kept = take_message(ports, "{}", message_id="message-1", retention_days=90, sender="AROA1:eve")
    assert isinstance(kept, Rejection)
    assert kept.sender == "AROA1:eve"


def test_i1_ten_copies_of_one_message_are_one_migration(ports: FakePorts) -> None:
    records = [take(ports) for _ in range(10)]
    assert len({record.to_json() for record in records}) == 1
    assert len(ports.migrations.journal("mig-1")) == 1
    assert {event.correlation_id for event in ports.bus.published} == {records[0].correlation_id}


def test_i1_ten_copies_at_the_same_moment_are_one_migration(ports: FakePorts) -> None:
    together = Barrier(10)
    taken: list[MigrationRecord] = []

    def copy() -> None:
        together.wait()
        taken.append(take(ports))

    threads = [Thread(target=copy) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({record.correlation_id for record in taken}) == 1
    assert len(ports.migrations.journal("mig-1")) == 1


def test_same_id_with_another_body_is_a_conflict_naming_the_fields(ports: FakePorts) -> None:
    take(ports)
    with pytest.raises(RequestConflictError, match="different: wave, soakSeconds") as caught:
        take(ports, a_request(wave="2", soak_seconds=60))
    assert "new migrationId" in str(caught.value)
    assert len(ports.migrations.journal("mig-1")) == 1


def test_same_body_with_its_tags_in_another_order_is_the_same_request(ports: FakePorts) -> None:
    first = take(ports, a_request(tags={"a": "1", "b": "2"}))
    assert take(ports, a_request(tags={"b": "2", "a": "1"})) == first


def test_i1_crash_between_append_and_publish_is_healed_by_the_redelivery(ports: FakePorts) -> None:
    ports.bus.refusals = 1
    with pytest.raises(ServiceUnavailableError):
        take(ports)
    record = take(ports)
    assert ports.bus.types() == ["MigrationRequested"]
    assert ports.bus.published[0].correlation_id == record.correlation_id


def test_request_of_a_migration_under_way_is_not_published_again(ports: FakePorts) -> None:
    record = take(ports)
    ports.migrations.records["mig-1"] = record.model_copy(update={"status": MigrationStatus.PREPARING})
    take(ports)
    assert len(ports.bus.published) == 1


class _Colliding(InMemoryMigrations):
    """Two copies written at the same instant can make DynamoDB refuse both."""

    def append(self, record: MigrationRecord, entry: JournalEntry, *, unlock: Lock | None = None) -> None:
        raise RecordChangedError("TransactionConflict")


def test_i1_copies_that_collided_and_were_both_refused_come_again() -> None:
    ports = FakePorts()
    ports.migrations = _Colliding()
    with pytest.raises(RecordChangedError):
        take(ports)
    assert ports.bus.published == []


class _Beaten(InMemoryMigrations):
    """Another copy is written between our look and our write."""

    def append(self, record: MigrationRecord, entry: JournalEntry, *, unlock: Lock | None = None) -> None:
        super().append(record.model_copy(update={"correlation_id": "theirs"}), entry)
        super().append(record, entry)


def test_i1_copy_that_was_beaten_takes_the_record_of_the_first() -> None:
    ports = FakePorts()
    ports.migrations = _Beaten()
    record = take(ports, a_request(correlation_id="ours"))
    assert (record.correlation_id, ports.bus.published[0].correlation_id) == ("theirs", "theirs")


def test_invalid_message_is_kept_with_its_reason_and_ids() -> None:
    body = json.dumps({"migrationId": "mig-9", "correlationId": "cor-9"})
    kept = rejected(body, message_id="m-1", reason="x" * 5_000, at=NOON, retention_days=90)
    assert (kept.migration_id, kept.correlation_id, kept.body_excerpt) == ("mig-9", "cor-9", body)
    assert len(kept.reason) == 2048
    assert kept.expires_at == int(NOON.timestamp()) + 90 * 86_400


def test_only_the_beginning_of_an_invalid_message_is_kept() -> None:
    kept = rejected("x" * 513, message_id="m-1", reason="r", at=NOON, retention_days=90)
    assert kept.body_excerpt == "x" * 512


@pytest.mark.parametrize("body", ["not json", "[1]", '{"migrationId": 17}', "[" * 100_000, '"' + "9" * 10])
def test_message_without_usable_ids_has_no_hints(body: str) -> None:
    assert id_hints(body) == {}


def test_hints_are_cut_to_a_storable_length() -> None:
    assert id_hints(json.dumps({"migrationId": "m" * 1_000})) == {"migrationId": "m" * 128}


def test_body_of_exactly_the_bytes_that_are_accepted_is_accepted() -> None:
    body = a_request().to_json()
    full = body + " " * (65_536 - len(body.encode()))
    assert parse_request(full) == a_request()
    with pytest.raises(RequestError, match="the body has 65537 bytes; at most 65536 are accepted"):
        parse_request(f"{full} ")


@pytest.mark.parametrize(("length", "shown"), [(78, f"'{'!' * 78}'"), (79, f"'{'!' * 76}...")])
def test_value_that_was_refused_is_shown_up_to_eighty_characters(length: int, shown: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_request(json.dumps({**json.loads(a_request().to_json()), "migrationId": "!" * length}))
    assert str(caught.value).startswith("migrationId: ")
    assert str(caught.value).endswith(f"; sent {shown}")


@pytest.mark.parametrize(("mistakes", "end"), [(8, "(see migration_payload.json)"), (9, "; and 1 more")])
def test_eight_mistakes_are_named_and_the_rest_is_counted(mistakes: int, end: str) -> None:
    unknown = {f"field{number}": 1 for number in range(mistakes)}
    with pytest.raises(RequestError) as caught:
        parse_request(json.dumps({**json.loads(a_request().to_json()), **unknown}))
    assert str(caught.value).count("unknown field") == 8
    assert str(caught.value).endswith(end)


@pytest.mark.parametrize("body", ['{"migrationId": "\\ud800"}', '{"migrationId": "\ud800"}'])
def test_half_a_surrogate_pair_is_refused_and_its_rejection_can_be_stored(body: str) -> None:
    with pytest.raises(Exception, match="body") as caught:
        parse_request(body)
    assert type(caught.value).__name__ == "RequestError"
    kept = rejected(body, message_id="m", reason="r", at=NOON, retention_days=1)
    assert "?" in kept.to_json()


@pytest.mark.parametrize(
    "changes",
    [
        {"tags": {"owner": "hush-hush" * 40}},
        {"callbackUrl": "ftp://example.com/hush-hush"},
        {"checks": [{"type": "ssm", "document": "Doc", "parameters": {"password": "hush-hush"}}]},
        {"mode": "test", "test": False, "tags": {"owner": "hush-hush"}},
        {"tags": ["hush-hush"]},
    ],
)
def test_i11_no_tag_or_parameter_or_callback_value_is_in_a_reason(changes: dict[str, object]) -> None:
    with pytest.raises(Exception, match=":") as caught:
        parse_request(json.dumps({**json.loads(a_request().to_json()), **changes}))
    assert "hush" not in str(caught.value)


def test_i1_every_door_accepts_or_keeps_why_not(ports: FakePorts) -> None:
    good = take_body(ports, a_request().to_json(), "m-1")
    bad = take_body(ports, '{"migrationId": "mig-9"}', "m-2")
    conflict = take_body(ports, a_request(wave="2").to_json(), "m-3")
    assert isinstance(good, MigrationRecord)
    assert (good.migration_id, list(ports.migrations.records)) == ("mig-1", ["mig-1"])
    assert list(ports.migrations.rejected.values()) == [bad, conflict]
    assert [(kept.migration_id, kept.message_id) for kept in ports.migrations.rejections()] == [
        ("mig-9", "m-2"),
        ("mig-1", "m-3"),
    ]
    assert "another body" in ports.migrations.rejected["m-3"].reason


def test_i1_message_that_comes_again_is_rejected_in_the_same_words(ports: FakePorts) -> None:
    first, second = (take_body(ports, "not json", "m-1") for _ in range(2))
    assert first == second
    assert len(ports.migrations.rejected) == 1


def take_body(ports: FakePorts, body: str, message_id: str) -> MigrationRecord | Rejection:
    return ingress.take(ports, body, message_id=message_id, retention_days=90)
