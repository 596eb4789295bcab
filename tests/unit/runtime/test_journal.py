"""Moves of a migration and the fold of its journal (I8)."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import IllegalMoveError, RecordChangedError
from runtime.logic.journal import begin, lock_held_by, move, note, rebuild
from runtime.models.mgn import LaunchTemplateRef
from runtime.models.record import Facts, JournalEntry, Launch, MigrationRecord
from runtime.models.status import MOVES, TERMINAL, MigrationStatus
from tests.builders import NOON, SCOPE, SERVER_ID, a_lock, a_request
from tests.fakes import FakePorts

S = MigrationStatus


def begun(ports: FakePorts) -> MigrationRecord:
    record, entry = begin(a_request(tags={"b": "2", "a": "1"}), correlation_id="cor-1", at=NOON)
    ports.migrations.append(record, entry)
    return record


launches = st.fixed_dictionaries(
    {"launch_id": st.text("0123456789abcdef", min_size=1, max_size=8), "job_id": st.just("mgnjob-1")},
    optional={"instance_id": st.just("i-1"), "verified": st.booleans()},
).map(Launch.model_validate)
some_facts = st.fixed_dictionaries(
    {},
    optional={
        "execution": st.just("exec-1"),
        "source_server_id": st.just(SERVER_ID),
        "scope": st.just(SCOPE),
        "launch_template": st.just(LaunchTemplateRef(launch_template_id="lt-1", default_version=3)),
        "test_launch": launches,
        "cutover_launch": launches,
        "undo_launch": launches,
        "undo_rounds": st.integers(0, 6),
        "commands": st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
        "failure": st.text(max_size=20),
    },
).map(Facts.model_validate)


@given(data=st.data())
def test_i8_record_is_the_fold_of_its_journal_after_any_legal_walk(data: st.DataObject) -> None:
    ports = FakePorts()
    record = begun(ports)
    for _ in range(data.draw(st.integers(0, 15))):
        choices = sorted(MOVES[record.status] | {record.status})
        target = data.draw(st.sampled_from(choices))
        ports.advance(data.draw(st.integers(0, 10_000)))
        record = move(ports, record, target, actor="test", reason=target, facts=data.draw(some_facts))
    journal = ports.migrations.journal("mig-1")
    assert rebuild(journal) == record == ports.migrations.record("mig-1")
    assert [entry.sequence for entry in journal] == list(range(1, len(journal) + 1))
    assert rebuild(JournalEntry.from_json(entry.to_json()) for entry in journal) == record
    assert MigrationRecord.from_json(record.to_json()) == record


ILLEGAL = [(before, after) for before in S for after in S if after is not before and after not in MOVES[before]]


@pytest.mark.parametrize(("before", "after"), ILLEGAL)
def test_illegal_move_raises_and_writes_nothing(ports: FakePorts, before: S, after: S) -> None:
    record = begun(ports).model_copy(update={"status": before})
    with pytest.raises(IllegalMoveError, match=f"{before} may not become {after}"):
        move(ports, record, after, actor="test", reason="why")
    assert len(ports.migrations.journal("mig-1")) == 1


def test_i7_terminal_statuses_lead_nowhere_and_every_other_can_reach_one() -> None:
    assert {status for status in S if not MOVES[status]} == TERMINAL
    for start in S:
        reached = {start}
        while more := {after for status in reached for after in MOVES[status]} - reached:
            reached |= more
        assert reached & TERMINAL


def test_move_to_the_present_status_without_news_writes_nothing(ports: FakePorts) -> None:
    first = move(ports, begun(ports), S.VALIDATING, actor="a", reason="claimed", facts=Facts(execution="e"))
    again = move(ports, first, S.VALIDATING, actor="a", reason="claimed", facts=Facts(execution="e"))
    assert again is first
    assert len(ports.migrations.journal("mig-1")) == 2


def test_i8_entry_says_what_from_to_who_when_why_under_which_correlation_id(ports: FakePorts) -> None:
    record = begun(ports)
    ports.advance(5)
    move(ports, record, S.VALIDATING, actor="validate_input", reason="claimed")
    entry = ports.migrations.journal("mig-1")[1]
    expected: tuple[Any, ...] = (S.RECEIVED, S.VALIDATING, "validate_input", "claimed", "cor-1", 2)
    assert (
        entry.from_status,
        entry.to_status,
        entry.actor,
        entry.reason,
        entry.correlation_id,
        entry.sequence,
    ) == expected
    assert entry.at == NOON + timedelta(seconds=5)


def test_note_adds_facts_and_keeps_the_status(ports: FakePorts) -> None:
    after = note(ports, begun(ports), Facts(lifecycle_before="READY_FOR_TEST"), actor="a", reason="seen")
    assert (after.status, after.lifecycle_before, after.sequence) == (S.RECEIVED, "READY_FOR_TEST", 2)
    assert not ports.migrations.journal("mig-1")[1].changes_status


def test_second_writer_of_the_same_record_is_refused(ports: FakePorts) -> None:
    record = begun(ports)
    move(ports, record, S.VALIDATING, actor="first", reason="r")
    with pytest.raises(RecordChangedError):
        move(ports, record, S.ROLLING_BACK, actor="second", reason="r")


def test_terminal_move_sets_the_expiry_and_drops_the_lock(ports: FakePorts) -> None:
    facts = Facts(scope=SCOPE, source_server_id=SERVER_ID)
    record = move(ports, begun(ports), S.VALIDATING, actor="a", reason="r", facts=facts)
    ports.migrations.lock(a_lock())
    ended = move(ports, record, S.REJECTED, actor="a", reason="r", unlock=lock_held_by(record, at=NOON))
    assert ended.expires_at == int(NOON.timestamp()) + 90 * 86_400
    assert ports.migrations.lock_of(SCOPE, SERVER_ID) is None


def test_unlock_leaves_the_lock_of_another_migration(ports: FakePorts) -> None:
    facts = Facts(scope=SCOPE, source_server_id=SERVER_ID)
    record = move(ports, begun(ports), S.VALIDATING, actor="a", reason="r", facts=facts)
    ports.migrations.lock(a_lock(owner="mig-2"))
    move(ports, record, S.REJECTED, actor="a", reason="r", unlock=lock_held_by(record, at=NOON))
    held = ports.migrations.lock_of(SCOPE, SERVER_ID)
    assert held is not None
    assert held.owner == "mig-2"


def test_migration_without_a_server_holds_no_lock(ports: FakePorts) -> None:
    assert lock_held_by(begun(ports), at=NOON) is None


def test_reason_longer_than_the_journal_takes_is_cut(ports: FakePorts) -> None:
    assert len(move(ports, begun(ports), S.VALIDATING, actor="a", reason="x" * 5_000).reason) == 2048


def test_empty_journal_has_no_record() -> None:
    assert rebuild(()) is None
