"""The HTTP door: the same request and decision as by queue, answered at once."""

import json
from datetime import timedelta
from typing import Any

import pytest

from runtime.errors import DecisionRefusedError, RequestConflictError, RequestError, UnknownMigrationError
from runtime.logic.http_door import decide, history, listed, show, submit
from runtime.logic.ingress import take
from runtime.models.decisions import Decision
from runtime.models.functions.environment import DecisionRules
from runtime.models.request import Gate, Mode
from runtime.models.status import MigrationStatus
from tests.builders import NOON, a_record, a_request
from tests.fakes import FakePorts
from tests.unit.runtime.stages import bring_to

ADA, BOB = "AROA0000000000000OPS:ada@example.com", "AROA0000000000000OPS:bob@example.com"
GATED: dict[str, Any] = {"test": False, "approval": {"cutover": True, "finalize": True}}


def body(**changes: object) -> str:
    return json.dumps({**json.loads(a_request().model_dump_json(exclude_unset=True)), **changes})


def the_decision(decision: str = "approve", **fields: object) -> str:
    return json.dumps({"decision": decision, "by": "ada", **fields})


def test_request_by_http_gives_the_record_that_the_queue_gives() -> None:
    by_queue, by_http = FakePorts(), FakePorts()
    take(by_queue, body(), message_id="message-1", retention_days=90, sender=ADA)
    accepted = submit(by_http, body(), sender=ADA)
    assert by_http.migrations.record("mig-1") == by_queue.migrations.record("mig-1")
    assert by_http.bus.published == by_queue.bus.published
    assert (accepted.migration_id, accepted.status) == ("mig-1", MigrationStatus.RECEIVED)


def test_same_request_again_has_the_same_answer_and_another_body_a_conflict() -> None:
    ports = FakePorts()
    assert submit(ports, body(), sender=ADA) == submit(ports, body(), sender=ADA)
    with pytest.raises(RequestConflictError, match="different: wave"):
        submit(ports, body(wave="2"), sender=ADA)


def test_refused_request_names_the_field_and_leaves_nothing_behind() -> None:
    ports = FakePorts()
    with pytest.raises(RequestError, match=r"instanceType: .*; sent 'huge'"):
        submit(ports, body(instanceType="huge"), sender=ADA)
    assert list(ports.migrations.rejections()) == []


def test_test_route_makes_a_test_of_the_request() -> None:
    ports = FakePorts()
    submit(ports, body(), sender=ADA, only_test=True)
    assert show(ports, "mig-1").request.mode is Mode.TEST
    submit(ports, body(migrationId="mig-2", mode="test"), sender=ADA, only_test=True)
    assert show(ports, "mig-2").request.mode is Mode.TEST


@pytest.mark.parametrize(("change", "told"), [({"mode": "migrate"}, "mode: migrate"), ({"test": False}, "test: false")])
def test_test_route_refuses_what_contradicts_it(change: dict[str, object], told: str) -> None:
    with pytest.raises(RequestError, match=f"^{told} contradicts /migrations/test"):
        submit(FakePorts(), body(**change), sender=ADA, only_test=True)


def test_i14_decision_is_kept_with_the_caller_that_the_gateway_named() -> None:
    ports = bring_to("windowed", **GATED)
    decided = decide(ports, "mig-1", the_decision(gate="finalize"), sender=ADA, message_id="request-1")
    (kept,) = ports.decisions.of("mig-1")
    assert decided.result == "taken"
    assert (kept.decision, kept.gate, kept.sender, kept.message_id) == (
        Decision.APPROVE,
        Gate.FINALIZE,
        ADA,
        "request-1",
    )


def test_i14_rules_of_the_stage_refuse_by_http_too() -> None:
    ports = bring_to("windowed", **GATED)
    ports.decision_rules = DecisionRules(requester_may_approve=False)
    submit(ports, body(migrationId="mig-2", sourceVmId="other", **GATED), sender=ADA)
    with pytest.raises(DecisionRefusedError, match="another person has to"):
        decide(ports, "mig-2", the_decision(gate="cutover"), sender=ADA)
    assert decide(ports, "mig-2", the_decision(gate="cutover"), sender=BOB).result == "taken"


def test_decision_that_comes_too_late_is_a_conflict_and_says_why() -> None:
    ports = bring_to("windowed", **GATED)
    decide(ports, "mig-1", the_decision(gate="cutover"), sender=ADA)
    with pytest.raises(RequestConflictError, match="decided before"):
        decide(ports, "mig-1", the_decision(gate="cutover"), sender=ADA)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (the_decision("perhaps"), "decision: .*'perhaps'"),
        (the_decision(migrationId="mig-2"), "migrationId: unknown field"),
        ("{", "body is not JSON"),
    ],
)
def test_decision_that_is_none_names_the_field(sent: str, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        decide(bring_to("windowed", **GATED), "mig-1", sent, sender=ADA)


def test_unknown_migration_is_told_by_every_route() -> None:
    ports = FakePorts()
    for ask in (
        lambda: show(ports, "mig-1"),
        lambda: history(ports, "mig-1"),
        lambda: decide(ports, "mig-1", the_decision("cancel"), sender=ADA),
    ):
        with pytest.raises(UnknownMigrationError, match="there is no migration mig-1"):
            ask()


def test_journal_is_the_whole_history() -> None:
    ports = bring_to("windowed", **GATED)
    assert history(ports, "mig-1").entries == ports.migrations.journal("mig-1")


def test_list_goes_on_where_the_page_before_ended() -> None:
    ports = FakePorts()
    for number in range(5):
        record = a_record(f"mig-{number}", updated_at=NOON + timedelta(minutes=number))
        ports.migrations.records[record.migration_id] = record
    seen: list[str] = []
    token: str | None = None
    while True:
        page = listed(ports, {"wave": "1", "limit": "2", **({"next": token} if token else {})})
        assert len(page.migrations) <= 2
        seen += [each.migration_id for each in page.migrations]
        token = page.next
        if token is None:
            break
    assert sorted(seen) == [f"mig-{number}" for number in range(5)]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({}, "name wave, application or status"),
        ({"status": "DONE"}, "status: .*'DONE'"),
        ({"wave": "1", "limit": "0"}, "limit: "),
        ({"wave": "1", "next": "%%%"}, "next: was not given by an answer"),
        ({"wave": "1", "colour": "red"}, "colour: unknown field"),
    ],
)
def test_list_refuses_what_it_cannot_answer(query: dict[str, str], told: str) -> None:
    with pytest.raises(RequestError, match=told):
        listed(FakePorts(), query)
