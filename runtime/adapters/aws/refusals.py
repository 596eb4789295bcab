"""AWS's refusals without what they quote: a tag value, user data, a task token or a secret is in no message (I11)."""

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from botocore.client import BaseClient

HIDDEN = "…"

SECRETIVE = frozenset(
    # Tags of anything, user data of instances, parameters of documents.
    {"tags", "tagspecifications", "userdata", "parameters"}
    # Task tokens and what goes with them.
    | {"tasktoken", "input", "output", "cause"}
    # Our own documents in the table, on the bus and in queues.
    | {"item", "expressionattributevalues", "transactitems", "entries", "messagebody"}
    | {"secretstring", "externalid"}
)
"""Members of requests, in lower case, whose values no refusal may repeat."""

_BESIDE = {"Value": "Key", "Tags": "ResourceType"}
"""What stands beside such values under a name of AWS's and is none."""

# Texts, which `re` compiles when the first refusal comes: most functions never meet one.
_HARMLESS = (
    r"(?:[a-z]+-)+[0-9a-f]{8,17}"  # EC2's ids
    r"|(?:s|mgnjob|lt|vol)-[0-9a-zA-Z]{17}"
    r"|arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{0,12}:[\w:/.+=@-]{1,200}"
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # ids of requests and commands
    r"|[a-z][a-z0-9-]{1,14}\.(?:nano|micro|small|medium|large|[0-9]*xlarge|metal)"  # types of instances
    r"|[a-z][a-z0-9-]{1,40}:[A-Z][a-z]+(?:[A-Z][a-z0-9]*)*"  # actions
    r"|[a-z]+[0-9]?(?:[A-Z][a-z]+){2,}"  # members of requests
    r"|(?:https://)?[a-z0-9.-]+\.amazonaws\.com(?:\.cn)?"
    r"|[0-9]{1,5}"
)
_VALUE_AT = r"([Vv]alue) '.*?' at '"
_QUOTED = r"""(?<!\w)(at |[Pp]arameter |[Mm]ember )?(?:'([^']*)'(?!\w)|"([^"]*)"|\(([^()]*)\)|\[([^\[\]]*)\])"""
_PARAMETER = r"[A-Za-z][A-Za-z0-9.]{0,63}"
_RUN = r"[A-Za-z0-9+/=_:.@-]{24,}"
_REPORTED = r"value: .*?, (type|valid)"

SHORTEST = 6
"""A shorter value is hidden where it stands as a word: inside others it would be anywhere."""


def hide_what_was_sent(client: "BaseClient") -> None:
    """Have the client's refusals come without the values that were sent in the refused call."""
    events = client.meta.events
    events.register("before-parameter-build", _remember, unique_id="remember-what-was-sent")
    events.register("after-call", _hide, unique_id="hide-what-was-sent")


def without_quotes(message: str) -> str:
    """An AWS message without the values it quotes; ids of resources and names of parameters stay."""
    message = re.sub(_VALUE_AT, rf"\1 '{HIDDEN}' at '", message, flags=re.DOTALL)
    message = re.sub(_QUOTED, _unquoted, message)
    return re.sub(_RUN, _shown, message)


def without_values(report: str) -> str:
    """botocore's own report on wrong parameters without what was passed for them."""
    return re.sub(_REPORTED, rf"value: {HIDDEN}, \1", report, flags=re.DOTALL)


def _remember(params: Any, context: dict[str, Any], **_: object) -> None:
    context["what-was-sent"] = params


def _hide(parsed: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    error = parsed.get("Error", {})
    if message := error.get("Message"):
        for value in sorted(set(_secrets(context.get("what-was-sent"))), key=len, reverse=True):
            anywhere = re.escape(value)
            message = re.sub(anywhere if len(value) >= SHORTEST else rf"(?<!\w){anywhere}(?!\w)", HIDDEN, message)
        error["Message"] = without_quotes(message)


def _secrets(value: object, *, secretive: bool = False) -> Iterator[str]:
    if isinstance(value, dict):
        harmless = {beside for name, beside in _BESIDE.items() if name in value}
        for name, part in value.items():
            if name not in harmless:
                yield from _secrets(part, secretive=secretive or str(name).lower() in SECRETIVE)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _secrets(part, secretive=secretive)
    elif isinstance(value, str) and value and secretive:
        yield value
        if value.startswith("{"):
            yield from _secrets(_document(value), secretive=True)


def _document(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _unquoted(found: re.Match[str]) -> str:
    before, *kinds = found.groups()
    quoted = next(kind for kind in kinds if kind is not None)
    if re.fullmatch(_HARMLESS, quoted) or (before and re.fullmatch(_PARAMETER, quoted)):
        return found.group()
    opening = len(before or "")
    return f"{found.group()[: opening + 1]}{HIDDEN}{found.group()[-1]}"


def _shown(found: re.Match[str]) -> str:
    run = found.group()
    return run if re.fullmatch(_HARMLESS, run.rstrip(".:")) else HIDDEN
