"""The stores under test: the fake and the DynamoDB adapter in front of moto."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from runtime.adapters.state.store import DynamoDbMigrationStore
from runtime.logic.ports import MigrationStore
from tests.contract.state_table import TABLE_NAME, make_state_table
from tests.fakes import InMemoryStore


@pytest.fixture(params=["in-memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Iterator[MigrationStore]:
    if request.param == "in-memory":
        yield InMemoryStore()
        return
    with mock_aws():
        yield DynamoDbMigrationStore(make_state_table(), TABLE_NAME)
