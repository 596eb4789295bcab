"""callback_handler: real receivers on this machine, good ones and bad ones."""

import json
import socket
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

from localcloud.demo.receiver import is_genuine
from runtime.adapters.messages.signatures import receiver_key
from runtime.handlers import callback_handler, entry
from runtime.handlers.callback_handler import handler
from runtime.models.events import MigrationStatusChanged, status_events
from tests.contract.web import Site, serving
from tests.integration.cloud import Cloud, sqs_event
from tests.integration.journey import record_of, submitted

RETURNED = {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
TAKEN: dict[str, Any] = {"batchItemFailures": []}


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as running:
        yield running


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a receiver that takes connections and never answers, which is not waited for long."""
    monkeypatch.setenv("TIMEOUT_SECONDS", "0.5")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def url(port: int, path: str = "/callbacks?key=hush-hush") -> str:
    return f"http://127.0.0.1:{port}{path}"


def change(cloud: Cloud) -> dict[str, Any]:
    """The first change of the migration as EventBridge puts it into the callback queue."""
    event = status_events(record_of(cloud), cloud.state.migrations.journal("mig-1")[0])[0]
    detail = json.loads(event.to_json())
    return {"source": "migration.orchestrator", "detail-type": event.detail_type, "detail": detail, "version": "0"}


def told(cloud: Cloud, callback_url: str) -> dict[str, Any]:
    submitted(cloud, callbackUrl=callback_url)
    return cloud.invoke(handler, sqs_event(change(cloud)))


def use_webhooks(monkeypatch: pytest.MonkeyPatch, *urls: str, allows_private: bool = True) -> None:
    monkeypatch.setenv("WEBHOOK_URLS", json.dumps(urls))
    monkeypatch.setenv("ALLOWS_PRIVATE_ADDRESSES", json.dumps(allows_private))
    for made in (entry.environment, entry.kept_ports, callback_handler._secret):
        made.cache_clear()


def test_receiver_gets_the_signed_change_under_its_idempotency_key(cloud: Cloud, site: Site) -> None:
    assert told(cloud, url(site.port)) == TAKEN
    ((method, path, headers, body),) = site.requests
    assert (method, path, headers["idempotency-key"]) == ("POST", "/callbacks?key=hush-hush", "mig-1:1")
    assert MigrationStatusChanged.from_json(body).to_status == "RECEIVED"
    assert is_genuine(receiver_key("hush-hush", url(site.port)), headers["x-migration-signature"], body)


def forged(cloud: Cloud, **detail: Any) -> dict[str, Any]:
    """An event that claims our source, of a migration that there is."""
    event = change(cloud)
    return event | {"detail": event["detail"] | detail}


def test_event_that_lies_has_the_journals_truth_told(cloud: Cloud, site: Site) -> None:
    submitted(cloud, callbackUrl=url(site.port))
    lie = {"toStatus": "COMPLETED", "reason": "pay here", "correlationId": "cor-9", "sourceServerId": "s-0"}
    assert cloud.invoke(handler, sqs_event(forged(cloud, **lie))) == TAKEN
    ((_, _, _, body),) = site.requests
    told = json.loads(body)
    assert (told["toStatus"], told["correlationId"], told["sequence"]) == ("RECEIVED", "cor-1", 1)
    assert "pay here" not in body.decode()


@pytest.mark.parametrize("lie", [{"sequence": 99}, {"sequence": -1}, {"migrationId": "mig-9"}])
def test_event_of_a_change_the_journal_does_not_have_is_refused_once_and_logged_without_its_body(
    cloud: Cloud, site: Site, log_lines: StringIO, lie: dict[str, Any]
) -> None:
    submitted(cloud, callbackUrl=url(site.port))
    log_lines.truncate(0)
    assert cloud.invoke(handler, sqs_event(forged(cloud, reason="pay here", **lie))) == TAKEN
    assert site.requests == []
    (line,) = [line for line in log_lines.getvalue().splitlines() if "callback refused" in line]
    assert '"level":"WARNING"' in line
    assert "pay here" not in log_lines.getvalue()


def test_two_receivers_of_one_change_are_signed_for_with_keys_of_their_own(
    cloud: Cloud, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as other:
        use_webhooks(monkeypatch, url(other.port))
        told(cloud, url(site.port))
        ((_, _, headers, body),) = other.requests
    header = headers["x-migration-signature"]
    assert is_genuine(receiver_key("hush-hush", url(other.port)), header, body)
    assert not is_genuine(receiver_key("hush-hush", url(site.port)), header, body)


def test_receiver_that_answers_500_and_then_200_took_it(cloud: Cloud, site: Site) -> None:
    site.statuses = [500]
    assert told(cloud, url(site.port)) == TAKEN
    assert [headers["idempotency-key"] for _, _, headers, _ in site.requests] == ["mig-1:1"] * 2


def test_receiver_that_never_answers_is_left_and_the_message_returned(cloud: Cloud, silent: int) -> None:
    assert told(cloud, url(silent)) == RETURNED
    assert record_of(cloud).status == "RECEIVED"


def test_unreachable_receiver_does_not_keep_the_webhooks_from_being_told(
    cloud: Cloud, site: Site, silent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]
    use_webhooks(monkeypatch, url(silent), url(site.port))
    assert told(cloud, url(nobody)) == RETURNED
    assert site.requests


def test_message_delivered_again_has_the_same_idempotency_key(cloud: Cloud, site: Site) -> None:
    told(cloud, url(site.port))
    cloud.invoke(handler, sqs_event(change(cloud)))
    assert [headers["idempotency-key"] for _, _, headers, _ in site.requests] == ["mig-1:1"] * 2


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "[::1]", "localhost"])
def test_private_and_link_local_addresses_are_refused(
    cloud: Cloud, site: Site, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    use_webhooks(monkeypatch, allows_private=False)
    assert told(cloud, f"https://{host}:{site.port}/") == RETURNED
    assert site.requests == []


def test_migration_without_receivers_is_told_nobody(cloud: Cloud) -> None:
    submitted(cloud)
    assert cloud.invoke(handler, sqs_event(change(cloud))) == TAKEN


def test_message_that_is_no_event_is_returned(cloud: Cloud) -> None:
    assert cloud.invoke(handler, sqs_event("not json")) == RETURNED


def test_i11_neither_key_nor_callback_url_is_logged(cloud: Cloud, site: Site, log_lines: StringIO) -> None:
    site.statuses = [500, 500, 500]
    assert told(cloud, url(site.port)) == RETURNED
    cloud.invoke(handler, sqs_event(change(cloud)))
    assert '"told"' in log_lines.getvalue()
    assert "hush" not in log_lines.getvalue()


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "[fd00:ec2::254]"])
def test_callback_to_an_inner_address_leaves_one_warning_that_names_host_and_migration_but_not_the_path(
    cloud: Cloud, log_lines: StringIO, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    use_webhooks(monkeypatch, allows_private=False)
    assert told(cloud, f"https://{host}/callbacks?key=hush-hush") == RETURNED
    lines = [json.loads(line) for line in log_lines.getvalue().splitlines()]
    (line,) = [line for line in lines if line["level"] == "WARNING"]
    assert (line["message"], line["record"], line["migration_id"]) == ("record refused", "message-1", "mig-1")
    assert line["error"] == "CallbackDeliveryError"
    assert "not public" in line["reason"]
    assert host.strip("[]") in line["reason"]
    assert "hush" not in log_lines.getvalue()


@pytest.mark.parametrize(
    "body", ["hush-hush", '{"source": "hush-hush", "detail-type": 1}', '{"detail": {"a": "hush-hush"}}']
)
def test_callback_that_is_no_event_leaves_one_warning_that_quotes_nothing(
    cloud: Cloud, log_lines: StringIO, body: str
) -> None:
    assert cloud.invoke(handler, sqs_event(body)) == RETURNED
    (line,) = map(json.loads, log_lines.getvalue().splitlines())
    assert (line["level"], line["error"], line["migration_id"]) == ("WARNING", "ValidationError", "unknown")
    assert "hush" not in log_lines.getvalue()
