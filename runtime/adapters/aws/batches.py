"""Lists cut to what one AWS call takes."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Consecutive runs of at most `size` items; none when there are no items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
