"""What every Wakes does: the fake, and the wake queue on moto's SQS."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.stub import Stubber
from moto import mock_aws

from runtime.adapters.messages.wakes import LONGEST_DELAY, WakeQueue
from runtime.errors import ServiceUnavailableError, ThrottledError
from runtime.logic.ports import Wakes
from runtime.models.scope import Wake
from tests.builders import SCOPE, TARGET_SCOPE
from tests.contract.aws import aws
from tests.fakes import FakeWakes

World = tuple[Wakes, Callable[[], list[str]]]


@pytest.fixture(params=["fake", "sqs"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        fake = FakeWakes()
        yield fake, lambda: [str(scope) for scope, after in fake.sent if not after]
        return
    with mock_aws():
        sqs = aws("sqs")
        url = sqs.create_queue(QueueName="wakes")["QueueUrl"]
        yield WakeQueue(sqs, url), lambda: [message["Body"] for message in received(url)]


def received(url: str) -> list[Any]:
    found: list[Any] = aws("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return found


def test_wake_names_the_account_and_region(world: World) -> None:
    wakes, seen = world
    wakes.wake(SCOPE)
    wakes.wake(TARGET_SCOPE)
    assert sorted(seen()) == sorted([str(SCOPE), str(TARGET_SCOPE)])


def test_wake_for_everything_says_so_and_older_ones_are_understood() -> None:
    with Stubber(aws("sqs")) as stubber:
        body = Wake(SCOPE, everything=True).to_text()
        asked: Any = {"QueueUrl": "queue", "MessageBody": body, "DelaySeconds": 0}
        stubber.add_response("send_message", {}, asked)
        WakeQueue(aws("sqs"), "queue").wake(SCOPE, everything=True)
    assert Wake.parse(body) == Wake(SCOPE, everything=True)
    assert Wake.parse(str(SCOPE)) == Wake(SCOPE)


def test_wake_for_later_does_not_come_now(world: World) -> None:
    wakes, seen = world
    wakes.wake(SCOPE, after=30)
    assert seen() == []


@pytest.mark.parametrize(
    ("after", "seconds"),
    [(0, 0), (0.001, 1), (1, 1), (1.2, 2), (2.0, 2), (900, 900), (901, LONGEST_DELAY), (86_400, LONGEST_DELAY)],
)
def test_delay_is_whole_seconds_never_less_than_asked_and_within_what_sqs_takes(after: float, seconds: int) -> None:
    with Stubber(aws("sqs")) as stubber:
        asked: Any = {"QueueUrl": "queue", "MessageBody": str(SCOPE), "DelaySeconds": seconds}
        stubber.add_response("send_message", {}, asked)
        WakeQueue(aws("sqs"), "queue").wake(SCOPE, after=after)
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [("RequestThrottled", 400, ThrottledError), ("InternalError", 500, ServiceUnavailableError)],
)
def test_refusal_of_sqs_heals_by_waiting(code: str, status: int, error: type[Exception]) -> None:
    with Stubber(aws("sqs")) as stubber:
        stubber.add_client_error("send_message", code, http_status_code=status)
        with pytest.raises(error):
            WakeQueue(aws("sqs"), "queue").wake(SCOPE)
