"""Request-rate limits, unknown for the real service, hence off unless their knob is set (docs/mgn.md#quotas)."""

from simulator.model.forms.errors import MgnError
from simulator.model.settings.knobs import Knobs


class RateLimits:
    """Two token buckets, one for reading calls and one for all others, each a second deep."""

    def __init__(self, knobs: Knobs) -> None:
        self._rates = {True: knobs.reads_per_second, False: knobs.writes_per_second}
        self._left: dict[bool, float] = {reads: max(1.0, rate or 0.0) for reads, rate in self._rates.items()}
        self._seen: dict[bool, float] = {}

    def take(self, now: float, reads: bool) -> None:
        """Count a call at simulated second `now`, or raise ThrottlingException."""
        rate = self._rates[reads]
        if rate is None:
            return
        passed = now - self._seen.get(reads, now)
        self._seen[reads] = now
        depth = max(1.0, rate)
        self._left[reads] = min(depth, self._left[reads] + passed * rate)
        if self._left[reads] < 1:
            raise MgnError("ThrottlingException", "Rate exceeded", retryAfterSeconds="1")
        self._left[reads] -= 1
