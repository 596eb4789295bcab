"""What the store makes of DynamoDB's refusals, and that it gives up rather than fight on."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from runtime.adapters.state import items
from runtime.adapters.state.documents import refuse
from runtime.adapters.state.state import DynamoDbState
from runtime.adapters.state.table import READ_ATTEMPTS, ROUNDS
from runtime.errors import RecordChangedError, ServiceUnavailableError, ThrottledError
from runtime.models.waits import Outcome
from tests.builders import SCOPE, a_lock, a_record, a_wait, an_entry
from tests.contract.aws import aws

RECORD = a_record(sequence=2)


@pytest.fixture
def dynamodb() -> Iterator[Stubber]:
    with Stubber(aws("dynamodb")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def state() -> DynamoDbState:
    return DynamoDbState(aws("dynamodb"), "migrations", refuse)


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
    dynamodb: Stubber, state: DynamoDbState, codes: tuple[str, ...], expected: type[Exception]
) -> None:
    cancel(dynamodb, *codes)
    with pytest.raises(expected):
        state.migrations.append(RECORD, an_entry(RECORD))


def test_lock_lost_alone_is_no_reason_to_stay(dynamodb: Stubber, state: DynamoDbState) -> None:
    cancel(dynamodb, "None", "None", "ConditionalCheckFailed")
    dynamodb.add_response("transact_write_items", {})
    state.migrations.append(RECORD, an_entry(RECORD), unlock=a_lock())


def test_lock_lost_with_the_record_is_a_changed_record(dynamodb: Stubber, state: DynamoDbState) -> None:
    cancel(dynamodb, "ConditionalCheckFailed", "None", "ConditionalCheckFailed")
    with pytest.raises(RecordChangedError):
        state.migrations.append(RECORD, an_entry(RECORD), unlock=a_lock())


def test_unavailable_table_heals_by_waiting(dynamodb: Stubber, state: DynamoDbState) -> None:
    dynamodb.add_client_error("transact_write_items", "InternalServerError", http_status_code=500)
    with pytest.raises(ServiceUnavailableError):
        state.migrations.append(RECORD, an_entry(RECORD))


def test_denied_write_is_not_hidden(dynamodb: Stubber, state: DynamoDbState) -> None:
    for call in ("transact_write_items", "put_item", "delete_item", "update_item"):
        dynamodb.add_client_error(call, "AccessDeniedException")
    with pytest.raises(ClientError):
        state.migrations.append(RECORD, an_entry(RECORD))
    with pytest.raises(ClientError):
        state.migrations.lock(a_lock())
    with pytest.raises(ClientError):
        state.migrations.unlock(a_lock())
    with pytest.raises(ClientError):
        state.dispatches.count_sweep()


READS: dict[str, tuple[str, Callable[[DynamoDbState], object]]] = {
    "record": ("get_item", lambda state: state.migrations.record("mig-1")),
    "records_of": ("batch_get_item", lambda state: state.migrations.records_of(["mig-1"])),
    "journal": ("query", lambda state: state.migrations.journal("mig-1")),
    "waits": ("query", lambda state: state.waits.of(SCOPE, "mig-1")),
    "open_waits": ("query", lambda state: list(state.waits.open(SCOPE))),
    "signals": ("query", lambda state: state.decisions.of("mig-1")),
    "dispatch": ("get_item", lambda state: state.dispatches.state(SCOPE)),
    "last_look": ("get_item", lambda state: state.dispatches.last_look(SCOPE)),
}
EMPTY: dict[str, dict[str, Any]] = {
    "get_item": {},
    "query": {"Items": []},
    "batch_get_item": {"Responses": {}, "UnprocessedKeys": {}},
}


@pytest.mark.parametrize("name", READS)
def test_what_decisions_rest_on_is_read_consistently(dynamodb: Stubber, state: DynamoDbState, name: str) -> None:
    call, read = READS[name]
    seen: list[Any] = []
    dynamodb.add_response(call, EMPTY[call])
    event = f"provide-client-params.dynamodb.{call.title().replace('_', '')}"

    def watch(params: Any, **_: Any) -> None:
        asked = params["RequestItems"]["migrations"] if call == "batch_get_item" else params
        seen.append(asked["ConsistentRead"])

    aws("dynamodb").meta.events.register(event, watch)
    read(state)
    aws("dynamodb").meta.events.unregister(event, watch)
    assert seen == [True]


def left_out(*names: str) -> dict[str, Any]:
    keys = [items.key(items.migration_key(name), items.RECORD) for name in names]
    return {"migrations": {"Keys": keys, "ConsistentRead": True}}


def answer(*found: str, left: dict[str, Any]) -> dict[str, Any]:
    stored = [items.record_item(a_record(name)) for name in found]
    return {"Responses": {"migrations": stored}, "UnprocessedKeys": left}


def test_records_dynamodb_left_out_are_asked_for_again(dynamodb: Stubber, state: DynamoDbState) -> None:
    first, second = left_out("mig-1", "mig-2"), left_out("mig-2")
    dynamodb.add_response("batch_get_item", answer("mig-1", left=second), {"RequestItems": first})
    dynamodb.add_response("batch_get_item", answer("mig-2", left={}), {"RequestItems": second})
    assert state.migrations.records_of(["mig-1", "mig-2", "mig-1"]).keys() == {"mig-1", "mig-2"}


def test_records_dynamodb_keeps_leaving_out_are_throttling(dynamodb: Stubber, state: DynamoDbState) -> None:
    for _ in range(READ_ATTEMPTS):
        dynamodb.add_response("batch_get_item", answer(left=left_out("mig-1")))
    with pytest.raises(ThrottledError, match="left 1 items out"):
        state.migrations.records_of(["mig-1"])


class Contended:
    """A table on which somebody else always wrote first."""

    def __init__(self) -> None:
        self.writes = 0

    def get(self, _: Any) -> None:
        return None

    def put(self, *_: Any) -> bool:
        self.writes += 1
        return False

    def putting(self, *_: Any) -> Any:
        return {}

    def deleting(self, *_: Any) -> Any:
        return {}

    def holds(self, *_: Any) -> bool:
        return self.put()


class Rewritten(Contended):
    """A table on which somebody else rewrites the wait before every write."""

    def get(self, _: Any) -> Any:
        return items.wait_item(a_wait(instance_id=f"i-{self.writes}"))

    def delete(self, *_: Any) -> bool:
        return self.put()


@pytest.mark.parametrize(
    "write",
    [
        lambda state: state.waits.amend(a_wait(), {"job_id": "mgnjob-1"}),
        lambda state: state.waits.decide(a_wait(), Outcome()),
        lambda state: state.waits.close(a_wait()),
    ],
)
def test_change_of_a_wait_that_always_loses_gives_up(state: DynamoDbState, write: Any) -> None:
    table: Any = Rewritten()
    state._table = table
    with pytest.raises(RecordChangedError, match="keep writing the wait launch-test"):
        write(state)
    assert table.writes == ROUNDS


@pytest.mark.parametrize(
    "write", [lambda state: state.waits.park(a_wait()), lambda state: state.migrations.lock(a_lock())]
)
def test_write_that_always_loses_gives_up(state: DynamoDbState, write: Any) -> None:
    table: Any = Contended()
    state._table = table
    with pytest.raises(RecordChangedError):
        write(state)
    assert table.writes == ROUNDS


def test_decision_that_lost_to_the_end_of_the_wait_keeps_nothing(state: DynamoDbState) -> None:
    table: Any = Contended()
    state._table = table
    outcome = Outcome(reason="launched")
    assert state.waits.decide(a_wait(), outcome).outcome == outcome
    assert table.writes == 1
