"""What every Receiver does, and how the real one signs, retries and refuses."""

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from time import sleep
from typing import Any

import pytest

from runtime.adapters.messages.addresses import is_public
from runtime.adapters.messages.receiver import HttpReceiver
from runtime.adapters.messages.signatures import receiver_key, signature
from runtime.errors import CallbackDeliveryError
from runtime.logic.ports import Receiver
from tests.builders import NOON
from tests.contract.web import SLOW_HANDSHAKE, SLOWLY, Site, certificate, dripping, serving
from tests.fakes import FakeReceiver

BODY = '{"toStatus":"COMPLETED","reason":"fertig ✓"}'
KEY = "mig-1:7"
SECRETS = ("the-stages-secret", "the-one-before")


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.fixture
def pauses() -> list[float]:
    return []


def no_pause(_: float) -> None:
    """Tests do not wait."""


def local(pauses: list[float] | None = None) -> HttpReceiver:
    pause = no_pause if pauses is None else pauses.append
    return HttpReceiver(SECRETS, lambda: NOON, allows_private_addresses=True, timeout_seconds=30, pause=pause)


def public() -> HttpReceiver:
    return HttpReceiver(SECRETS, lambda: NOON, timeout_seconds=5, pause=no_pause)


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize("kind", ["fake", "http"])
def test_taken_callback_is_quiet_and_refused_one_is_an_error(kind: str, site: Site) -> None:
    good, bad = (f"http://127.0.0.1:{site.port}/{path}" for path in ("good", "bad"))
    receiver: Receiver = FakeReceiver(refusing={bad}) if kind == "fake" else local()
    receiver.deliver(good, BODY, KEY)
    site.statuses = [400]
    with pytest.raises(CallbackDeliveryError):
        receiver.deliver(bad, BODY, KEY)


class TestPosting:
    def test_request_carries_body_key_and_signature(self, site: Site) -> None:
        local().deliver(f"http://127.0.0.1:{site.port}/hook?team=9", BODY, KEY)
        ((method, path, headers, body),) = site.requests
        assert (method, path, body) == ("POST", "/hook?team=9", BODY.encode())
        assert headers["content-type"] == "application/json"
        assert headers["idempotency-key"] == KEY
        assert headers["host"] == f"127.0.0.1:{site.port}"
        keys = [receiver_key(secret, f"http://127.0.0.1:{site.port}") for secret in SECRETS]
        assert headers["x-migration-signature"] == signature(keys, NOON, BODY.encode())

    def test_path_may_be_missing(self, site: Site) -> None:
        local().deliver(f"http://127.0.0.1:{site.port}", BODY, KEY)
        local().deliver(f"http://127.0.0.1:{site.port}?a=1", BODY, KEY)
        assert [path for _, path, *_ in site.requests] == ["/", "/?a=1"]

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_what_may_pass_is_tried_again_under_the_same_key(
        self, site: Site, status: int, pauses: list[float]
    ) -> None:
        site.statuses = [status, status]
        local(pauses).deliver(f"http://127.0.0.1:{site.port}/", BODY, KEY)
        assert [headers["idempotency-key"] for *_, headers, _ in site.requests] == [KEY] * 3
        assert pauses == [0.2, 0.4]

    def test_three_tries_are_all(self, site: Site) -> None:
        site.statuses = [500] * 9
        with pytest.raises(CallbackDeliveryError, match="status 500"):
            local().deliver(f"http://127.0.0.1:{site.port}/", BODY, KEY)
        assert len(site.requests) == 3

    @pytest.mark.parametrize("status", [301, 307, 400, 404, 410])
    def test_final_answers_are_not_repeated_nor_followed(self, site: Site, status: int) -> None:
        site.statuses, site.headers = [status], {"Location": f"http://127.0.0.1:{site.port}/elsewhere"}
        with pytest.raises(CallbackDeliveryError, match=f"status {status}"):
            local().deliver(f"http://127.0.0.1:{site.port}/", BODY, KEY)
        assert len(site.requests) == 1

    def test_nobody_there_is_an_error_after_three_tries(self, pauses: list[float]) -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            port = bound.getsockname()[1]
            with pytest.raises(CallbackDeliveryError, match="ConnectionRefusedError"):
                local(pauses).deliver(f"http://127.0.0.1:{port}/", BODY, KEY)
        assert len(pauses) == 2

    def test_endless_answer_is_not_read(self, site: Site) -> None:
        site.body, site.times = b"x" * 1_000_000, 200
        local().deliver(f"http://127.0.0.1:{site.port}/", BODY, KEY)
        assert site.sent < 100_000_000

    def test_error_tells_host_but_neither_path_nor_query_nor_secret(self, site: Site) -> None:
        site.statuses = [404]
        with pytest.raises(CallbackDeliveryError) as caught:
            local().deliver(f"http://127.0.0.1:{site.port}/services/T0K3N?key=s3cr3t", BODY, KEY)
        text = str(caught.value)
        assert "127.0.0.1" in text
        assert not any(word in text for word in ("T0K3N", "s3cr3t", *SECRETS))


class TestTls:
    @pytest.fixture
    def secure(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
        context, trusted = certificate(tmp_path, "hooks.example.com")
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        with serving(context) as site:
            yield site

    def test_host_is_resolved_once_and_its_certificate_checked(
        self, secure: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = resolve_to(monkeypatch, "127.0.0.1")
        local().deliver(f"https://hooks.example.com:{secure.port}/", BODY, KEY)
        assert asked.count("hooks.example.com") == 1
        assert secure.requests[0][2]["host"] == f"hooks.example.com:{secure.port}"

    def test_certificate_of_another_host_is_refused(self, secure: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        resolve_to(monkeypatch, "127.0.0.1")
        with pytest.raises(CallbackDeliveryError, match="SSLCertVerificationError"):
            local().deliver(f"https://other.example.com:{secure.port}/", BODY, KEY)
        assert secure.requests == []

    def test_unknown_issuer_is_refused(self, secure: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SSL_CERT_FILE")
        resolve_to(monkeypatch, "127.0.0.1")
        with pytest.raises(CallbackDeliveryError, match="SSLCertVerificationError"):
            local().deliver(f"https://hooks.example.com:{secure.port}/", BODY, KEY)


class TestDeadline:
    """A socket's timeout holds for one read; these peers never let one read wait for long."""

    def impatient(self) -> HttpReceiver:
        return HttpReceiver(SECRETS, lambda: NOON, allows_private_addresses=True, timeout_seconds=0.3, pause=no_pause)

    @pytest.mark.parametrize(("scheme", "answer"), [("http", SLOWLY), ("https", SLOW_HANDSHAKE)])
    def test_peer_that_drips_is_left_when_the_whole_delivery_is_over_time(self, scheme: str, answer: bytes) -> None:
        with dripping(answer) as port, pytest.raises(CallbackDeliveryError, match=r"not over within 0\.3 s"):
            self.impatient().deliver(f"{scheme}://127.0.0.1:{port}/", BODY, KEY)

    def test_tries_share_the_time_of_one_delivery(self, site: Site) -> None:
        site.statuses = [500] * 9
        slow = HttpReceiver(
            SECRETS, lambda: NOON, allows_private_addresses=True, timeout_seconds=0.3, pause=lambda _: sleep(0.4)
        )
        with pytest.raises(CallbackDeliveryError):
            slow.deliver(f"http://127.0.0.1:{site.port}/", BODY, KEY)
        assert len(site.requests) == 1

    def test_resolver_that_does_not_come_back_is_not_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        answered = Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(8))
        with pytest.raises(CallbackDeliveryError, match="does not resolve"):
            self.impatient().deliver("https://hooks.example.com/", BODY, KEY)
        assert not answered.is_set()
        answered.set()


REFUSED = (
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "0.0.0.0", "169.254.169.254", "100.64.0.1", "192.0.2.1",
    "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254",
    "ff02::1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "64:ff9b::a00:1", "2002:a00:1::1", "2001:db8::1",
)  # fmt: skip


class TestRefusing:
    @pytest.mark.parametrize("address", REFUSED)
    def test_address_inside_is_not_public(self, address: str) -> None:
        assert not is_public(ipaddress.ip_address(address))

    @pytest.mark.parametrize("address", ["8.8.8.8", "52.94.236.248", "2600:1f18::1"])
    def test_address_outside_is(self, address: str) -> None:
        assert is_public(ipaddress.ip_address(address))

    @pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "127.0.0.1"])
    def test_host_that_leads_inside_gets_nothing(self, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        resolve_to(monkeypatch, address)
        with pytest.raises(CallbackDeliveryError, match="not public"):
            public().deliver("https://hooks.example.com/", BODY, KEY)

    def test_one_address_inside_is_enough(self, monkeypatch: pytest.MonkeyPatch) -> None:
        resolve_to(monkeypatch, "8.8.8.8", "10.0.0.1")
        with pytest.raises(CallbackDeliveryError, match="not public"):
            public().deliver("https://hooks.example.com/", BODY, KEY)

    def test_host_without_an_address_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(*_: Any, **__: Any) -> None:
            raise socket.gaierror("unknown")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        with pytest.raises(CallbackDeliveryError, match="does not resolve"):
            public().deliver("https://hooks.example.com/", BODY, KEY)

    @pytest.mark.parametrize(
        "url",
        [
            "http://hooks.example.com/",
            "ftp://hooks.example.com/",
            "https:///path",
            "https://user:pw@hooks.example.com/",
            "https://hooks.example.com:99999/",
            "https://hooks.example.com:0/",
            "https://[::1/",
            "https://hööks.example.com/",
            "https://hooks.example.com/\r\nX-Evil: 1",
            "nonsense",
        ],
    )
    def test_url_that_is_no_https_url_of_a_host_is_refused(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = resolve_to(monkeypatch, "8.8.8.8")
        with pytest.raises(CallbackDeliveryError):
            public().deliver(url, BODY, KEY)
        assert asked == []
