"""What every Prober does: the fake, and the real one against sockets of this machine."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from runtime.adapters.servers.probe import NetworkProber
from runtime.logic.ports import Prober
from runtime.models.request import HttpCheck, SsmCheck, TcpCheck
from tests.contract.web import SLOW_HANDSHAKE, SLOWLY, Site, certificate, dripping, serving
from tests.fakes import FakeProber

HERE = "127.0.0.1"


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind((HERE, 0))
        yield bound.getsockname()[1]


def fake(port: int) -> Prober:
    return FakeProber(seen={port: "no connection: Connection refused"})


def network(_: int) -> Prober:
    return NetworkProber()


@pytest.fixture(params=[fake, network])
def make(request: pytest.FixtureRequest) -> Callable[[int], Prober]:
    made: Callable[[int], Prober] = request.param
    return made


def test_open_port_passes_and_closed_port_says_why(make: Callable[[int], Prober], site: Site, closed_port: int) -> None:
    prober = make(closed_port)
    assert prober.probe(TcpCheck(type="tcp", port=site.port), HERE) is None
    assert "no connection" in (prober.probe(TcpCheck(type="tcp", port=closed_port), HERE) or "")


def test_expected_answer_passes_and_silence_does_not(
    make: Callable[[int], Prober], site: Site, closed_port: int
) -> None:
    prober = make(closed_port)
    assert prober.probe(HttpCheck(type="http", port=site.port), HERE) is None
    assert prober.probe(HttpCheck(type="http", port=closed_port), HERE) is not None


def test_other_status_is_told(site: Site) -> None:
    site.statuses = [503]
    seen = NetworkProber().probe(HttpCheck(type="http", port=site.port, path="/health?deep=1"), HERE)
    assert seen == "status 503 instead of 200"
    assert site.requests[0][:2] == ("GET", "/health?deep=1")


def test_redirect_is_an_answer_and_is_not_followed(site: Site) -> None:
    site.statuses, site.headers = [302], {"Location": "http://169.254.169.254/"}
    check = HttpCheck(type="http", port=site.port, expected_status=302)
    assert NetworkProber().probe(check, HERE) is None
    assert len(site.requests) == 1


def test_tls_answer_counts_whatever_name_the_certificate_has(tmp_path: Path) -> None:
    context, _ = certificate(tmp_path, "web.example.com")
    with serving(context) as site:
        check = HttpCheck(type="http", port=site.port, scheme="https")
        assert NetworkProber().probe(check, HERE) is None


def test_port_that_speaks_no_http_is_told(tmp_path: Path) -> None:
    context, _ = certificate(tmp_path, "web.example.com")
    with serving(context) as site:
        seen = NetworkProber().probe(HttpCheck(type="http", port=site.port), HERE)
    assert (seen or "").startswith("no answer: ")


@pytest.mark.parametrize(("scheme", "answer"), [("http", SLOWLY), ("https", SLOW_HANDSHAKE)])
def test_port_that_drips_is_left_when_the_whole_check_is_over_time(
    scheme: Literal["http", "https"], answer: bytes
) -> None:
    with dripping(answer) as port:
        check = HttpCheck(type="http", port=port, scheme=scheme)
        assert NetworkProber(timeout_seconds=0.3).probe(check, HERE) == "no answer: not over within 0.3 s"


def test_path_beyond_ascii_is_asked_for_in_percent(site: Site) -> None:
    assert NetworkProber().probe(HttpCheck(type="http", port=site.port, path="/état?a=%20"), HERE) is None
    assert site.requests[0][1] == "/%C3%A9tat?a=%20"


def test_ssm_check_is_not_for_the_network() -> None:
    with pytest.raises(TypeError):
        NetworkProber().probe(SsmCheck(type="ssm", document="Check"), HERE)
