"""The signing key is read once and again after a while, and shows itself nowhere."""

from typing import Any

import pytest
from moto import mock_aws

from runtime.adapters.messages.secrets import FRESH_SECONDS, StoredSecret
from tests.contract.aws import aws


@pytest.fixture(autouse=True)
def _secret() -> Any:
    with mock_aws():
        aws("secretsmanager").create_secret(Name="signing", SecretString="first")
        yield


def test_rotated_secret_is_used_after_a_while() -> None:
    ticks = 0.0
    secret = StoredSecret(aws("secretsmanager"), "signing", ticks=lambda: ticks)
    assert secret() == "first"
    aws("secretsmanager").put_secret_value(SecretId="signing", SecretString="second")
    ticks = FRESH_SECONDS
    assert secret() == "first"
    ticks = FRESH_SECONDS + 1
    assert secret() == "second"


def test_secret_does_not_print_itself() -> None:
    secret = StoredSecret(aws("secretsmanager"), "signing")
    assert secret() not in repr(secret)
