"""`make demo`: the real stacks on the local cloud take sample servers through MGN, and the invariants are checked."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic.alias_generators import to_pascal
from rich.console import Console
from rich.live import Live

from cli.http_door import HttpDoor
from cli.views import listing
from localcloud.cloud import local_cloud
from localcloud.demo.evidence import gather
from localcloud.demo.invariants import judge
from localcloud.demo.receiver import CallbackReceiver, callback_receiver
from localcloud.demo.report import Report, migration_report, rejection_report
from localcloud.demo.tables import invariants_summary, migrations_summary, rejections_summary
from localcloud.deployment import DeploymentError
from localcloud.sample import Message, messages
from localcloud.settings import CloudSettings
from localcloud.state import CloudState
from runtime.adapters.state.documents import refuse
from runtime.adapters.state.state import DynamoDbState
from runtime.models.decisions import Decision
from runtime.models.deployment import Deployment, stack_name
from runtime.models.events import REQUEST_DETAIL_TYPE, MigrationSignal
from runtime.models.http import DECIDE, SUBMIT, SUBMIT_TEST, DecisionBody, Route
from runtime.models.record import MigrationRecord
from runtime.models.request import Gate
from runtime.models.status import MigrationStatus

FOLDER = Path("out/demo")
ASSEMBLY = Path("cdk.out/local")
SAMPLE = Path(__file__).parents[1] / "sample"
SCENARIOS = (SAMPLE / "scenario.yaml", SAMPLE / "target.yaml")
"""What MGN has at home and in the target."""

TIME_SCALE = 60
"""A simulated minute takes a second: one MGN launch lasts about eight."""

SCHEDULE_SCALE = 20
"""The sweep's minute takes three seconds."""

STILL_SECONDS = 60
"""No wait of the sample lasts so long: a demo in which nothing moves is a failure."""


@dataclass
class Stopwatch:
    """Where the time goes, in seconds by step."""

    steps: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step."""
        begun = time.monotonic()
        yield
        self.steps[name] = round(time.monotonic() - begun, 1)


def synthesize() -> None:
    """Write the local stage's templates; raises DeploymentError with the CLI's own words."""
    command = ["cdk", "synth", "--quiet", "--context", "stage=local", "--output", str(ASSEMBLY)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise DeploymentError("there is no cdk on the path: run `make setup`, and use make") from error
    if done.returncode:
        raise DeploymentError(f"cdk synth failed:\n{done.stdout}{done.stderr}")


def run_demo(console: Console, *, auth: bool) -> int:
    """Run it all; the exit code is 0 only if every migration ended as expected and every invariant held."""
    started, watch = datetime.now(UTC), Stopwatch()
    FOLDER.mkdir(parents=True, exist_ok=True)
    console.print("[bold]1[/] Synthesizing the stacks …")
    with watch.step("synth"):
        synthesize()
    settings = CloudSettings(
        folder=FOLDER / "cloud",
        scenarios=SCENARIOS,
        assembly=ASSEMBLY,
        auth=auth,
        time_scale=TIME_SCALE,
        schedule_scale=SCHEDULE_SCALE,
    )
    console.print(f"[bold]2[/] Starting the local cloud and deploying to it{' with IAM enforced' if auth else ''} …")
    begun = time.monotonic()
    with (
        local_cloud(settings, lambda text: console.print(f"  [dim]{text}[/]")) as state,
        callback_receiver(_callback_secret(state)) as receiver,
    ):
        watch.steps["start and deploy"] = round(time.monotonic() - begun, 1)
        run = DemoRun(state, messages(receiver.url))
        console.print(f"[bold]3[/] Sending {len(run.sent)} messages through SQS, EventBridge and HTTP …")
        with watch.step("migrations"):
            run.send()
            run.follow(console)
        with watch.step("evidence"):
            report = run.report(receiver, started, watch, auth)
    path = FOLDER / "report.json"
    path.write_text(report.model_dump_json(indent=2) + "\n")
    return _conclude(console, report, path)


class DemoRun:
    """One run against a deployed local cloud."""

    def __init__(self, state: CloudState, sent: tuple[Message, ...]) -> None:
        self.sent = sent
        self._state = state
        self.deployment = deployment_of(state)
        self._sqs, self._events = state.client("sqs"), state.client("events")
        self._http = HttpDoor.of(self.deployment, state.session(), state.endpoint)
        self.table = DynamoDbState(state.client("dynamodb"), self.deployment.state_table_name, refuse)
        self._decided: set[tuple[str, str]] = set()

    def send(self) -> None:
        """Put every message through its front door."""
        for message in self.sent:
            match message.door:
                case "sqs":
                    self._sqs.send_message(QueueUrl=self.deployment.queue_url, MessageBody=message.body)
                case "eventbridge":
                    self._put_event(REQUEST_DETAIL_TYPE, message.body)
                case "http":
                    self._ask(SUBMIT, message.body)
                case "http test":
                    self._ask(SUBMIT_TEST, message.body)

    def follow(self, console: Console) -> None:
        """Show progress and decide where a person is asked, until every message has come to its end."""
        last, moved = 0, time.monotonic()
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            while time.monotonic() < moved + STILL_SECONDS:
                records = tuple(self.table.migrations.find())
                if (entries := sum(record.sequence for record in records)) != last:
                    last, moved = entries, time.monotonic()
                live.update(listing(records, now=datetime.now(UTC)).table(console.width, whole=False))
                for record in records:
                    self._decide(record)
                if self._is_over(records):
                    return
                time.sleep(0.5)
        console.print(f"[red]Not every migration ended, and for {STILL_SECONDS} s none moved.[/]")

    def report(self, receiver: CallbackReceiver, started: datetime, watch: Stopwatch, auth: bool) -> Report:
        """Wait for the last callbacks, gather the evidence and judge it."""
        _wait_for(lambda: self._callbacks_missing(receiver) == 0, seconds=15)
        evidence = gather(self._state, self.deployment, self.sent, receiver)
        expected = {message.migration_id: message.ends for message in self.sent}
        return Report(
            started=started,
            seconds=round((datetime.now(UTC) - started).total_seconds(), 1),
            auth=auth,
            steps=watch.steps,
            migrations=tuple(
                migration_report(record, evidence.journals[record.migration_id], expected.get(record.migration_id))
                for record in sorted(evidence.records, key=lambda record: record.migration_id)
            ),
            rejections=tuple(rejection_report(rejection) for rejection in evidence.rejections),
            invariants=judge(evidence),
        )

    def _decide(self, record: MigrationRecord) -> None:
        if record.status is not MigrationStatus.AWAITING_APPROVAL:
            return
        gate = Gate.FINALIZE if record.cutover_launch else Gate.CUTOVER
        if (record.migration_id, gate) in self._decided:
            return
        self._decided.add((record.migration_id, gate))
        expected = next(m.ends for m in self.sent if m.migration_id == record.migration_id)
        cancels = expected == MigrationStatus.CANCELLED
        decision = DecisionBody(
            decision=Decision.CANCEL if cancels else Decision.APPROVE,
            gate=None if cancels else gate,
            by="demo operator",
            reason="the team is not ready" if cancels else "checked the test instance",
        )
        if gate is Gate.FINALIZE:
            self._ask(DECIDE, decision.to_json(), record.migration_id)
            return
        signal = MigrationSignal(migration_id=record.migration_id, **decision.model_dump(by_alias=False))
        self._sqs.send_message(QueueUrl=self.deployment.decisions_queue_url or "", MessageBody=signal.to_json())

    def _is_over(self, records: tuple[MigrationRecord, ...]) -> bool:
        expected = {message.migration_id for message in self.sent if message.migration_id}
        ended = {record.migration_id for record in records if record.status.is_terminal}
        unusable = {message.body for message in self.sent} - {m.body for m in self.sent if m.migration_id}
        return expected <= ended and len(tuple(self.table.migrations.rejections())) >= len(unusable)

    def _callbacks_missing(self, receiver: CallbackReceiver) -> int:
        ended = {c.migration_id for c in list(receiver.callbacks.values()) if c.to_status.is_terminal}
        return sum(bool(m.migration_id) and m.migration_id not in ended for m in self.sent)

    def _ask(self, route: Route, body: str, migration_id: str = "") -> None:
        answer = self._http.ask(route, body, migration_id)
        if answer.refusal:
            raise DeploymentError(f"{route.method} {route.path} answered {answer.status}: {answer.refusal}")

    def _put_event(self, detail_type: str, detail: str) -> None:
        entry = {"Source": "demo.producer", "DetailType": detail_type, "Detail": detail}
        self._events.put_events(Entries=[{**entry, "EventBusName": self.deployment.event_bus_name}])


def _wait_for(condition: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.2)


def deployment_of(state: CloudState) -> Deployment:
    """What was deployed, by the outputs of its stack."""
    outputs = state.outputs[stack_name("local", "Orchestration")]
    fields = {to_pascal(field): field for field in Deployment.model_fields}
    return Deployment.model_validate({fields[name]: value for name, value in outputs.items() if name in fields})


def _callback_secret(state: CloudState) -> str:
    arn = deployment_of(state).callback_secret_arn
    return str(state.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])


def _conclude(console: Console, report: Report, path: Path) -> int:
    for summary in (migrations_summary, rejections_summary, invariants_summary):
        console.print(summary(report, console.width))
    steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in report.steps.items())
    console.print(f"{report.seconds:.0f} s in all: {steps}. Report: [bold]{path}[/]")
    for line in (*report.surprises, *report.broken):
        console.print(f"[red]✗ {line}[/]", highlight=False)
    return 1 if report.surprises or report.broken else 0
