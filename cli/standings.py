"""How a migration stands: its status, or one of two words that only people use."""

from datetime import datetime

from rich.text import Text

from cli.sent import SENT, Migration, OnItsWay
from runtime.models.record import MigrationRecord
from runtime.models.status import MigrationStatus

S = MigrationStatus
RELEASED = "RELEASED"
"""What people see of a frozen migration that a person has settled."""

STANDINGS = (
    SENT,
    *(status for status in MigrationStatus if not status.is_terminal),
    *(S.COMPLETED, S.REJECTED, S.ROLLED_BACK, S.CANCELLED, RELEASED, S.FROZEN),
)
"""How a migration may stand, in the order they move."""

FAILURES_FIRST = (S.FROZEN, S.ROLLING_BACK, S.ROLLED_BACK, S.REJECTED, S.AWAITING_APPROVAL)
LAST = (S.CANCELLED, RELEASED, S.COMPLETED)

STYLES: dict[str, str] = {
    SENT: "dim",
    S.RECEIVED: "dim",
    S.AWAITING_APPROVAL: "bold yellow",
    S.AWAITING_WINDOW: "yellow",
    S.ROLLING_BACK: "magenta",
    S.COMPLETED: "green",
    S.REJECTED: "red",
    S.ROLLED_BACK: "red",
    S.CANCELLED: "magenta",
    S.FROZEN: "bold white on red",
    RELEASED: "magenta",
}
"""How a status looks; the others are at work and look alike."""

AT_WORK = "cyan"


def standing(migration: Migration) -> str:
    """How it stands, in a word: a status, or SENT or RELEASED."""
    if isinstance(migration, OnItsWay):
        return SENT
    return RELEASED if migration.is_released else migration.status


def has_ended(migration: Migration) -> bool:
    return isinstance(migration, MigrationRecord) and migration.status.is_terminal


def standing_text(name: str) -> Text:
    return Text(name, style=STYLES.get(name, AT_WORK), no_wrap=True)


def failures_first(migration: Migration) -> tuple[int, float]:
    """Sorts what needs a person first, then what is at work, then what has ended well; each by its last change."""
    name = standing(migration)
    if name in FAILURES_FIRST:
        return FAILURES_FIRST.index(name), -_changed(migration).timestamp()
    return (9 if name in LAST else 8), (LAST.index(name) if name in LAST else -STANDINGS.index(name))


def _changed(migration: Migration) -> datetime:
    return migration.at if isinstance(migration, OnItsWay) else migration.updated_at
