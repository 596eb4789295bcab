"""`migrate submit`: requests from a file to the deployment."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from time import sleep
from typing import Annotated

import typer

from cli.commands.options import AsJson, Interval
from cli.deployed import Deployed
from cli.exits import ExitCode, UsageError
from cli.following import Submission, Watched
from cli.output import say, say_document
from cli.request_file import Message, raw_messages, read_text, valid_messages
from cli.screens import screen
from cli.sending import Sent, Via, send
from cli.target import Target, takes_target

CLOCK_SKEW = timedelta(seconds=5)

Requests = Annotated[
    str,
    typer.Argument(metavar="FILE", help="JSON: one request, a list of them, or JSON Lines; - is standard input."),
]
Door = Annotated[Via, typer.Option(help="Send to the queue, or as events to the bus.")]
Raw = Annotated[bool, typer.Option("--raw", help="Send what is there without validating it, to see it rejected.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Validate, say what would be sent, and send nothing.")]
WaitForEnd = Annotated[bool, typer.Option("--wait", help="Follow the migrations until all have ended.")]


@takes_target
def submit(
    target: Target,
    file: Requests,
    via: Door = Via.SQS,
    raw: Raw = False,
    dry_run: DryRun = False,
    wait: WaitForEnd = False,
    interval: Interval = 1.0,
    as_json: AsJson = False,
) -> None:
    """Submit migration requests.

    Nothing is sent unless all are valid. Sending a request again is harmless: an id is accepted once.
    """
    if raw and wait and via is Via.EVENTBRIDGE:
        raise UsageError("--raw with --wait needs --via sqs: a rejection of an unvalidated event cannot be told apart")
    text = read_text(file)
    messages = raw_messages(text) if raw else valid_messages(text)
    if dry_run:
        _print(messages, [], as_json=as_json, text=f"{_requests(len(messages))} valid, nothing sent")
        return
    deployed = Deployed(target)
    since = datetime.now(UTC) - CLOCK_SKEW
    sent = send(deployed, messages, via)
    if not wait:
        _print(messages, sent, as_json=as_json, text=f"{_requests(len(sent))} sent to {deployed.stage} by {via}")
        return
    if not as_json:
        say(f"{_requests(len(sent))} sent to {deployed.stage} by {via}")
    raise typer.Exit(_wait(deployed, Submission(sent, via, since), interval=interval, as_json=as_json))


def _wait(deployed: Deployed, submission: Submission, *, interval: float, as_json: bool) -> ExitCode:
    watched = Watched(deployed.state)
    with screen(watched, as_json=as_json) as show:
        while True:
            changes = watched.look(submission.migration_ids())
            show([*changes, *submission.look(watched)])
            if submission.has_ended(watched):
                break
            sleep(interval)
    return ExitCode.ENDED_BADLY if submission.rejections or not watched.all_completed() else ExitCode.OK


def _print(messages: Sequence[Message], sent: Sequence[Sent], *, as_json: bool, text: str) -> None:
    if not as_json:
        say(text)
        return
    ids: Sequence[str | None] = [one.id for one in sent] or [None] * len(messages)
    rows = [
        {"line": message.line, "migrationId": message.migration_id, "messageId": id_}
        for message, id_ in zip(messages, ids, strict=True)
    ]
    say_document(rows)


def _requests(count: int) -> str:
    return f"{count} request{'' if count == 1 else 's'}"
