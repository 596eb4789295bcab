"""What every Decisions does: the fake and the DynamoDB adapter. Signals by migration and name."""

from datetime import timedelta

from runtime.logic.ports import State
from runtime.models.decisions import Decision, RefusedDecision
from runtime.models.record import LaunchKind
from runtime.models.request import Gate
from runtime.models.waits import LaunchIntent, Outcome
from tests.builders import NOON, a_signal, a_wait
from tests.contract.rivals import at_once

DONE = Outcome(reason="launched")
ASKING = a_wait(intent=LaunchIntent(kind=LaunchKind.TEST, wave="1"))
JOB_END = NOON + timedelta(hours=5)


class TestSignals:
    def test_first_signal_of_a_name_wins(self, state: State) -> None:
        approve = a_signal(Decision.APPROVE, gate=Gate.CUTOVER)
        assert state.decisions.keep(approve)
        assert not state.decisions.keep(a_signal(Decision.REJECT, gate=Gate.CUTOVER, by="eve@example.com"))
        assert state.decisions.of("mig-1") == (approve,)

    def test_signal_from_before_the_request_gives_way_to_one_that_came_since(self, state: State) -> None:
        old, new = a_signal(gate=Gate.CUTOVER), a_signal(gate=Gate.CUTOVER, at=NOON + timedelta(hours=2))
        accepted = NOON + timedelta(hours=1)
        assert state.decisions.keep(old)
        assert state.decisions.keep(new, since=accepted)
        assert not state.decisions.keep(a_signal(Decision.REJECT, gate=Gate.CUTOVER, at=new.at), since=accepted)
        assert state.decisions.of("mig-1") == (new,)

    def test_signals_come_oldest_first(self, state: State) -> None:
        finalize = a_signal(gate=Gate.FINALIZE, at=NOON)
        cancel = a_signal(Decision.CANCEL, at=NOON + timedelta(hours=1))
        cutover = a_signal(gate=Gate.CUTOVER, at=NOON + timedelta(hours=2))
        for signal in (cutover, cancel, finalize):
            assert state.decisions.keep(signal)
        assert state.decisions.of("mig-1") == (finalize, cancel, cutover)

    def test_ten_senders_of_one_name_have_one_winner(self, state: State) -> None:
        signals = [a_signal(gate=Gate.CUTOVER, by=f"person-{n}") for n in range(10)]
        kept = at_once([lambda signal=signal: state.decisions.keep(signal) for signal in signals])  # type: ignore[misc]
        assert kept.count(True) == 1
        assert state.decisions.of("mig-1") == (signals[kept.index(True)],)

    def test_refused_decision_is_kept_once_for_each_sender_and_never_among_those_that_count(self, state: State) -> None:
        refused = [
            RefusedDecision(**a_signal(gate=Gate.CUTOVER, sender=sender).model_dump(), why="not theirs to give")
            for sender in ("AROA1:ada", "AROA1:ada", None)
        ]
        assert [state.decisions.refuse(each) for each in refused] == [True, False, True]
        assert sorted(each.who for each in state.decisions.refused("mig-1")) == [
            "ada@example.com (AROA1:ada)",
            "ada@example.com (unverified)",
        ]
        assert state.decisions.of("mig-1") == ()
        assert state.decisions.keep(a_signal(gate=Gate.CUTOVER, sender="AROA1:bob"))
        assert [signal.sender for signal in state.decisions.of("mig-1")] == ["AROA1:bob"]

    def test_signal_needs_no_migration(self, state: State) -> None:
        assert state.decisions.keep(a_signal(migration_id="mig-unknown"))
        assert state.decisions.of("mig-1") == ()
