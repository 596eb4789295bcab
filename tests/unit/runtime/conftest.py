"""What the unit tests of the runtime share."""

from collections.abc import Iterator
from io import StringIO

import pytest

from runtime.observability import logger


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """What the runtime logs during the test."""
    lines = StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", lines)
    yield lines
    logger.remove_keys(["migration_id", "correlation_id"])
