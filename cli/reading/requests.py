"""Valid requests from files of any format: every fault of every file is told at once, and where it stands."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, InitErrorDetails

from cli.exits import InvalidError, UsageError
from cli.reading import json_text
from cli.reading.cells import is_field, put, split, value_of
from cli.reading.entries import Defaults, Entry, Fault, Spot, has, merged
from cli.reading.files import files_of, read_text, shown
from cli.reading.formats import read
from runtime.errors import RequestError
from runtime.logic.ingress import explain, id_hints, parse_request
from runtime.models.repeats import repeated_names
from runtime.models.request import MigrationRequest

SHOWN_FAULTS = 40
OPTION = "--default"


@dataclass(frozen=True)
class Message:
    """One message body and where it was read; what is raw has no parsed request."""

    file: str
    line: int
    body: str
    request: MigrationRequest | None = None

    @property
    def migration_id(self) -> str | None:
        return self.request.migration_id if self.request else id_hints(self.body).get("migrationId")


def raw_messages(names: Sequence[str]) -> list[Message]:
    """The bodies in files, whatever they are: the elements of JSON, else each line."""
    found: list[Message] = []
    for name in files_of(names):
        text = read_text(name)
        try:
            found += [Message(shown(name), place.line, place.text) for place in json_text.elements(text)]
        except (ValueError, RecursionError):
            lines = enumerate(text.splitlines(), 1)
            found += [Message(shown(name), number, line) for number, line in lines if line.strip()]
    if not found:
        raise InvalidError("there is nothing to send: the input is empty")
    return found


def valid_messages(names: Sequence[str], defaults: Defaults | None = None) -> list[Message]:
    """The requests in files; raises InvalidError naming every fault when there is one."""
    messages: list[Message] = []
    faults: list[Fault] = []
    files = list(files_of(names))
    for name in files:
        for entry, common in read(name, read_text(name), faults):
            messages += _message(shown(name), entry, [each for each in (common, defaults) if each], faults)
    faults += _repeated(messages)
    if faults:
        raise InvalidError(_report(faults, [shown(name) for name in files]))
    if not messages:
        raise InvalidError("there is no request in it: write one as `migrate schema` describes")
    return messages


def option_defaults(texts: Sequence[str]) -> Defaults:
    """What FIELD=VALUE options say."""
    value: dict[str, object] = {}
    for text in texts:
        name, equals, given = text.partition("=")
        if not equals or not is_field(split(name)):
            close = get_close_matches(name, list(MigrationRequest.model_json_schema()["properties"]), n=1)
            meant = f"; did you mean {close[0]}?" if close else ""
            raise UsageError(f"{OPTION} {text}: write FIELD=VALUE with a field of a request{meant}")
        put(value, split(name), value_of(split(name), given))
    return Defaults(value, OPTION)


def _message(file: str, entry: Entry, defaults: Sequence[Defaults], faults: list[Fault]) -> Iterator[Message]:
    body = entry.body
    own = [Fault(file, spot, text) for spot, text in entry.faults]
    if isinstance(entry.value, Mapping) and (any(each.value for each in defaults) or body is None):
        if body is not None:
            # Merged, a member that stands there twice would stand there once.
            twice = "stands there more than once; keep one of them"
            own += [Fault(file, entry.find(way), f"{'.'.join(map(str, way))}: {twice}") for way in repeated_names(body)]
        value = entry.value
        for each in defaults:
            value = merged(each.value, value)
        body = json.dumps(value, ensure_ascii=False)
    elif body is None:
        body = json.dumps(entry.value, ensure_ascii=False)
    try:
        request = parse_request(body)
    except RequestError as error:
        faults += [*own, *_faults(file, entry, defaults, error)]
        return
    faults += own
    yield Message(file, entry.find(()).line, body, request)


def _faults(file: str, entry: Entry, defaults: Sequence[Defaults], error: RequestError) -> Iterator[Fault]:
    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        yield Fault(file, entry.find(()), str(error))
        return
    for detail in cause.errors(include_url=False):
        alone = ValidationError.from_exception_data(cause.title, [_again(detail)])
        path = detail["loc"]
        unknown = detail["type"] == "extra_forbidden"
        hint = _hint(str(path[-1])) if unknown and len(path) == 1 else ""
        # What the request does not say itself comes from the first of its defaults that does.
        source = None if has(entry.value, path) else next((each for each in defaults if has(each.value, path)), None)
        if source is None:
            yield Fault(file, entry.find(path), explain(alone) + hint)
        else:
            yield Fault(source.file, source.find(path) if source.find else None, explain(alone) + hint)


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
            where = f"line {before.line}" if before.file == message.file else f"line {before.line} of {before.file}"
            fault = f"migrationId: {key!r} is on {where} already; give each request its own"
            yield Fault(message.file, Spot(message.line), fault)


def _report(faults: Sequence[Fault], files: Sequence[str]) -> str:
    # A default that is wrong is wrong for every request, and told of once.
    places = dict.fromkeys(faults)
    ordered = sorted(places, key=lambda fault: (files.index(fault.file) if fault.file in files else -1, _line(fault)))
    lines = [str(fault) for fault in ordered[:SHOWN_FAULTS]]
    if len(ordered) > SHOWN_FAULTS:
        lines.append(f"and {len(ordered) - SHOWN_FAULTS} more")
    return "\n".join(["the requests are not valid, nothing was sent", *(f"  {line}" for line in lines)])


def _line(fault: Fault) -> int:
    return fault.at.line if fault.at else 0
