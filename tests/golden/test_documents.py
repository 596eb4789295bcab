"""What is stored, parked or under way from an earlier release is understood by this one (I13)."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from runtime import errors
from runtime.errors import TransientError
from runtime.models.functions.steps import Step
from runtime.models.mgn import MgnView
from runtime.models.record import MigrationRecord
from runtime.models.request import MigrationRequest
from tests.golden.kinds import FOLDER, KINDS, RELEASES, Json, documents, objects, reader_of, without

DOCUMENTS = list(documents())
NAMES = [str(path.relative_to(FOLDER)) for path in DOCUMENTS]
FREE_FORM = {"parameters", "tags", "commands", "commandsIntended", "turns"}
"""Members whose names senders choose."""

each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)


@each_document
def test_i13_nothing_of_an_earlier_releases_document_is_lost(path: Path) -> None:
    before = json.loads(path.read_text())
    after = json.loads(reader_of(path)(path.read_text()).to_json())
    assert lost(before, after) == []


ODD = {
    "appName": "bill\x1b[2Jing",
    "source": "on\nprem",
    "sourceVmId": "\u202ebm-01",
    "callbackUrl": "https://example.com:0/\x00",
    "tags": {"cost\ncenter": "47\x9b11"},
    "soakSeconds": "60",
    "test": 1,
    "window": {"notBefore": 1772920800, "notAfter": "1772924400"},
}
"""What 0.1.0 accepted and no request may have any more."""


@pytest.mark.parametrize("name", ["record", "record-accepted", "journal-entry-first"])
def test_i13_request_that_was_accepted_is_not_judged_anew(name: str) -> None:
    document = json.loads((FOLDER / f"0.1.0/stored/{name}.json").read_text())
    request = document["request"] if "request" in document else document["facts"]["request"]
    request |= ODD
    read = reader_of(FOLDER / f"0.1.0/stored/{name}.json")(json.dumps(document))
    kept = read.request if isinstance(read, MigrationRecord) else read.facts.request  # type: ignore[attr-defined]
    assert isinstance(kept, MigrationRequest)
    assert (kept.app_name, kept.tags, kept.soak_seconds) == (ODD["appName"], ODD["tags"], 60)
    assert reader_of(FOLDER / f"0.1.0/stored/{name}.json")(read.to_json()) == read
    with pytest.raises(ValidationError):
        MigrationRequest.from_json(json.dumps(request))


@each_document
def test_i13_members_that_a_later_release_added_are_no_obstacle(path: Path) -> None:
    document = json.loads(path.read_text())
    for way, here in objects(json.loads(path.read_text())):
        if not FREE_FORM & set(way):
            at(document, way)[f"addedLater{len(here)}"] = {"by": ["a later release"]}
    assert reader_of(path)(json.dumps(document)) == reader_of(path)(path.read_text())


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.parents[1] in RELEASES], ids=str)
def test_i13_no_member_that_could_be_absent_has_become_required(path: Path) -> None:
    optional = json.loads((path.parent.parent / "may-be-absent.json").read_text())[f"{path.parent.name}/{path.name}"]
    for way in optional:
        assert reader_of(path)(json.dumps(without(json.loads(path.read_text()), tuple(way)))), way


def test_i13_every_field_stands_in_a_golden_document_of_its_kind() -> None:
    """A field added now is kept by a document of this release: see docs/decisions/0009."""
    seen: dict[type[BaseModel], set[str]] = defaultdict(set)
    for path in DOCUMENTS:
        for model in models(reader_of(path)(path.read_text())):
            seen[type(model)] |= model.model_fields_set
    missing = {kind.__name__: sorted(kind.model_fields.keys() - fields) for kind, fields in seen.items()}
    assert {name: fields for name, fields in missing.items() if fields} == {}


def test_i13_every_kind_with_members_of_its_own_has_a_golden_document() -> None:
    bare = {
        f"payloads/{s.function.name}"
        for s in Step.__subclasses__()
        if s.model_fields.keys() == Step.model_fields.keys()
    }
    kept = {f"{path.parent.name}/{path.stem.partition('-')[0]}" for path in DOCUMENTS}
    assert kept | bare == set(KINDS)


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_golden_documents_are_never_changed(release: Path) -> None:
    kept = sorted(path for path in release.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(release)}" for path in kept]
    assert (release / "SHA256SUMS").read_text().splitlines() == sums


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
def test_i13_errors_that_earlier_definitions_retry_are_still_raised_under_their_names(release: Path) -> None:
    """An execution keeps the definition it began with, for up to a year."""
    states = json.loads((release / "state-machine.json").read_text())["States"].values()
    named = {name for state in states for retry in state.get("Retry", ()) for name in retry["ErrorEquals"]}
    ours = {name for name in named if "." not in name}
    assert ours
    assert all(issubclass(getattr(errors, name), TransientError) for name in ours)


def lost(before: Any, after: Any, where: str = "") -> list[str]:
    """What was in a document and is not, or is otherwise, in the other."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [each for name in before for each in lost(before[name], after.get(name), f"{where}/{name}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [each for n, pair in enumerate(zip(before, after, strict=True)) for each in lost(*pair, f"{where}/{n}")]
    return [] if before == after else [where]


def at(document: Any, way: tuple[str | int, ...]) -> Json:
    for step in way:
        document = document[step]
    found: Json = document
    return found


def models(value: Any) -> Iterator[BaseModel]:
    """A model and those in it; AWS's own words are kept as they come."""
    if isinstance(value, BaseModel) and not isinstance(value, MgnView):
        yield value
        for name in type(value).model_fields:
            yield from models(getattr(value, name))
    elif isinstance(value, tuple):
        for each in value:
            yield from models(each)
