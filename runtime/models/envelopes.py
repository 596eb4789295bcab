"""The envelopes in which AWS hands events over, reduced to what is read."""

import json
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from runtime.models.scope import Scope

MGN_SOURCE = "aws.mgn"
MGN_DETAIL_TYPES = [
    "MGN Source Server Launch Result",
    "MGN Source Server Lifecycle State Change",
    "MGN Source Server Data Replication Stalled Change",
]
"""The events with documented payloads; all are best effort, so they wake and never decide."""


class Envelope(BaseModel):
    """Written by AWS: fields we do not know are ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="ignore", frozen=True, hide_input_in_errors=True, populate_by_name=True
    )


class EventEnvelope(Envelope):
    """One EventBridge event."""

    source: str
    id: str | None = None
    detail_type: str = Field(alias="detail-type")
    detail: dict[str, object] = {}
    account: str = ""
    region: str = ""
    time: datetime | None = None
    resources: tuple[str, ...] = ()

    @property
    def scope(self) -> Scope | None:
        """Account and Region the event comes from; targets forward theirs as they are."""
        return Scope(self.account, self.region) if self.account and self.region else None

    @property
    def source_servers(self) -> tuple[str, ...]:
        """The MGN source servers it names."""
        found = (arn.rpartition(":source-server/") for arn in self.resources)
        return tuple(server_id for _, kind, server_id in found if kind)

    @property
    def speaks_of_others(self) -> bool:
        """Whether a resource it names is not of the account and Region it comes from."""
        return any(arn.split(":")[3:5] != [self.region, self.account] for arn in self.resources)


def _parsed(text: object) -> object:
    return json.loads(text) if isinstance(text, str) else text


class ExecutionInput(Envelope):
    """The input of a migration's execution."""

    migration_id: str


class ExecutionEnded(Envelope):
    """Detail of `Step Functions Execution Status Change`; `input` arrives as JSON text."""

    execution_arn: str
    status: str
    input: Annotated[ExecutionInput, BeforeValidator(_parsed)]

    @property
    def migration_id(self) -> str:
        return self.input.migration_id


class StreamImage(Envelope):
    """The one attribute of a table item that is read from its stream."""

    document: dict[str, str]


class StreamChange(Envelope):
    """The `dynamodb` member of a stream record."""

    new_image: StreamImage = Field(alias="NewImage")


class StreamRecord(Envelope):
    """One record of the table's stream."""

    dynamodb: StreamChange

    @property
    def document(self) -> str:
        return self.dynamodb.new_image.document["S"]
