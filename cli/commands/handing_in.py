"""Requests on their way in: sent, remembered, and told of as soon as it is known what became of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from time import sleep

from cli.commands.watch import conclude, follow
from cli.deployed import Deployed
from cli.exits import ExitCode
from cli.following import Watched
from cli.output import advise, complain, progress, say, say_document, warn
from cli.reading.requests import Message
from cli.refusals import is_denied
from cli.sending import Sent, Via, send
from cli.sent import SENT, OnItsWay
from cli.views import in_number

DOOR_LOOKS = 30
DOOR_SECONDS = 0.5
"""How often and at what intervals it is looked for what became of requests before they are left on their way."""

SHOWN_REJECTIONS = 20


def hand_in(
    deployed: Deployed,
    messages: Sequence[Message],
    via: Via,
    *,
    wait: bool | None,
    interval: float = 1.0,
    as_json: bool,
) -> ExitCode:
    """Send requests and tell what becomes of them: until the end, not at all, or at the door when `wait` is None."""
    at = datetime.now(UTC)
    with progress("sending", len(messages)) as bar:
        sent = send(deployed, messages, via, lambda count: bar.advance(bar.task_ids[0], count))
    requests = [_on_its_way(one, via, at) for one in sent]
    deployed.outbox.add(requests)
    if not as_json:
        say(f"{in_number(len(sent), 'request')} sent to {deployed.stage} by {via}")
    watched = Watched(deployed.state, {one.migration_id: one for one in requests})
    if wait:
        ids = list(watched.on_the_way)
        follow(watched, lambda: ids, until_done=True, interval=interval, as_json=as_json)
        deployed.outbox.forget(set(ids) - watched.on_the_way.keys())
        return conclude(watched)
    if wait is None:
        _wait_at_the_door(deployed, watched)
    return _tell(watched, sent, as_json=as_json)


def _wait_at_the_door(deployed: Deployed, watched: Watched) -> None:
    """Look for what becomes of the requests, until that is known or it takes too long."""
    from botocore.exceptions import ClientError

    ids = list(watched.on_the_way)
    with progress("accepted or rejected", len(ids)) as bar:
        for _ in range(DOOR_LOOKS):
            try:
                watched.look_at_the_door()
            except ClientError as error:
                if not is_denied(error):
                    raise
                warn("you may send requests, but not see what becomes of them")
                break
            bar.update(bar.task_ids[0], completed=len(ids) - len(watched.on_the_way))
            if not watched.on_the_way:
                break
            sleep(DOOR_SECONDS)
    deployed.outbox.forget(set(ids) - watched.on_the_way.keys())


def _tell(watched: Watched, sent: Sequence[Sent], *, as_json: bool) -> ExitCode:
    rejected, waiting = watched.rejected, watched.on_the_way
    code = ExitCode.ENDED_BADLY if rejected else ExitCode.OK
    if as_json:
        say_document([_row(watched, one) for one in sent])
        return code
    accepted = len(sent) - len(rejected) - len(waiting)
    if accepted:
        say(f"{accepted} accepted")
    if waiting:
        say(f"{len(waiting)} {SENT}, neither accepted nor rejected yet")
    if rejected:
        told = [f"  {id_}: {one.reason}" for id_, one in list(rejected.items())[:SHOWN_REJECTIONS]]
        more = [f"  and {len(rejected) - SHOWN_REJECTIONS} more"] if len(rejected) > SHOWN_REJECTIONS else []
        complain("\n".join([f"{len(rejected)} rejected", *told, *more]))
    _advise(watched, sent)
    return code


def _advise(watched: Watched, sent: Sequence[Sent]) -> None:
    followed = [one.message for one in sent if one.message.migration_id not in watched.rejected]
    waves = {message.request.wave for message in followed if message.request is not None}
    if len(followed) == 1:
        advise(f"follow it: migrate watch {followed[0].migration_id}")
    elif followed and len(waves) == 1:
        advise(f"follow them: migrate watch --wave {waves.pop()}")
    elif followed:
        advise("follow them: migrate watch")


def _row(watched: Watched, one: Sent) -> dict[str, object]:
    key = _key(one)
    row: dict[str, object] = place_of(one.message) | {"messageId": one.id}
    if key in watched.rejected:
        return {**row, "became": "rejected", "reason": watched.rejected[key].reason}
    return {**row, "became": "sent" if key in watched.on_the_way else "accepted"}


def _on_its_way(sent: Sent, via: Via, at: datetime) -> OnItsWay:
    request = sent.message.request
    return OnItsWay(
        migration_id=_key(sent),
        source_vm_id=request.source_vm_id if request else "",
        app_name=request.app_name if request else "",
        wave=request.wave if request else "",
        digest=request.digest() if request else None,
        message_id=sent.id if via is Via.SQS else None,
        at=at,
    )


def _key(sent: Sent) -> str:
    # What is sent raw may have no migration id.
    return sent.message.migration_id or sent.id


def place_of(message: Message) -> dict[str, object]:
    """Where a request was read, and its id."""
    return {"file": message.file, "line": message.line, "migrationId": message.migration_id}
