"""The time migrations take beyond MGN's own, from their journals and the simulator's log."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from localcloud.figures import Figure, percentile
from runtime.logic.steps.verify_migration import VERIFYING_STATUS
from runtime.models.record import LAUNCHING_STATUS, JournalEntry, LaunchKind, MigrationRecord
from runtime.models.status import MigrationStatus

PARTS = {
    "start": "accepted → launch asked for",
    "launch": "launch asked for → MGN has the job",
    "result": "launched → next step (it boots)",
    "boot": "up and job over → next step",
    "rest": "window, finalisation",
    "whole": "whole, less MGN's jobs and boots",
}


class MgnTimes(NamedTuple):
    """When MGN created and completed each job, launched each server of it, and when each instance was up."""

    created: dict[str, float]
    completed: dict[str, float]
    launched: dict[tuple[str, str], float]
    booted: dict[str, float]


def mgn_times(log: Iterable[Mapping[str, Any]], moment: Callable[[datetime], float]) -> MgnTimes:
    """Read the simulator's log; `moment` turns its times into seconds of the journals' clock."""
    times = MgnTimes({}, {}, {}, {})
    for entry in log:
        if entry["kind"] not in ("job", "instance"):
            continue
        at = moment(datetime.fromisoformat(entry["time"]))
        match entry["event"]:
            case "created":
                times.created[entry["job"]] = at
            case "completed":
                times.completed[entry["job"]] = at
            case "launched":
                times.launched[entry["job"], entry["server"]] = at
            case "booted":
                times.booted[entry["instance"]] = at
    return times


def added_seconds(record: MigrationRecord, journal: Sequence[JournalEntry], mgn: MgnTimes) -> dict[str, list[float]]:
    """What each part of one completed migration with both launches added."""
    moves = [entry for entry in journal if entry.changes_status]
    began = {entry.to_status: entry.at.timestamp() for entry in moves}
    ended = {entry.to_status: after.at.timestamp() for entry, after in pairwise(moves)}
    added: dict[str, list[float]] = {part: [] for part in PARTS}
    added["start"].append(began[LAUNCHING_STATUS[LaunchKind.TEST]] - began[MigrationStatus.RECEIVED])
    whole = journal[-1].at.timestamp() - began[MigrationStatus.RECEIVED]
    for phase, verifying in VERIFYING_STATUS.items():
        launch = record.launch(phase)
        assert launch is not None
        assert launch.instance_id is not None
        created = mgn.created[launch.job_id]
        is_up = max(mgn.booted[launch.instance_id], mgn.completed[launch.job_id])
        added["launch"].append(created - began[LAUNCHING_STATUS[LaunchKind(phase)]])
        added["result"].append(began[verifying] - mgn.launched[launch.job_id, record.source_server_id or ""])
        added["boot"].append(ended[verifying] - is_up)
        whole -= is_up - created
    added["rest"].append(whole - sum(added["start"] + added["launch"] + added["boot"]))
    added["whole"].append(whole)
    return added


def added_figures(parts: Iterable[Mapping[str, Sequence[float]]], *, limits: Mapping[str, float]) -> list[Figure]:
    """A line for each part: median and 99th percentile over all migrations, the latter against its limit."""
    together: dict[str, list[float]] = {part: [] for part in PARTS}
    for added in parts:
        for part, seconds in added.items():
            together[part] += seconds
    return [_figure(part, seconds, limits.get(part)) for part, seconds in together.items()]


def _figure(part: str, seconds: Sequence[float], limit: float | None) -> Figure:
    p99 = percentile(seconds, 0.99)
    measured = f"p50 {percentile(seconds, 0.5):.2f} s  p99 {p99:.2f} s"
    if limit is None:
        return Figure(PARTS[part], measured)
    return Figure(PARTS[part], measured, f"p99 <= {limit:g} s", p99 <= limit)
