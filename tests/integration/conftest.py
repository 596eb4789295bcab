"""A cloud for each test, and handlers that meet it as a fresh Lambda environment would."""

from collections.abc import Iterator
from io import StringIO

import pytest
from moto import mock_aws

from runtime.handlers import callback_handler, entry
from runtime.observability import logger, metrics
from tests.integration.cloud import VARIABLES, Cloud, make_cloud


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    # Half of the time of each test would go into images nobody launches from.
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    for made in (entry.environment, entry.kept_ports, callback_handler._secret):
        made.cache_clear()
    # Powertools reads its namespace when it is imported, which may have been for another test.
    monkeypatch.setattr(metrics.provider, "namespace", "Migrations")
    monkeypatch.setattr("runtime.adapters.messages.receiver.FIRST_PAUSE", 0.0)
    with mock_aws():
        yield make_cloud()


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """What the handlers log during the test."""
    lines = StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", lines)
    return lines
