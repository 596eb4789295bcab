"""A callback's signature: a key for each receiver, old and new ones side by side, verified as the docs say."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from localcloud.demo.receiver import is_genuine
from runtime.adapters.messages.signatures import receiver_key, receiver_of, signature

SECRET, BEFORE = "the-stages-secret", "the-one-before"
HERE, THERE = "https://cmdb.example.com/hooks", "https://other.example.com/hooks"
BODY = b'{"toStatus":"COMPLETED"}'
GUIDE = Path(__file__).parents[3] / "docs" / "migration-requests.md"

Verify = Callable[[str, str, bytes], bool]


def as_the_docs_say() -> Verify:
    (example,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    names: dict[str, Verify] = {}
    exec(example, names)
    return names["is_genuine"]


@pytest.fixture(params=[as_the_docs_say, lambda: is_genuine], ids=["docs", "demo"])
def verify(request: pytest.FixtureRequest) -> Verify:
    found: Verify = request.param()
    return found


def signed(*secrets: str, url: str = HERE, at: datetime | None = None) -> str:
    return signature([receiver_key(secret, url) for secret in secrets], at or datetime.now(UTC), BODY)


def test_receiver_verifies_with_its_key(verify: Verify) -> None:
    assert verify(receiver_key(SECRET, HERE), signed(SECRET), BODY)


def test_receiver_with_either_key_verifies_while_both_sign(verify: Verify) -> None:
    header = signed(SECRET, BEFORE)
    assert all(verify(receiver_key(secret, HERE), header, BODY) for secret in (SECRET, BEFORE))


def test_receiver_cannot_sign_for_another(verify: Verify) -> None:
    assert not verify(receiver_key(SECRET, THERE), signed(SECRET), BODY)
    assert not verify(
        receiver_key(SECRET, THERE), signature([receiver_key(SECRET, HERE)], datetime.now(UTC), BODY), BODY
    )


@pytest.mark.parametrize("header", ["", "t=,v1=", "t=1,v1=", "v1=00", "t=²,v1=00", "nonsense", "t=9999999999"])
def test_header_that_says_nothing_is_not_genuine(verify: Verify, header: str) -> None:
    assert not verify(receiver_key(SECRET, HERE), header, BODY)


def test_changed_body_and_stale_time_are_not_genuine(verify: Verify) -> None:
    key = receiver_key(SECRET, HERE)
    assert not verify(key, signed(SECRET), BODY + b" ")
    assert not verify(key, signed(SECRET, at=datetime(2020, 1, 1, tzinfo=UTC)), BODY)


@pytest.mark.parametrize(
    ("url", "receiver"),
    [
        ("https://CMDB.example.com/hooks?team=9", "https://cmdb.example.com"),
        ("https://cmdb.example.com:443", "https://cmdb.example.com"),
        ("https://cmdb.example.com:8443/", "https://cmdb.example.com:8443"),
        ("http://127.0.0.1:9000/x", "http://127.0.0.1:9000"),
        ("https://[2600:1f18::1]/", "https://[2600:1f18::1]"),
    ],
)
def test_receiver_is_scheme_host_and_port(url: str, receiver: str) -> None:
    assert receiver_of(url) == receiver


@pytest.mark.parametrize("url", ["cmdb.example.com", "ftp://cmdb.example.com/", "https:///path", "https://a:99999/"])
def test_what_is_no_web_address_has_no_key(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        receiver_key(SECRET, url)


def test_key_tells_nothing_of_the_secret() -> None:
    assert SECRET not in receiver_key(SECRET, HERE)
    assert len({receiver_key(secret, url) for secret in (SECRET, BEFORE) for url in (HERE, THERE)}) == 4
