"""The state under test: the fake and the DynamoDB adapter in front of moto."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from runtime.adapters.state.documents import refuse
from runtime.adapters.state.state import DynamoDbState
from runtime.logic.ports import State
from tests.contract.state_table import TABLE_NAME, make_state_table
from tests.fakes import InMemoryState


@pytest.fixture(params=["in-memory", "dynamodb"])
def state(request: pytest.FixtureRequest) -> Iterator[State]:
    if request.param == "in-memory":
        yield InMemoryState()
        return
    with mock_aws():
        yield DynamoDbState(make_state_table(), TABLE_NAME, refuse)
