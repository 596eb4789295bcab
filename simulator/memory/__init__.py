"""Side effects kept in memory: nothing leaves the process."""

from simulator.memory.bus import MemoryBus
from simulator.memory.compute import MemoryCompute, MemoryTemplate
from simulator.memory.objects import MemoryObjects

__all__ = ["MemoryBus", "MemoryCompute", "MemoryObjects", "MemoryTemplate"]
