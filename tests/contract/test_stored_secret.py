"""The signing secret is read once and again after a while, overlaps with the one before, and shows itself nowhere."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from moto import mock_aws

from runtime.adapters.messages.secrets import FRESH, OVERLAP, StoredSecret
from tests.contract.aws import aws

MOMENT = timedelta(seconds=1)


class Clock:
    """Beside AWS's: a version is as old as this says."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture(autouse=True)
def _secret() -> Any:
    with mock_aws():
        aws("secretsmanager").create_secret(Name="signing", SecretString="first")
        yield


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def secret(clock: Clock) -> StoredSecret:
    return StoredSecret(aws("secretsmanager"), "signing", clock)


def rotate() -> None:
    aws("secretsmanager").put_secret_value(SecretId="signing", SecretString="second")


def test_secret_that_was_never_rotated_is_alone(secret: StoredSecret) -> None:
    assert secret() == ("first",)


def test_rotated_secret_is_used_after_a_while_and_beside_the_one_before(secret: StoredSecret, clock: Clock) -> None:
    assert secret() == ("first",)
    rotate()
    assert secret() == ("first",)
    clock.ahead = FRESH + MOMENT
    assert secret() == ("second", "first")


def test_previous_secret_no_longer_signs_when_the_overlap_is_over(secret: StoredSecret, clock: Clock) -> None:
    rotate()
    assert secret() == ("second", "first")
    clock.ahead = OVERLAP + MOMENT
    assert secret() == ("second",)


def test_secret_does_not_print_itself(secret: StoredSecret) -> None:
    assert secret()[0] not in repr(secret)
