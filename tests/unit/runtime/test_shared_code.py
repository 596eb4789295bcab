"""Code every handler shares: correlation ids, the logger, the tree of errors."""

import json
from io import StringIO

import pytest

from runtime import errors
from runtime.errors import TRANSIENT, MigrationError, TransientError
from runtime.handlers.entry import scope_of
from runtime.handlers.wiring import AwsPorts, Wiring
from runtime.logic.ingress import accept, id_hints, parse_request
from runtime.models.events import ApprovalRequested, MigrationCompleted, MigrationFailed, status_events
from runtime.models.scope import Scope
from runtime.models.status import TERMINAL, MigrationStatus
from runtime.observability import correlate, logger
from tests.builders import NOON, SCOPE, a_record, a_request, an_entry
from tests.fakes import FakePorts

ALL = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]


def test_correlation_id_is_generated_as_32_fresh_hexadecimal_digits() -> None:
    ports = AwsPorts(Wiring(state_table="table"), SCOPE)
    first, second = ports.new_id(), ports.new_id()
    assert first != second
    assert (len(first), int(first, 16) > 0) == (32, True)
    assert ports.now().utcoffset() == NOON.utcoffset()


def test_correlation_id_is_extracted_from_the_message() -> None:
    assert parse_request(a_request(correlation_id="cor-from-sender").to_json()).correlation_id == "cor-from-sender"
    assert id_hints('{"correlationId": "cor-of-a-bad-message", "junk": 1}') == {"correlationId": "cor-of-a-bad-message"}


def test_i9_one_correlation_id_is_in_record_journal_and_events(ports: FakePorts) -> None:
    record = accept(ports, a_request(correlation_id="cor-9"))
    entries = ports.migrations.journal("mig-1")
    events = [*ports.bus.published, *status_events(record, entries[0])]
    assert {record.correlation_id, entries[0].correlation_id, *(event.correlation_id for event in events)} == {"cor-9"}


def test_i9_log_lines_carry_both_ids(log_lines: StringIO) -> None:
    correlate("mig-1", "cor-1")
    logger.info("hello", extra={"status": MigrationStatus.RECEIVED})
    line = json.loads(log_lines.getvalue())
    assert (line["migration_id"], line["correlation_id"], line["status"]) == ("mig-1", "cor-1", "RECEIVED")
    assert (line["level"], line["message"]) == ("INFO", "hello")


def test_every_error_is_a_migration_error_and_says_what_it_means() -> None:
    for kind in ALL:
        assert issubclass(kind, MigrationError)
        assert kind.__doc__
        assert kind.__name__ in (errors.__doc__ or "")


def test_transient_errors_are_listed_by_name_for_the_state_machine() -> None:
    assert {kind.__name__ for kind in ALL if issubclass(kind, TransientError)} == set(TRANSIENT)


@pytest.mark.parametrize("status", list(MigrationStatus))
def test_i7_each_end_has_one_terminal_event_and_other_statuses_none(status: MigrationStatus) -> None:
    record = a_record(status=status, sequence=2)
    events = status_events(record, an_entry(record, from_status=MigrationStatus.ROLLING_BACK))
    last = [event for event in events if isinstance(event, MigrationCompleted | MigrationFailed)]
    if status is MigrationStatus.ROLLING_BACK:
        assert events == ()
    assert len(last) == (status in TERMINAL)
    assert all(isinstance(event, MigrationCompleted) == (status is MigrationStatus.COMPLETED) for event in last)
    assert any(isinstance(event, ApprovalRequested) for event in events) == (status == "AWAITING_APPROVAL")


def test_scope_is_read_from_the_functions_arn() -> None:
    class Context:
        invoked_function_arn = "arn:aws:lambda:eu-west-1:111122223333:function:sweep"

    assert scope_of(Context()) == Scope("111122223333", "eu-west-1")  # type: ignore[arg-type]
