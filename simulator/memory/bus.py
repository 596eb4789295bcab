"""An event bus in memory."""

from dataclasses import dataclass, field

from simulator.model.account.ports import NativeEvent


@dataclass(slots=True)
class MemoryBus:
    """Keeps the events it is given."""

    events: list[NativeEvent] = field(default_factory=list)

    def publish(self, event: NativeEvent) -> None:
        self.events.append(event)

    def clear(self) -> None:
        self.events.clear()
