"""The `migrate` command."""

import os
from typing import Any

import typer
from typer.core import TyperGroup

from cli.commands import decide, status, submit
from cli.commands.callback_key import callback_key
from cli.commands.options import block, examples
from cli.commands.schema import schema
from cli.deployed import aws_refusals
from cli.exits import CliError, ExitCode
from cli.output import complain
from cli.target import EndpointUrl, Profile, Region, Stage, Target


class _Ending(TyperGroup):
    """Turns every error raised on purpose into its message and its exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            with aws_refusals():
                return super().invoke(ctx)
        except CliError as error:
            complain(str(error))
            raise typer.Exit(error.exit_code) from error


HELP_END = "\n\n".join(
    [
        block("Exit codes", *(f"{code:d}  {code.meaning}" for code in ExitCode)),
        examples(
            "migrate submit wave-1.jsonl --wait",
            "migrate status --wave 1",
            'migrate approve mig-1 --gate cutover --reason "tested by the team"',
            "migrate --stage prod watch",
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


@app.callback()
def main(
    context: typer.Context,
    stage: Stage = None,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Migrate servers to AWS with Application Migration Service: submit requests, follow them, decide.

    The options of the deployment may also follow the command. Stage local is the local cloud of `make local`.
    """
    found = Target(
        stage=os.environ.get("MIGRATE_STAGE"),
        endpoint_url=os.environ.get("AWS_ENDPOINT_URL"),
        region=os.environ.get("AWS_REGION"),
    )
    context.obj = Target(stage, endpoint_url, region, profile).or_else(found)


app.command(
    epilog=examples(
        "migrate submit request.json",
        "migrate submit wave-1.jsonl --wait --stage prod",
        "migrate submit requests.json --dry-run",
        "generate-requests | migrate submit - --via eventbridge --json",
    )
)(submit.submit)
app.command(
    epilog=examples(
        "migrate status",
        "migrate status mig-1",
        "migrate status --wave 1 --status FROZEN --json",
        "migrate status --phases --app billing",
        "migrate status --rejections",
    )
)(status.status)
app.command(
    epilog=examples(
        "migrate watch",
        "migrate watch mig-1 mig-2",
        "migrate watch --wave 1 --until-done && echo all completed",
        "migrate watch --forever --json",
    )
)(status.watch)
app.command(
    epilog=examples(
        'migrate approve mig-1 --gate cutover --reason "test launch looks good"',
        'migrate approve mig-1 mig-2 --gate finalize --by ada@example.com --reason "accepted by the owner"',
    )
)(decide.approve)
app.command(epilog=examples('migrate reject mig-1 --gate finalize --reason "reports are slow"'))(decide.reject)
app.command(epilog=examples('migrate cancel mig-1 mig-2 --reason "wave postponed"'))(decide.cancel)
app.command(epilog=examples('migrate release mig-1 --reason "instance removed by hand, CHG-4711"'))(decide.release)
app.command("callback-key", epilog=examples("migrate callback-key https://cmdb.example.com/hooks --stage prod"))(
    callback_key
)
app.command(
    epilog=examples(
        "migrate schema",
        "migrate schema MigrationCompleted MigrationFailed",
        "migrate schema --list",
        "migrate schema --write docs/schemas",
    )
)(schema)
