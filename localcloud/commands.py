"""Commands of the local cloud."""

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from localcloud import cloud
from localcloud.bench import run_bench
from localcloud.demo.run import ASSEMBLY, SCENARIOS, SCHEDULE_SCALE, TIME_SCALE, run_demo, synthesize
from localcloud.deployment import DeploymentError
from localcloud.processes import StartError, is_port_open
from localcloud.sample import SAMPLE_SERVER, write_sample
from localcloud.settings import CloudSettings, Interpreter
from localcloud.state import FOLDER, CloudState, in_words, load

app = typer.Typer(help="An AWS account on this machine, with the stacks deployed to it.", no_args_is_help=True)
console = Console()

ENGINE_PORT, SIMULATOR_PORT = 4566, 4567
"""What the local cloud listens on when nothing else does."""

Folder = Annotated[Path, typer.Option(help="Where logs, state and temporary files are kept.")]


@app.command()
def up(
    folder: Folder = FOLDER,
    port: Annotated[
        int | None, typer.Option(help="Port of the AWS engine, 0 for any free one; 4566 if it is free.")
    ] = None,
    simulator_port: Annotated[
        int | None, typer.Option(help="Port of the first MGN simulator, 0 for free ones; 4567 if it is free.")
    ] = None,
    scenario: Annotated[
        list[Path] | None, typer.Option(help="Scenario of an MGN simulator; ours for home and target.", exists=True)
    ] = None,
    assembly: Annotated[Path | None, typer.Option(help="Stacks to deploy; ours, synthesized, by default.")] = None,
    deploy: Annotated[bool, typer.Option(help="Deploy stacks.")] = True,
    auth: Annotated[bool, typer.Option(help="Enforce IAM policies.")] = False,
    wait_scale: Annotated[float, typer.Option(help="Factor on Wait states and Retry delays.")] = 1.0,
    schedule_scale: Annotated[float, typer.Option(help="Divides the interval of scheduled rules.")] = SCHEDULE_SCALE,
    time_scale: Annotated[float, typer.Option(help="How much faster than real the MGN simulator runs.")] = TIME_SCALE,
    lambda_workers: Annotated[int, typer.Option(help="Handlers that run at once.")] = 8,
    state_machines: Annotated[Interpreter, typer.Option(help="Whose interpreter runs them.")] = "engine",
) -> None:
    """Start the local cloud and leave it running; one that is up and well is left as it is."""
    begun = time.monotonic()

    def report(message: str) -> None:
        console.print(f"[dim]{time.monotonic() - begun:5.1f} s[/] {message}")

    running = load(folder)
    if running is not None and cloud.is_well(running):
        _tell_how_to_use(running)
        return
    with _told():
        settings = CloudSettings(
            folder=folder,
            port=_wanted(port, ENGINE_PORT, report),
            simulator_port=_wanted(simulator_port, SIMULATOR_PORT, report),
            scenarios=tuple(scenario or SCENARIOS),
            assembly=(assembly or ASSEMBLY) if deploy else None,
            auth=auth,
            state_machines=state_machines,
            wait_scale=wait_scale,
            schedule_scale=schedule_scale,
            time_scale=time_scale,
            lambda_workers=lambda_workers,
        )
        if deploy and assembly is None:
            report("synthesizing")
            synthesize()
        state = cloud.up(settings, report)
    _tell_how_to_use(state)


@app.command()
def down(folder: Folder = FOLDER) -> None:
    """Stop the local cloud and leave nothing behind but its logs."""
    was_up = cloud.down(folder)
    console.print("down" if was_up else "nothing was up")


@app.command()
def status(folder: Folder = FOLDER) -> None:
    """Show the local cloud; exits with 1 when it is not up."""
    state = load(folder)
    if state is None:
        console.print("not up: `make local` starts it")
        raise typer.Exit(1)
    if not cloud.is_well(state):
        console.print("not well, something of it died: `make local` starts it anew")
        raise typer.Exit(1)
    _tell_how_to_use(state)


@app.command()
def demo(
    auth: Annotated[bool, typer.Option(help="Enforce IAM policies for every role, mgn:* included.")] = False,
) -> None:
    """Deploy to a local cloud, migrate the sample servers, check the invariants and write out/demo/report.json."""
    with _told():
        raise typer.Exit(run_demo(console, auth=auth))


@app.command()
def bench(
    migrations: Annotated[int, typer.Option(min=1, max=200, help="Migrations at once.")] = 40,
    requests: Annotated[int, typer.Option(min=1, help="Requests put on the queue at once.")] = 1_000,
) -> None:
    """Load a fresh local cloud and print how it did: first migrations at once through both launches, then requests.

    The stacks are the real ones; the simulator runs sixty times faster than MGN. Nothing is left but logs in out/bench.
    """
    with _told():
        run_bench(console, migrations=migrations, requests=requests)


@contextmanager
def _told() -> Iterator[None]:
    """Ends with what went wrong in words, be it ours or the machine's."""
    try:
        yield
    except (StartError, DeploymentError) as failure:
        console.print(str(failure), style="red", highlight=False, markup=False)
        raise typer.Exit(1) from failure
    except OSError as failure:
        where = f"{failure.filename}: " if failure.filename else ""
        console.print(f"{where}{failure.strerror or failure}", style="red", highlight=False, markup=False)
        raise typer.Exit(1) from failure


def _wanted(port: int | None, usual: int, report: cloud.Report) -> int | None:
    """The port that was named, or the usual one, or None for any free one."""
    if port is not None:
        return port or None
    if not is_port_open(usual):
        return usual
    report(f"port {usual} is taken: taking another")
    return None


def _servers_at_home(state: CloudState) -> set[str]:
    """The names of the servers that MGN has in the stage's own account; none when it does not answer."""
    try:
        with urllib.request.urlopen(f"{state.simulators[state.home]}/_simulator/state", timeout=10) as answer:
            return {server["name"] for server in json.load(answer)["servers"]}
    except (KeyError, OSError, ValueError):
        return set()


def _tell_how_to_use(state: CloudState) -> None:
    lines = [f"A local cloud is up at {state.endpoint}{' with IAM enforced' if state.auth else ''}."]
    if state.outputs:
        if SAMPLE_SERVER in _servers_at_home(state):
            sample = write_sample(state.folder)
            lines += [
                "Migrate a server of it:",
                f"  .venv/bin/migrate --stage local submit {sample.file}",
                f"  .venv/bin/migrate --stage local watch {sample.migration_id}",
            ]
        lines += ["All its servers, as requests to edit:", "  .venv/bin/migrate --stage local draft --from-mgn"]
    lines += [f"MGN of {in_words(scope)}: {url}/" for scope, url in state.simulators.items()]
    lines += [f"Logs: {state.folder}/", "Stop it: make local-down"]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
