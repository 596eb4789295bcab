"""Background processes of the local cloud: started in a group of their own, stopped with everything they started."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

_GRACE_SECONDS = 5.0


class StartError(RuntimeError):
    """A process that did not come up."""


class Process(BaseModel, frozen=True):
    """A process that leads its own group."""

    name: str
    pid: int
    # Identifies the process beside its number, which the system may give to another one.
    marker: str
    log: Path


def start(name: str, command: Sequence[str], *, marker: str, log: Path, environment: Mapping[str, str]) -> Process:
    """Start a process in a new group, its output in a log file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=Path(__file__).parents[1],
            start_new_session=True,
        )
    return Process(name=name, pid=child.pid, marker=marker, log=log)


def wait_until_healthy(process: Process, url: str, *, seconds: float = 120) -> None:
    """Wait until the URL answers, with any status; raise with the log's end when the process dies or stays silent."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not is_running(process):
            raise StartError(f"{process.name} ended while starting:\n{_tail(process.log)}")
        if answers(url):
            return
        time.sleep(0.05)
    raise StartError(f"{process.name} did not answer at {url} within {seconds:.0f} s:\n{_tail(process.log)}")


def answers(url: str) -> bool:
    """Whether something answers at a URL, with whatever status."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def stop(processes: Sequence[Process]) -> None:
    """End the processes with their groups: politely first, then for good."""
    groups = [process.pid for process in processes if is_running(process)]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for group in groups:
            _signal_group(group, number)
        deadline = time.monotonic() + _GRACE_SECONDS
        while groups and time.monotonic() < deadline:
            groups = [group for group in groups if _group_members(group)]
            time.sleep(0.02)


def is_running(process: Process) -> bool:
    """Whether this very process still runs."""
    _reap(process.pid)
    listing = subprocess.run(
        ["ps", "-o", "stat=,command=", "-ww", "-p", str(process.pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return bool(listing) and not listing.startswith("Z") and process.marker in listing


def free_port() -> int:
    """A TCP port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_port_open(port: int) -> bool:
    """Whether something listens on the loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _group_members(group: int) -> list[str]:
    """The group's processes that are not already dead and waiting for their parent."""
    _reap(group)
    listing = subprocess.run(["ps", "-axo", "pgid=,stat="], capture_output=True, text=True, check=False).stdout
    rows = (line.split() for line in listing.splitlines())
    return [row[1] for row in rows if len(row) == 2 and row[0] == str(group) and not row[1].startswith("Z")]


def _reap(pid: int) -> None:
    """Collect the process if it is our child and has ended."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _tail(log: Path, lines: int = 20) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
