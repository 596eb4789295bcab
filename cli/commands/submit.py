"""`migrate submit`: requests from files to the deployment."""

from collections.abc import Sequence
from typing import Annotated

import typer

from cli.commands.handing_in import hand_in, place_of
from cli.commands.options import AsJson, Interval
from cli.deployed import Deployed
from cli.exits import UsageError
from cli.output import note, say_document, show, words
from cli.reading.requests import Message, option_defaults, raw_messages, valid_messages
from cli.sending import Via
from cli.tables import Column, Listing
from cli.target import Target, takes_target
from cli.views import in_number

Requests = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...", help="JSON, JSON Lines, YAML or CSV; a folder of such files; - is standard input."
    ),
]
Door = Annotated[Via, typer.Option(help="Send to the queue, or as events to the bus.")]
Raw = Annotated[bool, typer.Option("--raw", help="Send what is there without validating it, to see it rejected.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Validate, say what would be sent, and send nothing.")]
Default = Annotated[
    list[str] | None,
    typer.Option(
        "--default",
        help="A field of every request that does not say otherwise, like wave=7 or approval.cutover=true; repeatable.",
        metavar="FIELD=VALUE",
        show_default=False,
    ),
]
WaitForEnd = Annotated[
    bool | None,
    typer.Option(
        "--wait/--no-wait",
        help="Follow the migrations until all have ended, or send and leave; else until accepted or rejected.",
        show_default=False,
    ),
]


@takes_target
def submit(
    target: Target,
    files: Requests,
    default: Default = None,
    via: Door = Via.SQS,
    raw: Raw = False,
    dry_run: DryRun = False,
    wait: WaitForEnd = None,
    interval: Interval = 1.0,
    as_json: AsJson = False,
) -> None:
    """Submit migration requests, and tell which are accepted.

    Nothing is sent unless all are valid. Sending a request again is harmless: an id is accepted once.
    """
    if raw and wait and via is Via.EVENTBRIDGE:
        raise UsageError("--raw with --wait needs --via sqs: a rejection of an unvalidated event cannot be told apart")
    if raw and default:
        raise UsageError("--raw sends what is there: it takes no --default")
    messages = raw_messages(files) if raw else valid_messages(files, option_defaults(default or []))
    if dry_run:
        _print_valid(messages, as_json=as_json)
        return
    deployed = Deployed(target)
    told = wait if wait is not None or not (raw and via is Via.EVENTBRIDGE) else False
    raise typer.Exit(hand_in(deployed, messages, via, wait=told, interval=interval, as_json=as_json))


def _print_valid(messages: Sequence[Message], *, as_json: bool) -> None:
    if as_json:
        say_document([place_of(message) | {"messageId": None} for message in messages])
        return
    requests = [message.request for message in messages if message.request is not None]
    columns = [Column("Migration"), Column("Server"), Column("App", goes=2), Column("Wave", goes=1)]
    rows = [(each.migration_id, each.source_vm_id, each.app_name, each.wave) for each in requests]
    if rows:
        show(Listing(columns, [[*map(words, row)] for row in rows]))
    note(f"{in_number(len(messages), 'request')} valid, nothing sent")
