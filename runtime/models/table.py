"""The layout of the state table, shared by the construct that makes it and the adapter that fills it."""

from enum import StrEnum
from typing import NamedTuple

PARTITION_KEY = "pk"
SORT_KEY = "sk"
TTL_ATTRIBUTE = "expiresAt"
DOCUMENT = "document"
"""The whole model as JSON; the other attributes are keys and conditions."""

TOKEN = "token"
"""A task token, in the table of tokens: it is keyed by the partition key alone and expires like this one."""

USED = "used"
"""How many requests to MGN were counted in a second."""

MIGRATION_PARTITION = "MIGRATION#"
REJECTION_PARTITION = "REJECTION#"
PEOPLES_PARTITIONS = (MIGRATION_PARTITION, REJECTION_PARTITION)
"""How the partitions begin that people may read: no task token lies in them."""

JOURNAL_PREFIX = "JOURNAL#"
"""Sort keys of journal entries; the table's stream publishes these."""


class Index(StrEnum):
    """Global secondary indexes."""

    WAVE_STATUS = "wave-status"
    APPLICATION_STATUS = "application-status"
    STATUS_TIME = "status-time"


class IndexKeys(NamedTuple):
    """The string attributes an index is keyed by."""

    partition: str
    sort: str


INDEXES: dict[Index, IndexKeys] = {
    Index.WAVE_STATUS: IndexKeys("wave", "status"),
    Index.APPLICATION_STATUS: IndexKeys("application", "status"),
    Index.STATUS_TIME: IndexKeys("status", "updatedAt"),
}
"""Migration records carry the keys of all three."""
