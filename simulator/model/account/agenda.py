"""What happens later: a heap of transitions ordered by the simulated second they are due."""

import heapq
from collections.abc import Callable

Transition = Callable[[], None]


class Agenda:
    """Transitions by due time; those due together run in the order they were planned."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Transition]] = []
        self._planned = 0

    def plan(self, due: float, transition: Transition) -> None:
        """Run `transition` once simulated time reaches `due`."""
        self._planned += 1
        heapq.heappush(self._heap, (due, self._planned, transition))

    def next_due(self) -> float | None:
        """Simulated second of the next transition, None when nothing is planned."""
        return self._heap[0][0] if self._heap else None

    def pop(self) -> tuple[float, Transition]:
        """Take the next transition off the agenda."""
        due, _, transition = heapq.heappop(self._heap)
        return due, transition
