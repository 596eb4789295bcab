"""The page to look at: servers, jobs and the last log entries, refreshed by itself."""

from html import escape
from typing import Any

from simulator.engine import Simulator

SHOWN_SERVERS = 200
SHOWN_JOBS = 20
SHOWN_ENTRIES = 40
_STYLE = (
    "body{font:14px system-ui,sans-serif;margin:1.5rem;color:#222}table{border-collapse:collapse;margin:.5rem 0 1.5rem}"
    "td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:left}th{background:#f4f4f4}"
    "h1{font-size:1.3rem}h2{font-size:1.05rem}code{font-size:12px}"
)


def page_html(simulator: Simulator) -> str:
    """The whole page; it reloads every second."""
    state = simulator.glance(SHOWN_SERVERS, SHOWN_JOBS)
    servers, jobs = state["servers"], state["jobs"]
    entries = simulator.journal.last(SHOWN_ENTRIES)
    head = (
        f"scenario {escape(state['scenario'])}, seed {state['seed']}, simulated time {escape(state['time'])}, "
        f"{state['activeJobs']} active jobs with {state['activeServers']} servers"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="1">'
        f"<title>MGN simulator</title><style>{_STYLE}</style></head><body><h1>MGN simulator</h1><p>{head}</p>"
        f"{_section('Source servers', state['totalServers'], SERVER_COLUMNS, map(_server, servers))}"
        f"{_section('Jobs', state['totalJobs'], JOB_COLUMNS, map(_job, jobs))}"
        f"{_section('Last log entries', len(entries), ENTRY_COLUMNS, map(_entry, entries))}</body></html>"
    )


SERVER_COLUMNS = ("server", "id", "lifecycle", "replication", "lag", "instance", "first boot", "job")
JOB_COLUMNS = ("job", "initiated by", "status", "created", "servers")
ENTRY_COLUMNS = ("#", "time", "kind", "facts")


def _section(title: str, total: int, columns: tuple[str, ...], rows: Any) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<h2>{escape(title)} ({total})</h2><table><tr>{head}</tr>{body}</table>"


def _server(server: dict[str, Any]) -> tuple[str, ...]:
    replication, launched = server["dataReplicationInfo"], server["launchedInstance"]
    return (
        server["name"],
        server["sourceServerID"],
        server["lifeCycle"]["state"] + (" (archived)" if server["isArchived"] else ""),
        replication["dataReplicationState"],
        replication.get("lagDuration", "-"),
        launched.get("ec2InstanceID", ""),
        launched.get("firstBoot", ""),
        server["activeJobID"],
    )


def _job(job: dict[str, Any]) -> tuple[str, ...]:
    statuses = [server["launchStatus"] for server in job["participatingServers"]]
    counts = ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses))
    return job["jobID"], job["initiatedBy"], job["status"], job["creationDateTime"], counts


def _entry(entry: dict[str, Any]) -> tuple[str, ...]:
    facts = {name: value for name, value in entry.items() if name not in ("number", "time", "kind")}
    text = ", ".join(f"{name}: {value}" for name, value in facts.items())
    return str(entry["number"]), entry["time"], entry["kind"], text if len(text) <= 300 else f"{text[:297]}…"
