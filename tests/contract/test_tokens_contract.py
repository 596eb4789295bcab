"""What every Tokens does: the fake, and the adapter in front of moto's DynamoDB."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from moto import mock_aws

from runtime.adapters.state.tokens import DynamoDbTokens
from runtime.logic.ports import Tokens
from runtime.models.table import TTL_ATTRIBUTE
from tests.builders import NOON
from tests.contract.state_table import TOKEN_TABLE_NAME, make_token_table
from tests.fakes import InMemoryTokens

LATER = NOON + timedelta(days=366)


@pytest.fixture(params=["fake", "dynamodb"])
def tokens(request: pytest.FixtureRequest) -> Iterator[Tokens]:
    if request.param == "fake":
        yield InMemoryTokens()
        return
    with mock_aws():
        yield DynamoDbTokens(make_token_table(), TOKEN_TABLE_NAME)


def test_token_is_found_under_its_key_which_does_not_tell_it(tokens: Tokens) -> None:
    keys = [tokens.keep(token, LATER) for token in ("s3cr3t-1", "s3cr3t-2")]
    assert [tokens.token(key) for key in keys] == ["s3cr3t-1", "s3cr3t-2"]
    assert not [key for key in keys if "s3cr3t" in key]


def test_token_kept_twice_has_one_key(tokens: Tokens) -> None:
    assert tokens.keep("s3cr3t", LATER) == tokens.keep("s3cr3t", LATER)


def test_key_of_no_token_opens_nothing(tokens: Tokens) -> None:
    assert tokens.token("key-7") is None


def test_token_expires() -> None:
    with mock_aws():
        client = make_token_table()
        DynamoDbTokens(client, TOKEN_TABLE_NAME).keep("s3cr3t", LATER)
        (item,) = client.scan(TableName=TOKEN_TABLE_NAME)["Items"]
        assert item[TTL_ATTRIBUTE] == {"N": str(int(LATER.timestamp()))}
