"""SSM commands are sent once: the intent is journaled before, and a lost answer is resolved by reading."""

import pytest

from runtime.errors import CheckFailedError, CheckPendingError, ServiceUnavailableError
from runtime.logic.steps.commands import comment_of
from runtime.logic.steps.prepare_source import prepare_launch
from runtime.models.functions.steps import PrepareSource
from runtime.models.request import Phase
from tests.fakes import FakePorts
from tests.unit.runtime.stages import MIGRATION_ID, a_step, bring_to, the_record

COMMAND = {"instance_id": "mi-11111111", "document": "Quiesce"}


def prepare(ports: FakePorts) -> None:
    prepare_launch(a_step(PrepareSource, phase=Phase.TEST), Phase.TEST, ports)


def begun() -> FakePorts:
    return bring_to("replicating", pre_migration_command=COMMAND)


def losing_answer(ports: FakePorts, *, after_effect: bool) -> None:
    """The next SendCommand gets no answer; it had its effect or it had not."""
    send = ports.commands.send

    def lost(*arguments: object) -> str:
        ports.commands.send = send  # type: ignore[method-assign]
        if after_effect:
            send(*arguments)  # type: ignore[arg-type]
        raise ServiceUnavailableError("no usable answer")

    ports.commands.send = lost  # type: ignore[method-assign, assignment]
    with pytest.raises(ServiceUnavailableError):
        prepare(ports)


def test_command_whose_answer_was_lost_is_found_and_not_sent_again() -> None:
    ports = begun()
    losing_answer(ports, after_effect=True)
    prepare(ports)
    assert len(ports.commands.sent) == 1
    assert the_record(ports).commands == {"pre-migration": "command-1"}


def test_command_that_never_arrived_is_sent_again_once_that_is_beyond_doubt() -> None:
    ports = begun()
    losing_answer(ports, after_effect=False)
    for _ in range(2):
        with pytest.raises(CheckPendingError, match="may have been sent; looking for it"):
            prepare(ports)
        ports.advance(ports.budgets.request_life / 2)
    assert ports.commands.sent == []
    prepare(ports)
    assert len(ports.commands.sent) == 1


def test_intent_is_journaled_before_the_command_is_sent() -> None:
    ports = begun()
    losing_answer(ports, after_effect=True)
    assert set(the_record(ports).commands_intended or {}) == {"pre-migration"}
    assert ports.migrations.journal(MIGRATION_ID)[-1].reason == "about to send Quiesce on mi-11111111"


def test_node_that_cannot_be_reached_is_tried_again_until_the_budget_for_checks_is_used_up() -> None:
    ports = begun()

    def refuse(*_: object) -> str:
        raise CheckPendingError("SSM refused Quiesce on mi-11111111: InvalidInstanceId")

    ports.commands.send = refuse  # type: ignore[method-assign, assignment]
    with pytest.raises(CheckPendingError, match="InvalidInstanceId"):
        prepare(ports)
    ports.advance(ports.budgets.checks)
    with pytest.raises(CheckFailedError, match="InvalidInstanceId, since"):
        prepare(ports)


@pytest.mark.parametrize("migration_id", ["m", "m" * 80])
def test_comment_is_the_commands_own_and_fits(migration_id: str) -> None:
    comments = {comment_of(id_, key) for id_ in (migration_id, f"{migration_id}x"[:80]) for key in ("one", "two")}
    assert max(map(len, comments)) <= 100
    assert len(comments) == (2 if len(migration_id) == 80 else 4)
