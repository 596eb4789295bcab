"""What a clock of simulated time does, and how far it goes."""

from datetime import UTC, datetime
from typing import Protocol

DEFAULT_START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC).timestamp()
# Python's dates end with the year 9999, and what is planned lies ahead of the clock.
LATEST = datetime(9000, 1, 1, tzinfo=UTC).timestamp()
LONGEST_JUMP = 100 * 86_400  # simulated seconds; periodic work on the way makes a longer one seem to hang


class Clock(Protocol):
    """Simulated time in seconds since 1970, never going back."""

    def now(self) -> float: ...

    def advance(self, seconds: float) -> None: ...


def require_possible_jump(now: float, seconds: float) -> None:
    """Refuse with ValueError what would not end, or end where no date is."""
    if seconds < 0:
        raise ValueError("simulated time cannot go back")
    # Written so that NaN fails too.
    if not seconds <= LONGEST_JUMP:
        raise ValueError(f"{seconds} seconds: one step takes at most {LONGEST_JUMP} simulated seconds, 100 days")
    if now + seconds > LATEST:
        raise ValueError(
            f"{seconds} seconds: simulated time ends with the year {datetime.fromtimestamp(LATEST, UTC).year}"
        )
