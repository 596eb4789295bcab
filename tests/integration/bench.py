"""Prints what the handlers cost by themselves: `python -m tests.integration.bench`."""

import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

from botocore.client import BaseClient
from moto import mock_aws
from rich.console import Console

from localcloud.figures import Figure, figures_table, percentile
from runtime.handlers import entry, finalize_cutover
from runtime.handlers.entry import LambdaHandler
from runtime.observability import logger
from tests.integration.cloud import VARIABLES, Cloud, make_cloud
from tests.integration.journey import bring_to

JOURNEYS = 20
STARTS = 3
HANDLERS = sorted(path.stem for path in Path(entry.__file__).parent.glob("*.py") if "def handler" in path.read_text())
COLD_LIMIT = 1.3
WARM_LIMIT = 5.0

_BARE = "import boto3; boto3.client('mgn')"
_OURS = "import runtime.handlers.{0}; from runtime.adapters.clients import client; client('mgn')"


class Stopwatch:
    """Processor time of handlers, less that of the AWS calls they make: of ours, of moto's and of the simulator's."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, list[float]] = defaultdict(list)
        self._in_calls = 0.0
        self._depth = 0

    def invoke(self, cloud: Cloud, handler: LambdaHandler, event: Any) -> Any:
        """Stands for `Cloud.invoke`."""
        self._in_calls, begun = 0.0, time.process_time()
        answer = INVOKE(cloud, handler, event)
        seconds = time.process_time() - begun - self._in_calls
        self.milliseconds[handler.__module__.rpartition(".")[2]].append(1_000 * seconds)
        return answer

    def call(self, client: BaseClient, operation: str, parameters: Any) -> Any:
        """Stands for the method of a client that makes a call."""
        begun = time.process_time()
        # The simulator answers a call by calls of its own.
        self._depth += 1
        try:
            return CALL(client, operation, parameters)
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._in_calls += time.process_time() - begun

    @contextmanager
    def runs(self) -> Iterator[None]:
        """Measure within this block."""
        patched: Any = lambda cloud, handler, event: self.invoke(cloud, handler, event)  # noqa: E731
        called: Any = lambda client, operation, parameters: self.call(client, operation, parameters)  # noqa: E731
        with mock.patch.object(Cloud, "invoke", patched), mock.patch.object(BaseClient, "_make_api_call", called):
            yield


INVOKE = Cloud.invoke
CALL = BaseClient._make_api_call  # type: ignore[attr-defined]


def cold_starts(say: Any) -> list[Figure]:
    """Processor time of a fresh interpreter up to its first client, each handler's against that of boto3 alone."""
    spent: dict[str, list[float]] = defaultdict(list)
    codes = {"boto3 alone": _BARE, **{name: _OURS.format(name) for name in HANDLERS}}
    for turn in range(STARTS):
        say(f"cold starts, round {turn + 1} of {STARTS}")
        for name, code in codes.items():
            spent[name].append(_seconds_of(code))
    bare = median(spent.pop("boto3 alone"))
    ratios = {name: median(seconds) / bare for name, seconds in spent.items()}
    worst = max(ratios, key=lambda name: ratios[name])
    return [
        Figure("cold: boto3 and a client alone", f"{1_000 * bare:.0f} ms"),
        Figure("cold: median of the handlers", f"{median(ratios.values()):.2f} ×"),
        Figure(
            f"cold: {worst}, the slowest",
            f"{ratios[worst]:.2f} ×",
            f"<= {COLD_LIMIT:g} ×",
            ratios[worst] <= COLD_LIMIT,
        ),
    ]


def warm_work(say: Any) -> list[Figure]:
    """Processor time of each handler's invocations over whole migrations."""
    watch = Stopwatch()
    with mock.patch.dict(os.environ, {**VARIABLES, "MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}):
        for journey in range(JOURNEYS + 1):
            say(f"warm work, migration {journey} of {JOURNEYS}")
            with mock_aws(), watch.runs():
                cloud = make_cloud()
                bring_to("cutover-verified", cloud)
                cloud.step(finalize_cutover.handler)
            if journey == 0:
                # The first one is cold.
                watch.milliseconds.clear()
    return [
        Figure(
            f"warm: {name}, {len(spent)} times",
            f"p50 {percentile(spent, 0.5):.1f} ms  p99 {percentile(spent, 0.99):.1f} ms",
            f"p99 <= {WARM_LIMIT:g} ms",
            percentile(spent, 0.99) <= WARM_LIMIT,
        )
        for name, spent in sorted(watch.milliseconds.items())
    ]


def _seconds_of(code: str) -> float:
    code += "; import time; print(time.process_time())"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Measure and print."""
    console = Console()
    os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    # Written for nothing, but written: it is work of the handlers.
    written = mock.patch.object(logger.registered_handler, "stream", StringIO())
    with written, console.status("Handlers …") as status:
        say = lambda text: status.update(f"[dim]{text}[/]")  # noqa: E731
        figures = [*cold_starts(say), *warm_work(say)]
    note = "Processor time, AWS calls excluded from warm work; parsing, validation, logging and journal included."
    console.print(figures_table("Handlers", figures, note=note))


if __name__ == "__main__":
    main()
