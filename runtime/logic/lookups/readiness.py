"""Is a source server launchable?"""

from datetime import timedelta

from pydantic import TypeAdapter, ValidationError

from runtime.models.mgn import LifeCycleState, SourceServer

_DURATION: TypeAdapter[timedelta] = TypeAdapter(timedelta)

# Agentless servers alternate between the last two; their lag is about one shipping cycle (docs/mgn.md#agentless).
_HEALTHY = frozenset({"CONTINUOUS", "PENDING_SNAPSHOT_SHIPPING", "SHIPPING_SNAPSHOT"})


def lag_seconds(lag_duration: str | None) -> float | None:
    """MGN's ISO-8601 lagDuration in seconds; None when MGN gives none, that is, not launchable."""
    if lag_duration is None:
        return None
    try:
        return _DURATION.validate_python(lag_duration).total_seconds()
    except ValidationError:
        return None


def is_gone(server: SourceServer | None) -> bool:
    """Archived, disconnected or deleted."""
    return server is None or server.is_archived or server.state == LifeCycleState.DISCONNECTED


def obstacles(server: SourceServer, *, max_lag: int) -> tuple[str, ...]:
    """Why the server cannot be launched now; empty when it can."""
    replication = server.data_replication_info
    lag = lag_seconds(replication.lag_duration)
    found = []
    if replication.data_replication_state not in _HEALTHY:
        error = replication.data_replication_error
        why = f" ({error.error})" if error and error.error else ""
        found.append(f"replication is {replication.data_replication_state or 'unknown'}{why}, not CONTINUOUS")
    if lag is None:
        found.append("lagDuration is absent, so MGN cannot launch it")
    elif lag > max_lag:
        found.append(f"lag is {lag:.0f} s, more than {max_lag} s")
    return tuple(found)
