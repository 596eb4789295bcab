"""Commands of the local cloud."""

import time
from pathlib import Path
from subprocess import CalledProcessError
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from localcloud import cloud, processes
from localcloud.bench import run_bench
from localcloud.demo.run import ASSEMBLY, SCENARIOS, SCHEDULE_SCALE, TIME_SCALE, run_demo, synthesize
from localcloud.deployment import DeploymentError
from localcloud.processes import StartError
from localcloud.settings import CloudSettings, Interpreter
from localcloud.state import FOLDER, CloudState, in_words, load

app = typer.Typer(help="An AWS account on this machine, with the stacks deployed to it.", no_args_is_help=True)
console = Console()

Folder = Annotated[Path, typer.Option(help="Where logs, state and temporary files are kept.")]


@app.command()
def up(
    folder: Folder = FOLDER,
    port: Annotated[int, typer.Option(help="Port of the AWS engine; 0 for any free one.")] = 4566,
    simulator_port: Annotated[int, typer.Option(help="Port of the first MGN simulator; 0 for free ones.")] = 4567,
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
    """Start the local cloud and leave it running."""
    begun = time.monotonic()

    def report(message: str) -> None:
        console.print(f"[dim]{time.monotonic() - begun:5.1f} s[/] {message}")

    try:
        if deploy and assembly is None:
            report("synthesizing")
            synthesize()
        settings = CloudSettings(
            folder=folder,
            port=port or None,
            simulator_port=simulator_port or None,
            scenarios=tuple(scenario or SCENARIOS),
            assembly=(assembly or ASSEMBLY) if deploy else None,
            auth=auth,
            state_machines=state_machines,
            wait_scale=wait_scale,
            schedule_scale=schedule_scale,
            time_scale=time_scale,
            lambda_workers=lambda_workers,
        )
        state = cloud.up(settings, report)
    except (StartError, DeploymentError, CalledProcessError) as failure:
        console.print(f"[red]{failure}[/]", highlight=False)
        raise typer.Exit(1) from failure
    _print_state(state)


@app.command()
def down(folder: Folder = FOLDER) -> None:
    """Stop the local cloud and leave nothing behind but its logs."""
    was_up = cloud.down(folder)
    console.print("down" if was_up else "nothing was up")


@app.command()
def status(folder: Folder = FOLDER) -> None:
    """Show the local cloud; exits with 1 when it is not up."""
    state = load(folder)
    if state is None or not all(processes.is_running(process) for process in state.processes):
        console.print("not up")
        raise typer.Exit(1)
    _print_state(state)


@app.command()
def demo(
    auth: Annotated[bool, typer.Option(help="Enforce IAM policies for every role, mgn:* included.")] = False,
) -> None:
    """Deploy to a local cloud, migrate the sample servers, check the invariants and write out/demo/report.json."""
    try:
        raise typer.Exit(run_demo(console, auth=auth))
    except (StartError, DeploymentError) as failure:
        console.print(f"[red]{failure}[/]", highlight=False)
        raise typer.Exit(1) from failure


@app.command()
def bench(
    migrations: Annotated[int, typer.Option(min=1, max=200, help="Migrations at once.")] = 40,
    requests: Annotated[int, typer.Option(min=1, help="Requests put on the queue at once.")] = 1_000,
) -> None:
    """Load a fresh local cloud and print how it did: first migrations at once through both launches, then requests.

    The stacks are the real ones; the simulator runs sixty times faster than MGN. Nothing is left but logs in out/bench.
    """
    try:
        run_bench(console, migrations=migrations, requests=requests)
    except (StartError, DeploymentError) as failure:
        console.print(f"[red]{failure}[/]", highlight=False)
        raise typer.Exit(1) from failure


def _print_state(state: CloudState) -> None:
    table = Table(show_header=False, box=None)
    table.add_row("AWS", state.endpoint + (" (IAM enforced)" if state.auth else ""))
    for scope, url in state.simulators.items():
        table.add_row(f"MGN of {in_words(scope)}", url)
    for stack, outputs in state.outputs.items():
        for name, value in outputs.items():
            table.add_row(f"{stack}.{name}", value)
    table.add_row("logs", str(state.folder))
    console.print(table)
