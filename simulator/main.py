"""The `mgn-simulator` command."""

import logging
from re import fullmatch
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from simulator.clock import FASTEST, ScaledClock
from simulator.effects import Effects, endpoint_effects
from simulator.effects.lanes import logger as effects_log
from simulator.engine import Simulator
from simulator.engine.journal import JournalHandler
from simulator.http.serving import listen
from simulator.http.serving import serve as serve_http
from simulator.scenario import REGION, Scenario, ScenarioError, load_scenario, ready_scenarios
from simulator.scenario.generator import generate_yaml


def _block(title: str, *lines: str) -> str:
    return "\n".join([f"[bold]{title}[/]", *lines])


app = typer.Typer(
    help="A simulator of AWS Application Migration Service (MGN).",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_show_locals=False,
    epilog="\n\n".join(
        [
            _block(
                "Examples",
                "$ mgn-simulator serve --time-scale 60",
                "$ mgn-simulator scenario --servers 100 --seed 1 > my.yaml",
                "$ mgn-simulator serve --scenario my.yaml --port 8085",
                "$ AWS_ENDPOINT_URL_MGN=http://127.0.0.1:8085 aws mgn describe-source-servers",
            ),
            _block("Ready scenarios", *ready_scenarios()),
            _block("Exit codes", "0  ended by a signal", "2  wrong option, scenario or port", "3  an endpoint fails"),
        ]
    ),
)


@app.command(
    epilog=_block(
        "Examples",
        "$ mgn-simulator serve --scenario messy-wave-40 --time-scale 60",
        "$ mgn-simulator serve --scenario my.yaml --port 0 --seed 7",
        "$ mgn-simulator serve --ec2-endpoint http://127.0.0.1:4566 --events-endpoint http://127.0.0.1:4566",
    )
)
def serve(
    scenario: Annotated[str, typer.Option(help="Scenario file (YAML), or the name of a ready one.")] = "happy-wave-12",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes a free one.")] = 8085,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    time_scale: Annotated[
        float, typer.Option(help=f"Simulated seconds for each real one, above 0 and at most {FASTEST}.")
    ] = 1.0,
    seed: Annotated[int | None, typer.Option(help="Overrides the scenario's seed.")] = None,
    ec2_endpoint: Annotated[str | None, typer.Option(help="EC2 endpoint for instances and launch templates.")] = None,
    events_endpoint: Annotated[str | None, typer.Option(help="EventBridge endpoint for MGN's own events.")] = None,
    s3_endpoint: Annotated[str | None, typer.Option(help="S3 endpoint for imports and exports.")] = None,
    address_pool: Annotated[
        str | None,
        typer.Option(help="Network for instances' addresses, e.g. 127.16.0.0/16; serves their applications."),
    ] = None,
    account: Annotated[str | None, typer.Option(help="Account id; overrides the scenario's.")] = None,
    region: Annotated[str | None, typer.Option(help="Region; overrides the scenario's.")] = None,
) -> None:
    """Serve the MGN API, the control face under /_simulator/ and a page to look at under /."""
    _require_usable(time_scale, account, region, pool_alone=bool(address_pool and not ec2_endpoint))
    chosen = {name: value for name, value in (("account_id", account), ("region", region)) if value}
    try:
        loaded = load_scenario(scenario).model_copy(update=chosen)
        bound = listen(host, port)
    except ScenarioError as error:
        typer.echo(f"mgn-simulator: {error}", err=True)
        raise typer.Exit(2) from error
    except OSError as error:
        typer.echo(f"mgn-simulator: cannot listen on {host}:{port}: {error.strerror}", err=True)
        raise typer.Exit(2) from error
    try:
        effects = endpoint_effects(
            loaded.region,
            ec2_endpoint=ec2_endpoint,
            events_endpoint=events_endpoint,
            s3_endpoint=s3_endpoint,
            address_pool=address_pool,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    try:
        simulator = _simulator(loaded, effects, time_scale, seed)
        count = len(simulator.account.servers)
        typer.echo(f"mgn-simulator: http://{host}:{bound.getsockname()[1]} with {count} source servers")
        serve_http(simulator, bound)
    except (BotoCoreError, ClientError) as error:
        typer.echo(f"mgn-simulator: an endpoint does not work: {error}", err=True)
        raise typer.Exit(3) from error
    finally:
        effects.close()


@app.command("scenario", epilog=_block("Examples", "$ mgn-simulator scenario --servers 100 --seed 1 > my.yaml"))
def print_scenario(
    servers: Annotated[int, typer.Option(min=1, max=50_000, help="How many source servers.")] = 12,
    seed: Annotated[int, typer.Option(help="The same seed gives the same scenario.")] = 0,
) -> None:
    """Print a generated scenario as YAML."""
    typer.echo(generate_yaml(servers, seed), nl=False)


def _require_usable(time_scale: float, account: str | None, region: str | None, *, pool_alone: bool) -> None:
    if pool_alone:
        raise typer.BadParameter("--address-pool needs --ec2-endpoint: only there have instances an address")
    if not 0 < time_scale <= FASTEST:
        raise typer.BadParameter(f"--time-scale {time_scale}: give a number above 0 and at most {FASTEST}")
    if account and not fullmatch("[0-9]{12}", account):
        raise typer.BadParameter(f"--account {account}: an account id has twelve digits")
    if region and not fullmatch(REGION, region):
        raise typer.BadParameter(f"--region {region}: a Region is named like us-east-1")


def _simulator(scenario: Scenario, effects: Effects, time_scale: float, seed: int | None) -> Simulator:
    """On a running clock; what its effects complain of is in its log."""
    start = scenario.start_seconds if scenario.start else None
    simulator = Simulator(
        scenario,
        clock=ScaledClock(time_scale, start),
        compute=effects.compute,
        bus=effects.bus,
        objects=effects.objects,
        seed=seed,
    )
    logging.basicConfig(level=logging.WARNING, format="mgn-simulator: %(message)s")
    effects_log.addHandler(JournalHandler(simulator.journal, simulator.clock.now))
    return simulator


if __name__ == "__main__":
    app()
