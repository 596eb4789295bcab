"""dispatch_launches as a function: which wakes lead to a look, and when it wakes itself again."""

from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest

from runtime.errors import ServiceUnavailableError, TargetAccountError, ThrottledError
from runtime.handlers import dispatch_launches
from runtime.logic.dispatch.looking import PATIENCE
from runtime.models.dispatch import Looked
from runtime.models.functions.environment import Budgets
from runtime.models.request import Phase
from runtime.models.scope import Scope
from runtime.models.waits import Outcome, WaitKind
from runtime.observability import logger, metrics
from tests.builders import JOB_ID, NOON, SCOPE, SERVER_ID, TARGET_SCOPE, a_job, a_server, a_wait
from tests.fakes import FakeMgn, FakePorts, FakeResumer

MOMENT = timedelta(milliseconds=1)


class Context:
    function_name = "dispatch_launches"
    memory_limit_in_mb = 512
    aws_request_id = "request"
    invoked_function_arn = "arn:aws:lambda:us-east-1:111122223333:function:dispatch_launches"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 60_000


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> FakePorts:
    """An account in which a launch ended, and a target."""
    ports = FakePorts(FakeMgn(a_server()), budgets=Budgets(look=2), targets=(TARGET_SCOPE,))
    ports.mgn.started.append(a_job(launch_status="LAUNCHED"))
    ports.waits.park(a_wait(job_id=JOB_ID, token="launched"))
    monkeypatch.setattr(metrics.provider, "namespace", "Migrations")
    monkeypatch.setattr(dispatch_launches, "aws_ports", lambda environment, scope: ports.at(scope))
    return ports


def receive(*wakes: tuple[Scope, datetime], at: datetime = NOON, time: int = 1) -> list[str]:
    """Hand wakes sent at these moments over, first received at one; the numbers of those that failed.

    `time` says how many times they have been received, with this one.
    """
    records = [
        {
            "messageId": str(number),
            "body": str(scope),
            "attributes": {
                "SentTimestamp": str(round(sent.timestamp() * 1_000)),
                "ApproximateFirstReceiveTimestamp": str(round(at.timestamp() * 1_000)),
                "ApproximateReceiveCount": str(time),
            },
        }
        for number, (scope, sent) in enumerate(wakes)
    ]
    context: Any = Context()
    answer: Any = dispatch_launches.handler({"Records": records}, context)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def boot(ports: FakePorts) -> None:
    """Park a boot that goes on."""
    ports.mgn.add(a_server(state="TESTING", job_id=JOB_ID, first_boot="WAITING"))
    ports.waits.park(a_wait("boot-test", kind=WaitKind.BOOT, phase=Phase.TEST, job_id=JOB_ID))


def test_wake_looks_at_its_account_and_region_and_remembers_when(ports: FakePorts) -> None:
    assert receive((SCOPE, NOON), at=NOON + MOMENT) == []
    assert list(ports.resumer.resumed) == ["launched"]
    assert ports.dispatches.last_look(SCOPE).at == NOON + MOMENT
    assert ports.dispatches.last_look(TARGET_SCOPE).at is None
    assert ports.wakes.sent == []


def test_many_wakes_at_once_are_one_look(ports: FakePorts) -> None:
    boot(ports)
    receive(*[(SCOPE, NOON + number * MOMENT) for number in range(10)], at=NOON + timedelta(seconds=1))
    assert ports.mgn.calls.count("jobs") == 1


@pytest.mark.parametrize(
    ("sent", "looks"),
    [(NOON - MOMENT, False), (NOON, True), (NOON + MOMENT, True)],
)
def test_wake_sent_before_the_last_look_began_is_skipped(ports: FakePorts, sent: datetime, looks: bool) -> None:
    ports.dispatches.looked(SCOPE, Looked(at=NOON))
    receive((SCOPE, sent))
    assert bool(ports.resumer.resumed) is looks


def test_any_wake_sent_since_leads_to_a_look(ports: FakePorts) -> None:
    ports.dispatches.looked(SCOPE, Looked(at=NOON))
    receive((SCOPE, NOON + MOMENT), (SCOPE, NOON - timedelta(hours=1)))
    assert list(ports.resumer.resumed) == ["launched"]


def test_what_came_during_a_look_is_looked_at_again(ports: FakePorts) -> None:
    receive((SCOPE, NOON), at=NOON + MOMENT)
    boot(ports)
    receive((SCOPE, NOON + MOMENT), at=NOON + timedelta(seconds=10))
    assert ports.mgn.calls.count("jobs") == 2


def test_clock_of_the_function_plays_no_part_in_what_is_skipped(ports: FakePorts) -> None:
    ports.advance(3_600)
    receive((SCOPE, NOON))
    boot(ports)
    receive((SCOPE, NOON + MOMENT), at=NOON + MOMENT)
    assert ports.mgn.calls.count("jobs") == 2


def test_open_boot_is_looked_at_again_by_itself(ports: FakePorts) -> None:
    boot(ports)
    receive((SCOPE, NOON))
    assert ports.wakes.sent == [(SCOPE, 2)]


@pytest.mark.parametrize("error", [ThrottledError("slow down"), ServiceUnavailableError("no answer")])
def test_look_in_vain_is_repeated_soon(ports: FakePorts, error: Any) -> None:
    ports.mgn.failures["jobs"] = [error]
    assert receive((SCOPE, NOON)) == []
    assert ports.wakes.sent == [(SCOPE, 2)]
    receive((SCOPE, NOON + MOMENT), at=NOON + timedelta(seconds=2))
    assert list(ports.resumer.resumed) == ["launched"]


def test_i7_looks_in_vain_that_began_nothing_for_an_hour_are_left_to_the_sweep(ports: FakePorts) -> None:
    ports.advance(PATIENCE.total_seconds())
    ports.mgn.failures["jobs"] = [ThrottledError("slow down")]
    assert receive((SCOPE, NOON)) == []
    assert ports.wakes.sent == []


def test_burst_of_wakes_while_mgn_throttles_is_one_look_and_one_wake(ports: FakePorts) -> None:
    ports.mgn.failures["jobs"] = [ThrottledError("slow down")] * 10
    receive(*[(SCOPE, NOON + number * MOMENT) for number in range(10)], at=NOON + timedelta(seconds=1))
    assert (ports.mgn.calls.count("jobs"), ports.wakes.sent) == (1, [(SCOPE, 2)])


def test_account_that_lets_nobody_in_hands_its_wake_back_and_keeps_no_other_waiting(ports: FakePorts) -> None:
    there = ports.at(TARGET_SCOPE)
    there.mgn.failures["jobs"] = [TargetAccountError("refused")]
    ports.waits.park(a_wait(migration_id="mig-2", scope=TARGET_SCOPE, job_id=JOB_ID, source_server_id=SERVER_ID))
    assert receive((TARGET_SCOPE, NOON), (SCOPE, NOON)) == ["0"]
    assert list(ports.resumer.resumed) == ["launched"]


class Poisoned(FakeResumer):
    """Cannot resume anybody."""

    def resume(self, token: str, outcome: Outcome) -> bool:
        raise ValueError(f"Step Functions cannot read {token}")


def test_i1_wake_whose_wait_cannot_be_resumed_is_handed_back_and_looks_again(ports: FakePorts) -> None:
    ports.resumer = Poisoned()
    assert receive((SCOPE, NOON), at=NOON + MOMENT) == ["0"]
    assert ports.wakes.sent == []
    ports.resumer = FakeResumer()
    assert receive((SCOPE, NOON), at=NOON + MOMENT, time=2) == []
    assert list(ports.resumer.resumed) == ["launched"]


def test_failed_look_that_wakes_itself_again_is_not_handed_back_as_well(ports: FakePorts) -> None:
    boot(ports)
    ports.resumer = Poisoned()
    assert receive((SCOPE, NOON), at=NOON + MOMENT) == []
    assert (ports.wakes.sent, ports.dispatches.last_look(SCOPE).at) == ([(SCOPE, 2)], NOON + MOMENT)


def test_failures_are_counted_and_logged_without_a_token(
    ports: FakePorts, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", lines)
    boot(ports)
    ports.resumer = Poisoned()
    receive((SCOPE, NOON))
    assert '"LookFailures":[1.0]' in capsys.readouterr().out.replace(" ", "")
    assert '"error":"ValueError"' in lines.getvalue()
    assert "launched" not in lines.getvalue().replace('"launched":0', "")


@pytest.mark.parametrize("seen", [NOON, NOON + timedelta(hours=1)])
def test_late_repetition_does_not_turn_back_what_has_been_seen(ports: FakePorts, seen: datetime) -> None:
    ports.dispatches.looked(SCOPE, Looked(at=seen))
    receive((SCOPE, NOON - MOMENT), at=NOON - MOMENT, time=2)
    assert ports.dispatches.last_look(SCOPE).at == seen


def test_each_account_is_judged_by_its_own_mgn(ports: FakePorts) -> None:
    ports.at(TARGET_SCOPE).mgn.started.append(a_job(launch_status="FAILED"))
    ports.waits.park(a_wait(scope=TARGET_SCOPE, job_id=JOB_ID, token="failed"))
    receive((SCOPE, NOON), (TARGET_SCOPE, NOON))
    assert {token: outcome.error for token, outcome in ports.resumer.resumed.items()} == {
        "launched": None,
        "failed": "LaunchFailedError",
    }
