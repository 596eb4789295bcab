"""Scheduled rules fire at a scaled rate, checked every second."""

from ministack.services import eventbridge

from localcloud.engine.pins import EngineChangedError, pinned
from localcloud.engine.settings import EngineSettings


def apply(settings: EngineSettings) -> None:
    rate_seconds = pinned(eventbridge, "_parse_rate_seconds", "0184f31e965e")
    pinned(eventbridge, "_scheduler_loop", "7795e8e084ff")
    if eventbridge._SCHEDULER_TICK_INTERVAL != 10:
        raise EngineChangedError("eventbridge._SCHEDULER_TICK_INTERVAL changed")

    def scaled_rate_seconds(expression: str) -> float | None:
        seconds = rate_seconds(expression)
        return None if seconds is None else seconds / settings.schedule_scale

    eventbridge._parse_rate_seconds = scaled_rate_seconds
    eventbridge._SCHEDULER_TICK_INTERVAL = 1
