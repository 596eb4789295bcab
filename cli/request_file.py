"""Requests in a file: one JSON object, a list of them, or JSON Lines. Faults are named by line."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from pydantic import ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, InitErrorDetails

from cli.exits import InvalidError
from cli.json_text import Place, elements, locate
from runtime.errors import RequestError
from runtime.logic.ingress import explain, id_hints, parse_request
from runtime.models.request import MigrationRequest

MAX_FILE_BYTES = 64 * 1024 * 1024
SHOWN_FAULTS = 40
STDIN = "-"


@dataclass(frozen=True)
class Message:
    """One message body as it stands in the file; what is raw has no parsed request."""

    line: int
    body: str
    request: MigrationRequest | None = None

    @property
    def migration_id(self) -> str | None:
        return self.request.migration_id if self.request else id_hints(self.body).get("migrationId")


@dataclass(frozen=True)
class Fault:
    """What is wrong, and where."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


def read_text(name: str) -> str:
    """The file's text, or standard input's for `-`."""
    try:
        if name == STDIN:
            data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidError(f"{name} cannot be read: {error.strerror or error}; name a file of requests") from error
    if len(data) > MAX_FILE_BYTES:
        raise InvalidError(f"{name} is larger than {MAX_FILE_BYTES // 1024**2} MiB: send it in several files")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InvalidError(f"{name} line {line}: not UTF-8 text; save the requests as UTF-8 JSON") from error


def raw_messages(text: str) -> list[Message]:
    """The bodies in a text, whatever they are: the elements of JSON, else each line."""
    try:
        found = [Message(place.line, place.text) for place in elements(text)]
    except (ValueError, RecursionError):
        found = [Message(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not found:
        raise InvalidError("there is nothing to send: the input is empty")
    return found


def valid_messages(text: str) -> list[Message]:
    """The requests in a text; raises InvalidError naming every fault when there is one."""
    messages: list[Message] = []
    faults: list[Fault] = []
    try:
        for place in elements(text):
            try:
                messages.append(Message(place.line, place.text, parse_request(place.text)))
            except RequestError as error:
                faults += _faults(place, error)
    except json.JSONDecodeError as error:
        faults.append(Fault(error.lineno, f"column {error.colno}: not JSON ({error.msg}); correct it"))
    except RecursionError:
        faults.append(Fault(1, "nested too deeply to be a request; send one flat JSON object per server"))
    faults += _repeated(messages)
    if faults:
        raise InvalidError(_report(faults))
    if not messages:
        raise InvalidError("there is no request in it: write one as `migrate schema` describes")
    return messages


def _faults(place: Place, error: RequestError) -> Iterator[Fault]:
    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        yield Fault(place.line, str(error))
        return
    for detail in cause.errors(include_url=False):
        alone = ValidationError.from_exception_data(cause.title, [_again(detail)])
        hint = _hint(str(detail["loc"][-1])) if detail["type"] == "extra_forbidden" and len(detail["loc"]) == 1 else ""
        yield Fault(locate(place, detail["loc"]), explain(alone) + hint)


def _again(detail: ErrorDetails) -> InitErrorDetails:
    again = InitErrorDetails(type=detail["type"], loc=detail["loc"], input=detail["input"])
    return InitErrorDetails(**again, ctx=detail["ctx"]) if "ctx" in detail else again


def _hint(name: str) -> str:
    known = [field.alias or name for name, field in MigrationRequest.model_fields.items()]
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close and to_camel(name) not in known else ""


def _repeated(messages: Sequence[Message]) -> Iterator[Fault]:
    first: dict[str, Message] = {}
    for message in messages:
        assert message.request is not None
        key = message.request.migration_id
        if (before := first.setdefault(key, message)) is not message:
            fault = f"migrationId: {key!r} is on line {before.line} already; give each request its own"
            yield Fault(message.line, fault)


def _report(faults: Sequence[Fault]) -> str:
    lines = [str(fault) for fault in sorted(faults, key=lambda fault: fault.line)[:SHOWN_FAULTS]]
    if len(faults) > SHOWN_FAULTS:
        lines.append(f"and {len(faults) - SHOWN_FAULTS} more")
    return "\n".join(["the requests are not valid, nothing was sent", *(f"  {line}" for line in lines)])
