"""Every kind of document that outlives a release, and how this release reads it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from runtime.models.base import Model
from runtime.models.decisions import RefusedDecision, Signal
from runtime.models.dispatch import Dispatch, Looked
from runtime.models.events import MigrationFailed, MigrationRequested, MigrationSignal, MigrationStatusChanged
from runtime.models.functions.steps import Plan, Step
from runtime.models.record import JournalEntry, Lock, MigrationRecord, Rejection
from runtime.models.waits import Outcome, wait_from_json

FOLDER = Path(__file__).parent
RELEASES = sorted(path.parent for path in FOLDER.glob("*/SHA256SUMS"))
"""Those whose documents are closed; what comes next is beside them until then."""

Json = dict[str, Any]
Reader = Callable[[str], Model]


def _from_queue(model: type[Model]) -> Reader:
    return lambda text: model.model_validate_json(text, extra="ignore")


KINDS: dict[str, Reader] = {
    "stored/record": MigrationRecord.from_json,
    "stored/journal": JournalEntry.from_json,
    "stored/signal": Signal.from_json,
    "stored/refused": RefusedDecision.from_json,
    "stored/wait": wait_from_json,
    "stored/dispatch": Dispatch.from_json,
    "stored/looked": Looked.from_json,
    "stored/lock": Lock.from_json,
    "stored/rejection": Rejection.from_json,
    "answers/plan": Plan.from_json,
    "answers/outcome": Outcome.from_json,
    "queued/status": _from_queue(MigrationStatusChanged),
    "queued/failed": _from_queue(MigrationFailed),
    "queued/requested": _from_queue(MigrationRequested),
    "queued/signal": _from_queue(MigrationSignal),
    **{f"payloads/{step.function.name}": step.from_json for step in Step.__subclasses__()},
}


def documents() -> Iterator[Path]:
    """Every document of every release, and of the one to come."""
    yield from sorted(FOLDER.glob("*/*/*.json"))


def reader_of(path: Path) -> Reader:
    """How this release reads a document."""
    return KINDS[f"{path.parent.name}/{path.stem.partition('-')[0]}"]


def objects(document: Any, where: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Json]]:
    """Every JSON object in a document with the way to it."""
    match document:
        case dict():
            yield where, document
            for name, member in document.items():
                yield from objects(member, (*where, name))
        case list():
            for number, member in enumerate(document):
                yield from objects(member, (*where, number))


def without(document: Json, way: tuple[str | int, ...]) -> Json:
    """A copy of the document in which one member is missing."""
    copy = json.loads(json.dumps(document))
    here = copy
    for step in way[:-1]:
        here = here[step]
    del here[way[-1]]
    found: Json = copy
    return found
