"""Prints what the handlers cost by themselves: `python -m tests.integration.bench`."""

import json
import os
import pickle
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from botocore.client import BaseClient
from botocore.exceptions import ClientError
from moto import mock_aws
from rich.console import Console

from localcloud.figures import Figure, figures_table, percentile
from migration_constructs import Target, bundle
from runtime.handlers import callback_handler, entry, finalize_cutover, publish_events, rollback_handler
from runtime.handlers.entry import LambdaHandler
from runtime.models.envelopes import StreamRecord
from runtime.models.events import SOURCE, status_events
from runtime.models.record import JournalEntry
from runtime.observability import logger, metrics
from tests.integration import replay
from tests.integration.cloud import VARIABLES, Cloud, Context, make_cloud, sqs_event
from tests.integration.journey import bring_to, record_of
from tests.integration.replay import Invocation
from tests.provided import link_provided

JOURNEYS = 20
STARTS = 3
HANDLERS = sorted(path.stem for path in Path(entry.__file__).parent.glob("*.py") if "def handler" in path.read_text())
COLD_LIMIT = 1.3
WARM_LIMIT = 5.0

LAMBDA = {
    **VARIABLES,
    "AWS_LAMBDA_FUNCTION_NAME": "handler",
    "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
    "LAMBDA_TASK_ROOT": "/var/task",
    "POWERTOOLS_METRICS_NAMESPACE": "MigrationOrchestrator",
    "POWERTOOLS_SERVICE_NAME": "handler",
}
"""The environment of a function in AWS, so that what it does only there, as tracing, is paid for here as well."""

_TRACE = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled={0:d}"
_BARE = "import boto3; boto3.client('mgn')"
_OURS = "import runtime.handlers.{0}; from runtime.adapters.aws.clients import client; client('mgn')"
_TELL = "; import time; print(time.process_time())"
_NO_IMAGES = {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}


class Stopwatch:
    """Processor time of handlers, less that of the AWS calls they make: of ours, of moto's and of the simulator's.

    It keeps each handler's invocation with the most calls, to be replayed.
    """

    def __init__(self) -> None:
        self.milliseconds: dict[str, list[float]] = defaultdict(list)
        self.busiest: dict[str, Invocation] = {}
        self._in_calls = 0.0
        self._depth = 0
        self._answers: list[tuple[str, Any]] = []

    def invoke(self, cloud: Cloud, handler: LambdaHandler, event: Any) -> Any:
        """Stands for `Cloud.invoke`."""
        name = handler.__module__.rpartition(".")[2]
        at = datetime.now(UTC)
        self._answers, self._in_calls, begun = [], 0.0, time.process_time()
        answer = INVOKE(cloud, handler, event)
        seconds = time.process_time() - begun - self._in_calls
        self.milliseconds[name].append(1_000 * seconds)
        done = Invocation(name, event, Context.invoked_function_arn, at, [*self._answers])
        self.busiest[name] = max(self.busiest.get(name, done), done, key=lambda taken: len(taken.answers))
        return answer

    def call(self, client: BaseClient, operation: str, parameters: Any) -> Any:
        """Stands for the method of a client that makes a call."""
        begun = time.process_time()
        # The simulator answers a call by calls of its own.
        self._depth += 1
        answer: Any = None
        try:
            answer = CALL(client, operation, parameters)
        except ClientError as error:
            # Without the class botocore made for it, which cannot be pickled.
            answer = ClientError(error.response, error.operation_name)
            raise
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._answers.append((operation, answer))
                self._in_calls += time.process_time() - begun
        return answer

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
    """Processor time of a fresh interpreter up to its first client, each handler's against that of boto3 alone.

    Both see what they see in Lambda: the code asset with its bytecode. And up to the end of the first invocation, so
    that nothing gets cheap by being put off.
    """
    spent: dict[str, list[float]] = defaultdict(list)
    with TemporaryDirectory() as folder:
        alone, ours = _module_paths(Path(folder))
        commands = {"": (alone, ["-c", _BARE + _TELL], False)}
        commands |= {f"cold: {name}": (ours, ["-c", _OURS.format(name) + _TELL], False) for name in HANDLERS}
        for name, invocation in recorded(say).items():
            kept = Path(folder, name)
            kept.write_bytes(pickle.dumps(tuple(invocation)))
            commands[f"first invocation: {name}"] = (ours, [replay.__file__, str(kept)], False)
            commands[f"traced: {name}"] = (ours, [replay.__file__, str(kept)], True)
        for turn in range(STARTS):
            say(f"cold starts, round {turn + 1} of {STARTS}")
            for name, command in commands.items():
                spent[name].append(_seconds_of(*command))
    bare = median(spent.pop(""))
    ratios = {name: median(seconds) / bare for name, seconds in spent.items()}
    traced = {name.partition(": ")[2]: ratio for name, ratio in ratios.items() if name.startswith("traced: ")}
    extra = median(ratio - ratios[f"first invocation: {name}"] for name, ratio in traced.items())
    return [
        Figure("cold: boto3 and a client alone", f"{1_000 * bare:.0f} ms"),
        *_middle_and_worst("cold", ratios, COLD_LIMIT),
        *_middle_and_worst("first invocation", ratios),
        Figure("first invocation: more when it is the first sampled", f"{extra:.2f} ×"),
    ]


def recorded(say: Any) -> dict[str, Invocation]:
    """An invocation of each handler that a migration takes."""
    watch = Stopwatch()
    say("cold starts, recording")
    with mock.patch.dict(os.environ, VARIABLES | _NO_IMAGES), mock_aws(), watch.runs():
        cloud = make_cloud()
        bring_to("cutover-verified", cloud)
        change = cloud.stream()[0]
        cloud.invoke(publish_events.handler, {"Records": [change]})
        (event, *_) = status_events(
            record_of(cloud), JournalEntry.from_json(StreamRecord.model_validate(change).document)
        )
        envelope = {"source": SOURCE, "detail-type": event.detail_type, "detail": json.loads(event.to_json())}
        cloud.invoke(callback_handler.handler, sqs_event(envelope))
        cloud.step(rollback_handler.handler, failure={"Error": "X", "Cause": "y"}, taskToken="undo")
    with mock.patch.dict(os.environ, VARIABLES | _NO_IMAGES), mock_aws(), watch.runs():
        cloud = make_cloud()
        bring_to("cutover-verified", cloud)
        cloud.step(finalize_cutover.handler)
    return watch.busiest


def _middle_and_worst(what: str, ratios: dict[str, float], limit: float | None = None) -> Iterator[Figure]:
    these = {name.removeprefix(f"{what}: "): ratio for name, ratio in ratios.items() if name.startswith(f"{what}: ")}
    worst = max(these, key=lambda name: these[name])
    yield Figure(f"{what}: median of the handlers", f"{median(these.values()):.2f} ×")
    name, measured = f"{what}: {worst}, the slowest", f"{these[worst]:.2f} ×"
    yield Figure(name, measured, f"<= {limit:g} ×", these[worst] <= limit) if limit else Figure(name, measured)


def warm_work(say: Any) -> list[Figure]:
    """Processor time of each handler's invocations over whole migrations."""
    watch = Stopwatch()
    with mock.patch.dict(os.environ, VARIABLES | _NO_IMAGES):
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


def _module_paths(folder: Path) -> tuple[str, str]:
    """For boto3 alone, and for the code asset as it is deployed."""
    (asset := folder / "asset").mkdir()
    bundle(asset, Target(f"{sys.version_info.major}.{sys.version_info.minor}", None))
    return str(link_provided(folder / "alone")), str(asset)


def _seconds_of(path: str, arguments: list[str], is_sampled: bool) -> float:
    # -S: without the site-packages of the tests.
    command = [sys.executable, "-S", *arguments]
    environment = os.environ | LAMBDA | {"PYTHONPATH": path, "_X_AMZN_TRACE_ID": _TRACE.format(is_sampled)}
    done = subprocess.run(command, env=environment, cwd=path, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure and print."""
    console = Console(file=sys.stdout)
    os.environ |= {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    # Written for nothing, but written: it is work of the handlers.
    written = mock.patch.object(logger.registered_handler, "stream", StringIO())
    # Powertools has read it already, when it was imported.
    named = mock.patch.object(metrics.provider, "namespace", LAMBDA["POWERTOOLS_METRICS_NAMESPACE"])
    with written, named, console.status("Handlers …") as status, redirect_stdout(StringIO()):
        say = lambda text: status.update(f"[dim]{text}[/]")  # noqa: E731
        figures = [*cold_starts(say), *warm_work(say)]
    note = (
        "Processor time, AWS calls excluded from warm work; parsing, validation, logging and journal included. "
        "Of invocations X-Ray does not sample: the first sampled one of an environment also loads X-Ray's SDK."
    )
    console.print(figures_table("Handlers", figures, note=note))


if __name__ == "__main__":
    main()
