"""What lies in the state table: keys, index attributes, expiry, and models that come back as they went in."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from runtime.adapters.state import items
from runtime.adapters.state.documents import refuse
from runtime.adapters.state.state import DynamoDbState
from runtime.adapters.state.table import KEYS_PER_READ
from runtime.models.decisions import Signal
from runtime.models.dispatch import Batch, Dispatch, Looked, Member, StartedJob
from runtime.models.record import (
    Facts,
    JournalEntry,
    LaunchKind,
    Lock,
    MigrationRecord,
    Rejection,
)
from runtime.models.status import MigrationStatus
from runtime.models.table import INDEXES, Index
from runtime.models.waits import DUE, LaunchIntent, Outcome, Wait, due, wait_from_json
from tests.builders import JOB_ID, NOON, SCOPE, SERVER_ID, a_lock, a_record, a_rejection, a_signal, a_wait, an_entry
from tests.contract.state_table import TABLE_NAME, make_state_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

EXPIRY = int((NOON + timedelta(days=90)).timestamp())


@pytest.fixture
def client() -> Iterator["DynamoDBClient"]:
    with mock_aws():
        yield make_state_table()


@pytest.fixture
def state(client: "DynamoDBClient") -> DynamoDbState:
    return DynamoDbState(client, TABLE_NAME, refuse)


def everything(client: "DynamoDBClient") -> dict[tuple[str, str], dict[str, Any]]:
    found = client.scan(TableName=TABLE_NAME)["Items"]
    return {(item["pk"]["S"], item["sk"]["S"]): item for item in found}


def end(state: DynamoDbState, entries: int) -> MigrationRecord:
    record = a_record()
    state.migrations.append(record, an_entry(record))
    for _ in range(entries - 2):
        record = record.model_copy(update={"sequence": record.sequence + 1, "status": MigrationStatus.VALIDATING})
        state.migrations.append(record, an_entry(record))
    record = record.model_copy(
        update={"sequence": record.sequence + 1, "status": MigrationStatus.REJECTED, "expires_at": EXPIRY}
    )
    state.migrations.append(record, an_entry(record), unlock=a_lock())
    return record


def test_every_item_has_its_key_and_only_its_index_attributes(state: DynamoDbState, client: "DynamoDBClient") -> None:
    record = a_record()
    state.migrations.append(record, an_entry(record))
    state.waits.park(a_wait())
    state.decisions.keep(a_signal())
    state.migrations.lock(a_lock())
    state.migrations.reject(a_rejection())
    state.dispatches.save(Dispatch(scope=SCOPE))
    state.dispatches.looked(SCOPE, Looked(at=NOON))
    state.dispatches.count_sweep()
    names = {key: item.keys() - {"pk", "sk", "document"} for key, item in everything(client).items()}
    assert names == {
        ("MIGRATION#mig-1", "RECORD"): {"wave", "application", "status", "updatedAt", "sequence"},
        ("MIGRATION#mig-1", "JOURNAL#000001"): set(),
        (f"SCOPE#{SCOPE}", "WAIT#mig-1#launch-test"): set(),
        (f"SCOPE#{SCOPE}", "DISPATCH"): {"version"},
        (f"SCOPE#{SCOPE}", f"LANE#{due(NOON)}#mig-1#launch-test"): {"wait"},
        (f"SCOPE#{SCOPE}", "LOOKED"): set(),
        ("MIGRATION#mig-1", "SIGNAL#approve"): {"expiresAt"},
        (f"SERVER#{SCOPE}#s-11111111111111111", "LOCK"): {"owner"},
        ("SWEEPS", "COUNT"): {"count"},
        ("REJECTION#message-1", "RECORD"): {"status", "updatedAt", "expiresAt"},
    }


def test_running_migration_does_not_expire(state: DynamoDbState, client: "DynamoDBClient") -> None:
    record = a_record()
    state.migrations.append(record, an_entry(record))
    assert all("expiresAt" not in item for item in everything(client).values())


@pytest.mark.parametrize("entries", [2, 5, 130])
def test_everything_a_finished_migration_left_expires_with_it(
    state: DynamoDbState, client: "DynamoDBClient", entries: int
) -> None:
    state.decisions.keep(a_signal())
    record = end(state, entries)
    expiries = {item.get("expiresAt", {}).get("N") for item in everything(client).values()}
    assert expiries == {str(EXPIRY)}
    assert state.migrations.record("mig-1") == record
    assert len(state.migrations.journal("mig-1")) == entries


def test_end_leaves_other_migrations_alone(state: DynamoDbState, client: "DynamoDBClient") -> None:
    other = a_record("mig-10")
    state.migrations.append(other, an_entry(other))
    end(state, 3)
    assert "expiresAt" not in everything(client)["MIGRATION#mig-10", "RECORD"]


def test_token_lies_in_the_document_only(state: DynamoDbState, client: "DynamoDBClient") -> None:
    state.waits.park(a_wait(token="secret-token"))
    found = everything(client).values()
    assert [name for item in found for name, value in item.items() if "secret-token" in str(value)] == ["document"]


def test_outcome_that_comes_while_a_step_is_parked_again_is_kept(
    state: DynamoDbState, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = state.waits.park(a_wait(token="first"))
    read = state._table.get

    def decided_after_reading(key: Any) -> Any:
        monkeypatch.undo()
        found = read(key)
        state.waits.decide(first, Outcome(reason="launched"))
        return found

    monkeypatch.setattr(state._table, "get", decided_after_reading)
    parked = state.waits.park(a_wait(token="second"))
    assert (parked.token, parked.outcome) == ("second", Outcome(reason="launched"))
    assert state.waits.of(SCOPE, "mig-1") == (parked,)


def test_job_that_comes_while_a_step_is_parked_again_is_kept(
    state: DynamoDbState, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = state.waits.park(a_wait(token="first"))
    read = state._table.get

    def amended_after_reading(key: Any) -> Any:
        monkeypatch.undo()
        found = read(key)
        state.waits.amend(first, {"job_id": JOB_ID})
        return found

    monkeypatch.setattr(state._table, "get", amended_after_reading)
    parked = state.waits.park(a_wait(token="second"))
    assert (parked.token, parked.watched_job) == ("second", JOB_ID)
    assert state.waits.of(SCOPE, "mig-1") == (parked,)


def park_as_an_older_release(state: DynamoDbState, client: "DynamoDBClient") -> Any:
    """A parked wait whose text lacks a field that has a default by now; the wait as this release reads it."""
    wait = state.waits.park(a_wait())
    document = json.loads(wait.to_json())
    del document["signals"]
    item = {**items.wait_item(wait), "document": {"S": json.dumps(document)}}
    client.put_item(TableName=TABLE_NAME, Item=item)
    assert state.waits.of(SCOPE, "mig-1") == (wait,)
    return wait


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (lambda state, wait: state.waits.decide(wait, Outcome(reason="done")), {"outcome": Outcome(reason="done")}),
        (lambda state, wait: state.waits.amend(wait, {"job_id": JOB_ID}), {"job_id": JOB_ID}),
        (lambda state, wait: state.waits.park(wait.model_copy(update={"token": "again"})), {"token": "again"}),
    ],
    ids=["decide", "amend", "park"],
)
def test_wait_of_an_older_release_is_changed(
    state: DynamoDbState, client: "DynamoDBClient", change: Any, left: dict[str, Any]
) -> None:
    wait = park_as_an_older_release(state, client)
    assert change(state, wait)
    assert state.waits.of(SCOPE, "mig-1") == (wait.model_copy(update=left),)


def test_wait_of_an_older_release_is_closed(state: DynamoDbState, client: "DynamoDBClient") -> None:
    state.waits.close(park_as_an_older_release(state, client))
    assert state.waits.of(SCOPE, "mig-1") == ()


def test_place_whose_wait_a_release_without_lanes_closed_is_cleared(
    state: DynamoDbState, client: "DynamoDBClient"
) -> None:
    wait = state.waits.park(a_wait())
    key: Any = {name: items.wait_item(wait)[name] for name in ("pk", "sk")}
    client.delete_item(TableName=TABLE_NAME, Key=key)
    assert state.waits.in_lanes(SCOPE, DUE, due(NOON), 10) == []
    assert everything(client) == {}


def test_wait_of_a_release_without_lanes_is_found_by_a_page_and_filed(
    state: DynamoDbState, client: "DynamoDBClient"
) -> None:
    bare = a_wait(lane=None)
    client.put_item(TableName=TABLE_NAME, Item=items.wait_item(bare))
    assert state.waits.in_lanes(SCOPE, "", "~", 10) == []
    assert state.waits.page(SCOPE, None, 10) == ((bare,), None)
    assert state.waits.file(bare, due(NOON))
    assert [wait.lane for wait in state.waits.in_lanes(SCOPE, DUE, due(NOON), 10)] == [due(NOON)]


def test_more_records_than_one_read_takes(state: DynamoDbState) -> None:
    names = [f"mig-{number}" for number in range(KEYS_PER_READ + 5)]
    for name in names:
        state.migrations.append(a_record(name), an_entry(a_record(name)))
    assert state.migrations.records_of(names).keys() == set(names)


def test_pages_are_followed(state: DynamoDbState) -> None:
    # DynamoDB answers a megabyte at a time.
    for number in range(30):
        state.waits.park(a_wait(f"wait-{number:02d}", token="t" * 100_000))
    assert len(state.waits.of(SCOPE, "mig-1")) == 30
    assert len(list(state.waits.open(SCOPE))) == 30


WAIT: Any = Wait
MODELS = [Facts, Outcome, WAIT, Dispatch, Signal, Lock, Rejection, JournalEntry, MigrationRecord]
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))
TEXTS = st.text(max_size=40)


@pytest.mark.parametrize("model", MODELS)
def test_models_come_back_as_they_went_in(model: type[Any]) -> None:
    read = wait_from_json if model is WAIT else model.from_json

    @settings(max_examples=40)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        made = data.draw(instances(model))
        back = read(made.to_json())
        assert back == made
        # The store compares documents as text, and reads them again where equal models are not equal texts.
        assert back.to_json() == made.to_json()

    check()


def instances(model: type[Any]) -> st.SearchStrategy[Any]:
    """Valid models: optional parts come and go, texts and moments are anything."""
    known: dict[Any, st.SearchStrategy[Any]] = {
        Facts: st.builds(
            Facts,
            execution=st.none() | TEXTS,
            source_server_id=st.none() | TEXTS,
            failure=st.none() | TEXTS,
            expires_at=st.none() | st.integers(0, 2**40),
            commands=st.none() | st.dictionaries(TEXTS, TEXTS, max_size=3),
        ),
        Outcome: OUTCOMES,
        WAIT: st.builds(
            lambda moment, delay, token, outcome, intent, reasons: a_wait(
                parked_at=moment,
                deadline=moment + delay,
                token=token,
                outcome=outcome,
                intent=intent,
                signals=tuple(a_signal(at=moment, reason=reason) for reason in reasons),
            ),
            MOMENTS,
            st.timedeltas(timedelta(0), timedelta(days=30)),
            TEXTS,
            st.none() | OUTCOMES,
            st.builds(
                lambda kind, wave, end: LaunchIntent(kind=kind, wave=wave, not_after=end),
                KINDS,
                TEXTS,
                st.none() | MOMENTS,
            ),
            st.lists(TEXTS, max_size=2),
        ),
        Dispatch: st.builds(
            lambda version, batch, jobs, since, seconds: Dispatch(
                scope=SCOPE,
                version=version,
                in_flight=batch,
                recent=tuple(jobs),
                active_since=since,
                job_seconds=seconds,
            ),
            st.integers(0, 2**40),
            st.none() | BATCHES,
            st.lists(JOBS, max_size=3),
            st.none() | MOMENTS,
            st.none() | st.floats(0, 10**6),
        ),
        Signal: st.builds(lambda at, reason: a_signal(at=at, reason=reason), MOMENTS, TEXTS),
        Lock: st.builds(lambda since, reason: a_lock(since=since, reason=reason), MOMENTS, TEXTS),
        Rejection: st.builds(lambda at, text: a_rejection(at=at, body_excerpt=text), MOMENTS, TEXTS),
        JournalEntry: st.builds(lambda at, actor: an_entry(a_record(), at=at, actor=actor), MOMENTS, TEXTS),
        MigrationRecord: st.builds(
            lambda at, status, text: a_record(updated_at=at, status=status, failure=text, expires_at=1),
            MOMENTS,
            st.sampled_from(MigrationStatus),
            st.none() | TEXTS,
        ),
    }
    return known[model]


KINDS = st.sampled_from(LaunchKind)
JOBS = st.builds(
    lambda job_id, servers, at: StartedJob(job_id=job_id, servers=servers, started_at=at),
    TEXTS,
    st.integers(1, 200),
    MOMENTS,
)
MEMBERS = TEXTS.map(lambda name: Member(migration_id="mig-1", wait=name, source_server_id=SERVER_ID))
BATCHES = st.builds(
    lambda kind, members, at, job_id: Batch(
        launch_id="launch-1", kind=kind, members=tuple(members), attempted_at=at, job_id=job_id
    ),
    KINDS,
    st.lists(MEMBERS, max_size=3),
    MOMENTS,
    st.none() | TEXTS,
)
OUTCOMES = st.builds(Outcome, error=st.none() | TEXTS, reason=TEXTS)


@given(st.lists(MOMENTS, min_size=2, max_size=6))
def test_moments_sort_as_text_as_they_do_in_time(moments: list[datetime]) -> None:
    name = INDEXES[Index.STATUS_TIME].sort
    texts = {moment: items.record_item(a_record(updated_at=moment))[name]["S"] for moment in moments}
    assert sorted(moments) == sorted(moments, key=lambda moment: texts[moment])
