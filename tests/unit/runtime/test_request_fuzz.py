"""Whatever arrives becomes a request or a RequestError that says what is wrong; nothing else ever comes out."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import RequestError
from runtime.logic.ingress import parse_request, rejected
from runtime.models.record import Rejection
from runtime.models.repeats import repeated_names
from runtime.models.request import MigrationRequest
from runtime.models.text import visible, visible_name
from tests.builders import NOON, a_request

GOOD: dict[str, Any] = json.loads(a_request().to_json())
FIELDS = sorted(str(field.alias) for field in MigrationRequest.model_fields.values())

numbers = st.integers() | st.floats() | st.sampled_from([2**63, 2**64, 10**300, -(10**300)])
junk = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
plain_texts = st.text(max_size=50).map(visible)
texts = st.text(st.characters(), max_size=60)


def outcome(body: str) -> str:
    try:
        parse_request(body)
    except RequestError as error:
        return str(error)
    return "accepted"


@given(value=junk)
def test_any_json_value_is_explained(value: Any) -> None:
    assert outcome(json.dumps(value)).startswith(
        ("body", *FIELDS, *map(visible_name, value if isinstance(value, dict) else ()))
    )


@given(field=st.sampled_from(FIELDS), value=junk)
@settings(max_examples=200)
def test_any_value_of_any_field_is_accepted_or_refused_by_the_fields_name(field: str, value: Any) -> None:
    text = outcome(json.dumps({**GOOD, field: value}))
    assert text == "accepted" or text.startswith((field, "body"))


@given(body=texts)
def test_any_text_is_explained_and_kept_as_a_rejection(body: str) -> None:
    reason = outcome(body)
    kept = rejected(body, message_id="m-1", reason=reason, at=NOON, retention_days=90)
    assert Rejection.from_json(kept.to_json()) == kept


@given(changes=st.dictionaries(st.sampled_from(FIELDS), junk, max_size=3))
def test_accepted_request_survives_its_wire_form(changes: dict[str, Any]) -> None:
    try:
        request = parse_request(json.dumps({**GOOD, **changes}))
    except RequestError:
        return
    assert MigrationRequest.from_json(request.to_json()) == request


@given(
    tags=st.dictionaries(st.from_regex(r"[A-Za-z0-9_]{1,20}", fullmatch=True), plain_texts, max_size=10),
    soak=st.integers(0, 604_800),
    wave=st.integers() | st.text("abc-123", min_size=1, max_size=20),
)
def test_equal_bodies_have_equal_digests(tags: dict[str, str], soak: int, wave: int | str) -> None:
    tags = {key: value for key, value in tags.items() if not key.lower().startswith("aws:")}
    request = {**GOOD, "tags": tags, "soakSeconds": soak, "wave": wave}
    spacious = json.dumps(request, separators=(" ,  ", " :  "))
    assert parse_request(json.dumps(request)).digest() == parse_request(spacious).digest()


members = st.dictionaries(st.text(max_size=8), junk, min_size=1, max_size=4)


@given(document=members, again=junk, data=st.data())
def test_a_name_that_stands_twice_is_found_wherever_it_stands(
    document: dict[str, Any], again: Any, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(document)))
    twice = f"{json.dumps(document)[:-1]}, {json.dumps(name)}: {json.dumps(again)}}}"
    assert (name,) in repeated_names(twice)
    assert ("outer", 1, name) in repeated_names(f'{{"outer": [null, {twice}]}}')


@given(document=junk)
def test_what_a_program_writes_has_no_name_twice(document: Any) -> None:
    assert repeated_names(json.dumps(document)) == []


@given(text=st.text() | st.text(st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Cs"])))
def test_what_is_shown_is_one_line_that_can_be_printed(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert visible(shown) == shown
    assert shown == text or not text.isprintable()
