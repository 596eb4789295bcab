"""The state table behind the State port, each entity made on first use."""

from functools import cached_property
from typing import TYPE_CHECKING

from runtime.adapters.state.documents import Report
from runtime.adapters.state.table import StateTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from runtime.adapters.state.decisions import DynamoDbDecisions
    from runtime.adapters.state.dispatches import DynamoDbDispatches
    from runtime.adapters.state.migrations import DynamoDbMigrations
    from runtime.adapters.state.waits import DynamoDbWaits


class DynamoDbState:
    """One table. Every list that comes through an index may lag it by a moment."""

    def __init__(self, client: "DynamoDBClient", table_name: str, report: Report) -> None:
        """`report` is told of every document in a list that this release cannot read."""
        self._table = StateTable(client, table_name)
        self._report = report

    @cached_property
    def migrations(self) -> "DynamoDbMigrations":
        from runtime.adapters.state.migrations import DynamoDbMigrations

        return DynamoDbMigrations(self._table, self._report)

    @cached_property
    def waits(self) -> "DynamoDbWaits":
        from runtime.adapters.state.waits import DynamoDbWaits

        return DynamoDbWaits(self._table, self._report)

    @cached_property
    def dispatches(self) -> "DynamoDbDispatches":
        from runtime.adapters.state.dispatches import DynamoDbDispatches

        return DynamoDbDispatches(self._table)

    @cached_property
    def decisions(self) -> "DynamoDbDecisions":
        from runtime.adapters.state.decisions import DynamoDbDecisions

        return DynamoDbDecisions(self._table, self._report)
