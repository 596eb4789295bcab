"""`python -m localcloud bench`: intake and migrations of the deployed stacks, in real time, with their targets."""

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

from botocore.config import Config
from rich.console import Console

from localcloud.added_time import added_figures, added_seconds, mgn_times
from localcloud.cloud import local_cloud
from localcloud.demo.evidence import LogEntry, simulator_log
from localcloud.demo.run import ASSEMBLY, SCHEDULE_SCALE, TIME_SCALE, deployment_of, synthesize
from localcloud.figures import Figure, at_least, figures_table, quota_figures
from localcloud.network import HOME
from localcloud.settings import CloudSettings
from localcloud.state import CloudState
from runtime.adapters.state.documents import refuse
from runtime.adapters.state.state import DynamoDbState
from runtime.models.record import MigrationRecord
from runtime.models.status import MigrationStatus
from simulator.scenario.generator import generate_yaml

FOLDER = Path("out/bench")
SEED = 4
WORKERS = 8
"""Handlers that run at once; more make a machine of two cores slower."""

LIMIT_SECONDS = 240
ACCEPTED_A_MINUTE = 1_000

LIMITS = (
    "Real seconds; the simulator runs {scale} times faster. The engine is the limit here, not the design: one process "
    "on one core serves every AWS call, {workers} Lambda processes share the rest of the machine, and each step waits "
    "its turn. What the design adds by itself is in the figures on a virtual clock."
)


class Bench:
    """A deployed local cloud under load."""

    def __init__(self, state: CloudState, say: Callable[[str], None]) -> None:
        self._state, self._say = state, say
        self._deployment = deployment_of(state)
        self._sqs, self._states = self._client("sqs"), self._client("stepfunctions")
        self._table = DynamoDbState(self._client("dynamodb"), self._deployment.state_table_name, refuse)
        self._simulator = state.simulators[state.home]
        self._sent_at = 0.0

    def migrate(self, names: Sequence[str]) -> list[Figure]:
        """Migrations of these servers, at once."""
        servers = len(names)
        moment = self._moment()
        begun = len(self._log())
        self._send(_request(f"bench-{name}", name) for name in names)
        records = self._follow({f"bench-{name}" for name in names})
        seconds = time.monotonic() - self._sent_at
        log = self._log()[begun:]
        times = mgn_times(log, moment)
        ends = Counter(record.status for record in records)
        completed = [record for record in records if record.status is MigrationStatus.COMPLETED]
        parts = [added_seconds(each, self._table.migrations.journal(each.migration_id), times) for each in completed]
        histories = self._histories(records)
        return [
            Figure("ended COMPLETED", f"{len(completed)} of {servers}", f"{servers}", len(completed) == servers),
            *(Figure(f"ended {end}", f"{count}") for end, count in ends.items() if end != MigrationStatus.COMPLETED),
            Figure("first request to last end", f"{seconds:.0f} s"),
            Figure("peak of concurrent executions", f"{_peak(histories)}"),
            *_use_of_quota(log),
            *(added_figures(parts, limits={"whole": 5}) if parts else ()),
            *_describes(log, servers),
            Figure("state transitions for each", f"{_transitions(histories) / servers:.1f}"),
        ]

    def take_in(self, requests: int) -> list[Figure]:
        """That many requests; their servers are unknown to MGN, so that each is accepted and soon over."""
        self._send(_request(f"intake-{number}", f"unknown-{number}") for number in range(requests))
        queued = time.monotonic() - self._sent_at
        accepted: list[datetime] = []
        deadline = self._sent_at + LIMIT_SECONDS
        while len(accepted) < requests and time.monotonic() < deadline:
            time.sleep(1)
            records = [record for record in self._table.migrations.find() if record.migration_id.startswith("intake-")]
            accepted = [record.created_at for record in records]
            self._say(f"{len(accepted):,} of {requests:,} requests accepted")
        first, last = min(accepted), max(accepted)
        took = (last - first).total_seconds()
        return [
            Figure("requests accepted", f"{len(accepted):,}", f"{requests:,}", len(accepted) == requests),
            Figure("time to put them on the queue", f"{queued:.1f} s"),
            Figure("first acceptance to last", f"{took:.1f} s"),
            at_least("accepted a minute", 60 * len(accepted) / took, ACCEPTED_A_MINUTE, "", digits=0),
        ]

    def servers(self) -> list[str]:
        """The names of all source servers."""
        with urllib.request.urlopen(f"{self._simulator}/_simulator/state", timeout=30) as answer:
            return [server["name"] for server in json.load(answer)["servers"]]

    def _log(self) -> list[LogEntry]:
        return simulator_log(self._simulator)

    def _send(self, requests: Iterator[dict[str, object]]) -> None:
        self._sent_at = time.monotonic()
        entries = [{"Id": f"{number}", "MessageBody": json.dumps(each)} for number, each in enumerate(requests)]

        def send(batch: Sequence[dict[str, str]]) -> None:
            self._sqs.send_message_batch(QueueUrl=self._deployment.queue_url, Entries=list(batch))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(send, [entries[at : at + 10] for at in range(0, len(entries), 10)]))

    def _follow(self, expected: Collection[str]) -> list[MigrationRecord]:
        deadline = time.monotonic() + LIMIT_SECONDS
        while True:
            records = [record for record in self._table.migrations.find() if record.migration_id in expected]
            counts = Counter(record.status for record in records)
            self._say(", ".join(f"{count} {status}" for status, count in counts.most_common()))
            ended = sum(record.status.is_terminal for record in records)
            if ended == len(expected) or time.monotonic() > deadline:
                return records
            time.sleep(1)

    def _moment(self) -> Callable[[datetime], float]:
        """From the simulator's clock to ours."""
        asked = time.time()
        request = urllib.request.Request(f"{self._simulator}/_simulator/advance", data=b'{"seconds": 0}', method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            simulated = json.load(answer)["seconds"]
        ours = (asked + time.time()) / 2
        return lambda at: ours + (at.timestamp() - simulated) / TIME_SCALE

    def _histories(self, records: Sequence[MigrationRecord]) -> list[list[dict[str, Any]]]:
        pages = self._states.get_paginator("get_execution_history")
        return [
            [event for page in pages.paginate(executionArn=record.execution) for event in page["events"]]
            for record in records
            if record.execution
        ]

    def _client(self, name: str) -> Any:
        return self._state.client(name, config=Config(read_timeout=120))


def run_bench(console: Console, *, migrations: int, requests: int) -> None:
    """Deploy to a fresh local cloud, load it and print what it did."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    scenario = FOLDER / "scenario.yaml"
    scenario.write_text(generate_yaml(migrations + 1, SEED))
    settings = CloudSettings(
        folder=FOLDER / "cloud",
        scenarios=(scenario,),
        assembly=ASSEMBLY,
        time_scale=TIME_SCALE,
        schedule_scale=SCHEDULE_SCALE,
        lambda_workers=WORKERS,
    )
    with console.status("Synthesizing the stacks …") as status:
        say = lambda text: status.update(f"[dim]{text}[/]")  # noqa: E731
        synthesize()
        with local_cloud(settings, say) as state:
            bench = Bench(state, say)
            note = LIMITS.format(scale=TIME_SCALE, workers=WORKERS)
            first, *others = bench.servers()
            console.print(figures_table("One migration alone on the local cloud", bench.migrate([first])))
            title = f"{migrations} migrations at once on the local cloud"
            console.print(figures_table(title, bench.migrate(others), note=note))
            console.print(figures_table(f"Intake of {requests:,} requests by SQS", bench.take_in(requests)))


def _request(migration_id: str, server: str) -> dict[str, object]:
    return {
        "migrationId": migration_id,
        "appName": "bench",
        "source": "vmware",
        "target": "aws",
        "environment": "production",
        "wave": "1",
        "sourceVmId": server,
        "instanceType": "m5.large",
        "subnetId": next(iter(HOME.subnets)),
        "securityGroupIds": [next(iter(HOME.security_groups))],
    }


def _use_of_quota(log: Sequence[LogEntry]) -> list[Figure]:
    starts = sum(entry["kind"] == "call" and entry["operation"] in ("StartTest", "StartCutover") for entry in log)
    return [*quota_figures(log), Figure("MGN calls that start jobs", f"{starts}")]


def _describes(log: Sequence[LogEntry], servers: int) -> list[Figure]:
    calls = Counter(entry["operation"] for entry in log if entry["kind"] == "call")
    describes = {name: count for name, count in calls.items() if name.startswith("Describe")}
    each = [Figure(f"{name} for each", f"{count / servers:.1f}") for name, count in describes.items()]
    return [*each, Figure("all Describe calls for each", f"{sum(describes.values()) / servers:.1f}")]


def _peak(histories: Sequence[Sequence[dict[str, Any]]]) -> int:
    changes = [(events[0]["timestamp"], 1) for events in histories] + [(e[-1]["timestamp"], -1) for e in histories]
    return max(accumulate(change for _, change in sorted(changes)), default=0)


def _transitions(histories: Sequence[Sequence[dict[str, Any]]]) -> int:
    return sum(event["type"].endswith("StateEntered") for events in histories for event in events)
