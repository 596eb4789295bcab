"""Structures, dates and durations as the service shows them (docs/mgn.md#wire)."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

View = dict[str, Any]


@lru_cache(maxsize=65_536)
def datetime_text(seconds: float, style: str = "offset") -> str:
    """ISO-8601 with microseconds, ending in `Z` or, as captured from the service, in `+00:00`."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
    return text if style == "offset" else text[:-6] + "Z"


def parse_datetime(text: str) -> float:
    """Seconds since 1970 of an ISO-8601 text in either style."""
    return datetime.fromisoformat(text).timestamp()


def duration_text(seconds: float) -> str:
    """ISO-8601 duration; no time at all is `P0D`, as captured from the service."""
    if seconds <= 0:
        return "P0D"
    whole, fraction = divmod(round(seconds * 1_000_000), 1_000_000)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    tail = f"{left}.{fraction:06d}".rstrip("0").rstrip(".") if fraction else str(left)
    parts = (f"{hours}H" if hours else "", f"{minutes}M" if minutes else "", f"{tail}S" if tail != "0" else "")
    return "PT" + ("".join(parts) or "0S")
