"""Commands of the local cloud."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from localcloud import cloud, processes
from localcloud.deployment import DeploymentError
from localcloud.processes import StartError
from localcloud.settings import CloudSettings
from localcloud.state import FOLDER, CloudState, load

app = typer.Typer(help="An AWS account on this machine, with the stacks deployed to it.", no_args_is_help=True)
console = Console()

Folder = Annotated[Path, typer.Option(help="Where logs, state and temporary files are kept.")]


@app.command()
def up(
    folder: Folder = FOLDER,
    port: Annotated[int, typer.Option(help="Port of the AWS engine; 0 for any free one.")] = 4566,
    simulator_port: Annotated[int, typer.Option(help="Port of the MGN simulator; 0 for any free one.")] = 4567,
    scenario: Annotated[Path | None, typer.Option(help="Scenario of the MGN simulator.", exists=True)] = None,
    assembly: Annotated[Path | None, typer.Option(help="Synthesized stacks to deploy.")] = None,
    auth: Annotated[bool, typer.Option(help="Enforce IAM policies.")] = False,
    wait_scale: Annotated[float, typer.Option(help="Factor on Wait states and Retry delays.")] = 1.0,
    schedule_scale: Annotated[float, typer.Option(help="Divides the interval of scheduled rules.")] = 1.0,
    time_scale: Annotated[float, typer.Option(help="How much faster than real the MGN simulator runs.")] = 1.0,
    lambda_workers: Annotated[int, typer.Option(help="Handlers that run at once.")] = 8,
) -> None:
    """Start the local cloud and leave it running."""
    settings = CloudSettings(
        folder=folder,
        port=port or None,
        simulator_port=simulator_port or None,
        scenario=scenario,
        assembly=assembly,
        auth=auth,
        wait_scale=wait_scale,
        schedule_scale=schedule_scale,
        time_scale=time_scale,
        lambda_workers=lambda_workers,
    )
    begun = time.monotonic()

    def report(message: str) -> None:
        console.print(f"[dim]{time.monotonic() - begun:5.1f} s[/] {message}")

    try:
        state = cloud.up(settings, report)
    except (StartError, DeploymentError) as failure:
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


def _print_state(state: CloudState) -> None:
    table = Table(show_header=False, box=None)
    table.add_row("AWS", state.endpoint + (" (IAM enforced)" if state.auth else ""))
    if state.mgn_endpoint:
        table.add_row("MGN", state.mgn_endpoint)
    for stack, outputs in state.outputs.items():
        for name, value in outputs.items():
            table.add_row(f"{stack}.{name}", value)
    table.add_row("logs", str(state.folder))
    console.print(table)
