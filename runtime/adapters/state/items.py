"""How models lie in the state table: keys, index attributes and conditions beside the whole model as JSON.

| Item      | pk                      | sk            | besides `document`                                    |
|-----------|-------------------------|---------------|-------------------------------------------------------|
| record    | MIGRATION#<id>          | RECORD        | wave, application, status, updatedAt, sequence         |
| journal   | MIGRATION#<id>          | JOURNAL#<n>   |                                                       |
| signal    | MIGRATION#<id>          | SIGNAL#<name> |                                                       |
| refused   | MIGRATION#<id>          | REFUSED#<name> |                                                      |
| wait      | SCOPE#<scope>           | WAIT#<id>#<name> |                                                    |
| lane      | SCOPE#<scope>           | LANE#<lane>#<id>#<name> | wait, and no `document`                     |
| dispatch  | SCOPE#<scope>           | DISPATCH      | version                                               |
| last look | SCOPE#<scope>           | LOOKED        |                                                       |
| lock      | SERVER#<scope>#<server> | LOCK          | owner                                                 |
| requests  | REQUESTS#<scope>#<shard> | <second>     | used; no `document`                                   |
| begins    | SENDER#<sender>         | <minute>      | used; no `document`                                   |
| sweeps    | SWEEPS                  | COUNT         | count, and no `document`                              |
| rejection | REJECTION#<message id>  | RECORD        | status (a value no migration has), updatedAt          |

`expiresAt` is on rejections, signals, refused decisions and requests from the start, and on everything a migration left
once it has ended.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from runtime.models.base import Model
from runtime.models.decisions import RefusedDecision, Signal
from runtime.models.dispatch import Dispatch, Looked
from runtime.models.record import JournalEntry, Lock, MigrationRecord, Position, Rejection
from runtime.models.scope import Scope
from runtime.models.table import (
    DOCUMENT,
    INDEXES,
    JOURNAL_PREFIX,
    MIGRATION_PARTITION,
    PARTITION_KEY,
    REJECTION_PARTITION,
    SORT_KEY,
    TTL_ATTRIBUTE,
    Index,
)
from runtime.models.waits import Wait

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    Item = dict[str, AttributeValueTypeDef]

RECORD = "RECORD"
LOCK = "LOCK"
WAIT_PREFIX = "WAIT#"
LANE_PREFIX = "LANE#"
WAIT = "wait"
"""The sort key of the wait that stands in a lane."""
LAST = "\uffff"
"""Sorts behind every key that goes on differently."""

SIGNAL_PREFIX = "SIGNAL#"
REFUSED_PREFIX = "REFUSED#"
"""Not among the signals: a release that does not know of refusals would take one for an approval."""
DISPATCH = "DISPATCH"
LOOKED = "LOOKED"
"""Beside the LAST_LOOK of earlier releases, which was a bare moment."""
SWEEPS = "SWEEPS"
COUNT = "COUNT"
NUMBER = "count"
SEQUENCE = "sequence"
VERSION = "version"
OWNER = "owner"

REJECTED_MESSAGE = "STORED_REJECTION"
"""Stands where a migration has its status, so the status-time index lists rejections and never mixes the two."""

SIGNAL_RETENTION = timedelta(days=400)
"""Longer than any migration waits: a signal may come long before its wait, or for a migration that never is."""


def migration_key(migration_id: str) -> str:
    return f"{MIGRATION_PARTITION}{migration_id}"


def journal_key(sequence: int) -> str:
    return f"{JOURNAL_PREFIX}{sequence:06d}"


def lock_key(scope: Scope, source_server_id: str) -> str:
    return f"SERVER#{scope}#{source_server_id}"


def scope_key(scope: Scope) -> str:
    return f"SCOPE#{scope}"


def requests_key(scope: Scope, second: int, shard: int) -> "Item":
    return key(f"REQUESTS#{scope}#{shard}", str(second))


def begins_key(sender: str, minute: int) -> "Item":
    return key(f"SENDER#{sender}", str(minute))


def wait_prefix(migration_id: str) -> str:
    return f"{WAIT_PREFIX}{migration_id}#"


def wait_key(wait: Wait) -> str:
    return f"{wait_prefix(wait.migration_id)}{wait.name}"


def key(partition: str, sort: str) -> "Item":
    return {PARTITION_KEY: {"S": partition}, SORT_KEY: {"S": sort}}


def record_item(record: MigrationRecord) -> "Item":
    indexed = {
        **_indexed(Index.WAVE_STATUS, record.request.wave, record.status),
        **_indexed(Index.APPLICATION_STATUS, record.request.app_name, record.status),
        **_indexed(Index.STATUS_TIME, record.status, sortable(record.updated_at)),
    }
    item = _item(migration_key(record.migration_id), RECORD, record, record.expires_at)
    return {**item, **indexed, SEQUENCE: {"N": str(record.sequence)}}


def index_key(index: Index, partition: str, position: Position) -> "Item":
    """The key an index has of a record at this place."""
    sort = sortable(position.updated_at) if index is Index.STATUS_TIME else position.status
    return {**key(migration_key(position.migration_id), RECORD), **_indexed(index, partition, sort)}


def journal_item(entry: JournalEntry) -> "Item":
    return _item(migration_key(entry.migration_id), journal_key(entry.sequence), entry, entry.facts.expires_at)


def wait_item(wait: Wait) -> "Item":
    return _item(scope_key(wait.scope), wait_key(wait), wait)


def lane_prefix(lane: str) -> str:
    return f"{LANE_PREFIX}{lane}#"


def lane_key(wait: Wait, lane: str) -> "Item":
    return key(scope_key(wait.scope), f"{lane_prefix(lane)}{wait.migration_id}#{wait.name}")


def lane_item(wait: Wait, lane: str) -> "Item":
    return {**lane_key(wait, lane), WAIT: {"S": wait_key(wait)}}


def lane_of(item: "Item") -> str:
    return item[SORT_KEY]["S"].removeprefix(LANE_PREFIX).rsplit("#", 2)[0]


def dispatch_item(state: Dispatch) -> "Item":
    return {**_item(scope_key(state.scope), DISPATCH, state), VERSION: {"N": str(state.version)}}


def look_item(scope: Scope, looked: Looked) -> "Item":
    return _item(scope_key(scope), LOOKED, looked)


def signal_item(signal: Signal) -> "Item":
    return _decision_item(SIGNAL_PREFIX, signal)


def refused_item(refused: RefusedDecision) -> "Item":
    return _decision_item(REFUSED_PREFIX, refused)


def lock_item(lock: Lock) -> "Item":
    return {**_item(lock_key(lock.scope, lock.source_server_id), LOCK, lock), OWNER: {"S": lock.owner}}


def rejection_key(message_id: str) -> str:
    return f"{REJECTION_PARTITION}{message_id}"


def rejection_item(rejection: Rejection) -> "Item":
    item = _item(rejection_key(rejection.message_id), RECORD, rejection, rejection.expires_at)
    return {**item, **_indexed(Index.STATUS_TIME, REJECTED_MESSAGE, sortable(rejection.at))}


def document(item: "Item") -> str:
    return item[DOCUMENT]["S"]


def _decision_item(prefix: str, signal: Signal) -> "Item":
    expires_at = int((signal.at + SIGNAL_RETENTION).timestamp())
    return _item(migration_key(signal.migration_id), f"{prefix}{signal.name}", signal, expires_at)


def _item(partition: str, sort: str, model: Model, expires_at: int | None = None) -> "Item":
    item: Item = {**key(partition, sort), DOCUMENT: {"S": model.to_json()}}
    if expires_at is not None:
        item[TTL_ATTRIBUTE] = {"N": str(expires_at)}
    return item


def _indexed(index: Index, partition: str, sort: str) -> "Item":
    names = INDEXES[index]
    return {names.partition: {"S": partition}, names.sort: {"S": sort}}


def sortable(moment: datetime) -> str:
    """The text of a time as the status-time index sorts it."""
    # Of one width, so that the order of the texts is the order in time.
    return moment.isoformat(timespec="microseconds")
