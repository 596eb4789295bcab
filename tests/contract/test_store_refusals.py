"""What the store makes of DynamoDB's refusals, and that it gives up rather than fight on."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from runtime.adapters.store import ROUNDS, DynamoDbMigrationStore
from runtime.errors import RecordChangedError, ServiceUnavailableError, ThrottledError
from runtime.models.record import Outcome
from tests.builders import a_lock, a_record, a_wait, an_entry
from tests.contract.aws import aws

RECORD = a_record(sequence=2)


@pytest.fixture
def dynamodb() -> Iterator[Stubber]:
    with Stubber(aws("dynamodb")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def store() -> DynamoDbMigrationStore:
    return DynamoDbMigrationStore(aws("dynamodb"), "migrations")


def cancel(dynamodb: Stubber, *codes: str) -> None:
    reasons: Any = {"CancellationReasons": [{"Code": code} for code in codes]}
    dynamodb.add_client_error("transact_write_items", "TransactionCanceledException", modeled_fields=reasons)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (("ConditionalCheckFailed", "None"), RecordChangedError),
        (("None", "ConditionalCheckFailed"), RecordChangedError),
        (("TransactionConflict", "None"), RecordChangedError),
        (("ThrottlingError", "None"), ThrottledError),
        (("None", "ProvisionedThroughputExceeded"), ThrottledError),
        (("ValidationError", "None"), ClientError),
    ],
)
def test_cancelled_transaction(
    dynamodb: Stubber, store: DynamoDbMigrationStore, codes: tuple[str, ...], expected: type[Exception]
) -> None:
    cancel(dynamodb, *codes)
    with pytest.raises(expected):
        store.append(RECORD, an_entry(RECORD))


def test_lock_lost_alone_is_no_reason_to_stay(dynamodb: Stubber, store: DynamoDbMigrationStore) -> None:
    cancel(dynamodb, "None", "None", "ConditionalCheckFailed")
    dynamodb.add_response("transact_write_items", {})
    store.append(RECORD, an_entry(RECORD), unlock=a_lock())


def test_lock_lost_with_the_record_is_a_changed_record(dynamodb: Stubber, store: DynamoDbMigrationStore) -> None:
    cancel(dynamodb, "ConditionalCheckFailed", "None", "ConditionalCheckFailed")
    with pytest.raises(RecordChangedError):
        store.append(RECORD, an_entry(RECORD), unlock=a_lock())


def test_unavailable_table_heals_by_waiting(dynamodb: Stubber, store: DynamoDbMigrationStore) -> None:
    dynamodb.add_client_error("transact_write_items", "InternalServerError", http_status_code=500)
    with pytest.raises(ServiceUnavailableError):
        store.append(RECORD, an_entry(RECORD))


def test_denied_write_is_not_hidden(dynamodb: Stubber, store: DynamoDbMigrationStore) -> None:
    for call in ("transact_write_items", "put_item", "delete_item"):
        dynamodb.add_client_error(call, "AccessDeniedException")
    with pytest.raises(ClientError):
        store.append(RECORD, an_entry(RECORD))
    with pytest.raises(ClientError):
        store.lock(a_lock())
    with pytest.raises(ClientError):
        store.unlock(a_lock())


def test_migrations_are_read_consistently(dynamodb: Stubber, store: DynamoDbMigrationStore) -> None:
    for read in ("record", "journal", "waits", "signals"):
        call = "get_item" if read == "record" else "query"
        seen: list[Any] = []
        dynamodb.add_response(call, {} if read == "record" else {"Items": []})
        event = f"provide-client-params.dynamodb.{call.title().replace('_', '')}"
        watch = lambda params, seen=seen, **_: seen.append(params["ConsistentRead"])  # noqa: E731
        aws("dynamodb").meta.events.register(event, watch)
        getattr(store, read)("mig-1")
        aws("dynamodb").meta.events.unregister(event, watch)
        assert seen == [True]


class Contended:
    """A table on which somebody else always wrote first."""

    def __init__(self) -> None:
        self.writes = 0

    def get(self, _: Any) -> None:
        return None

    def put(self, *_: Any) -> bool:
        self.writes += 1
        return False


@pytest.mark.parametrize("write", [lambda store: store.park(a_wait()), lambda store: store.lock(a_lock())])
def test_write_that_always_loses_gives_up(store: DynamoDbMigrationStore, write: Any) -> None:
    table: Any = Contended()
    store._table = table
    with pytest.raises(RecordChangedError):
        write(store)
    assert table.writes == ROUNDS


def test_decision_that_lost_to_the_end_of_the_wait_keeps_nothing(store: DynamoDbMigrationStore) -> None:
    table: Any = Contended()
    store._table = table
    outcome = Outcome(reason="launched")
    assert store.decide(a_wait(), outcome).outcome == outcome
    assert table.writes == 1
