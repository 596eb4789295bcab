"""The `migrate` command."""

import os
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli.commands import decide, listing, logs, status, submit, watch
from cli.commands.callback_key import callback_key
from cli.commands.config import config
from cli.commands.draft import draft
from cli.commands.options import block, examples
from cli.commands.plan import plan
from cli.commands.retry import retry
from cli.commands.schema import schema
from cli.commands.wait import wait
from cli.exits import CliError, ExitCode
from cli.output import complain, say, take_any_text
from cli.refusals import aws_refusals
from cli.target import EndpointUrl, Profile, Region, Stage, Target, of_environment, web_address


class _Ending(TyperGroup):
    """Turns every error raised on purpose, and what the machine refuses, into its message and its exit code."""

    def main(self, *args: Any, **options: Any) -> Any:
        take_any_text()
        return super().main(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        try:
            with aws_refusals():
                return super().invoke(ctx)
        except CliError as error:
            complain(str(error))
            raise typer.Exit(error.exit_code) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            complain(f"{where}{error.strerror or error}")
            raise typer.Exit(ExitCode.USAGE) from error


HELP_END = "\n\n".join(
    [
        block("Exit codes", *(f"{code:d}  {code.meaning}" for code in ExitCode)),
        examples(
            "migrate submit wave-1.csv",
            "migrate watch --wave 1",
            "migrate list --status FROZEN --status ROLLED_BACK",
            'migrate approve --wave 1 --gate cutover --reason "tested by the team"',
            "migrate --stage prod list -o csv > migrations.csv",
        ),
    ]
)

app = typer.Typer(
    name="migrate",
    cls=_Ending,
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_show_locals=False,
    epilog=HELP_END,
)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"migrate {version('mgn-migration-orchestrator')}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", help="Print the version and end.", callback=_version, is_eager=True)
]


@app.callback()
def main(
    context: typer.Context,
    stage: Stage = None,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
    version: Version = False,
) -> None:
    """Migrate servers to AWS with Application Migration Service: submit requests, follow them, decide.

    The options of the deployment may also follow the command. Stage local is the local cloud of `make local`.
    """
    found = of_environment(os.environ)
    if found.endpoint_url is not None and endpoint_url is None:
        web_address(found.endpoint_url)
    context.obj = Target(stage, endpoint_url, region, profile).or_else(found)


SENDING, LOOKING, DECIDING, MORE = "Send", "Look", "Decide", "More"

app.command(
    rich_help_panel=SENDING,
    epilog=examples(
        "migrate submit request.json",
        "migrate submit wave-1.csv --default source=vmware --default environment=production",
        "migrate submit wave-1/ --dry-run",
        "migrate submit wave-1.yaml --wait --stage prod",
        "generate-requests | migrate submit - --json",
    ),
)(submit.submit)
app.command(
    rich_help_panel=SENDING,
    epilog=examples(
        "migrate plan wave-1.csv --default source=vmware --default environment=production",
        "migrate plan request.json --json",
    ),
)(plan)
app.command(
    rich_help_panel=SENDING,
    epilog=examples(
        "migrate draft --from-mgn > wave-1.yaml",
        "migrate draft --from-mgn --wave wave-1 --tag Env=prod -o csv > wave-1.csv",
    ),
)(draft)
app.command(
    rich_help_panel=SENDING,
    epilog=examples("migrate retry mig-1", "migrate retry --wave 1 --status ROLLED_BACK"),
)(retry)
app.command(
    "list",
    rich_help_panel=LOOKING,
    epilog=examples(
        "migrate list",
        "migrate list --wave 1 --wave 2 --active",
        "migrate list --status FROZEN --since 2d -o wide",
        "migrate list --search billing --sort -changed -o csv",
        "migrate list --status AWAITING_APPROVAL -o name",
    ),
)(listing.list_migrations)
app.command(
    rich_help_panel=LOOKING,
    epilog=examples(
        "migrate status mig-1",
        "migrate status mig-1 --json",
        "migrate status --phases --app billing",
        "migrate status --rejections --since 1d",
    ),
)(status.status)
app.command(
    rich_help_panel=LOOKING,
    epilog=examples(
        "migrate watch",
        "migrate watch mig-1 mig-2",
        "migrate watch --wave 1 && echo all completed",
        "migrate watch --forever --json",
    ),
)(watch.watch)
app.command(
    rich_help_panel=LOOKING,
    epilog=examples(
        "migrate wait --wave 1 --timeout 4h",
        "migrate wait mig-1 --for accepted --timeout 1m",
        "migrate wait mig-1 --for AWAITING_APPROVAL",
    ),
)(wait)
app.command(rich_help_panel=LOOKING, epilog=examples("migrate logs mig-1", "migrate logs mig-1 --json | jq .message"))(
    logs.logs
)
app.command("open", rich_help_panel=LOOKING, epilog=examples("migrate open mig-1"))(logs.open_execution)
app.command(
    rich_help_panel=DECIDING,
    epilog=examples(
        'migrate approve mig-1 --gate cutover --reason "test launch looks good"',
        'migrate approve --wave 1 --status AWAITING_APPROVAL --gate cutover --reason "tested" --yes',
    ),
)(decide.approve)
app.command(
    rich_help_panel=DECIDING, epilog=examples('migrate reject mig-1 --gate finalize --reason "reports are slow"')
)(decide.reject)
app.command(
    rich_help_panel=DECIDING,
    epilog=examples(
        'migrate cancel mig-1 mig-2 --reason "wave postponed"', 'migrate cancel --wave 1 --reason "wave postponed"'
    ),
)(decide.cancel)
app.command(
    rich_help_panel=DECIDING, epilog=examples('migrate release mig-1 --reason "instance removed by hand, CHG-4711"')
)(decide.release)
app.command(rich_help_panel=MORE, epilog=examples("migrate config", "migrate config --stage local --json"))(config)
app.command(
    "callback-key",
    rich_help_panel=MORE,
    epilog=examples("migrate callback-key https://cmdb.example.com/hooks --stage prod"),
)(callback_key)
app.command(
    rich_help_panel=MORE,
    epilog=examples(
        "migrate schema",
        "migrate schema MigrationCompleted MigrationFailed",
        "migrate schema --list",
        "migrate schema --write docs/schemas",
    ),
)(schema)
