"""Requests on their way: what this machine sent and nobody has answered yet, remembered from command to command."""

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from pydantic import ValidationError

from runtime.models.base import Moment, Stored
from runtime.models.record import MigrationRecord, Rejection

SENT = "SENT"
"""The status people see of a request that is neither accepted nor rejected yet."""

REMEMBERED = timedelta(hours=1)
CLOCK_SKEW = timedelta(seconds=5)
GIVEN_UP = timedelta(minutes=10)
"""A request that nobody has taken for so long is not waited for."""


class OnItsWay(Stored):
    """A request that was sent; `message_id` is the queue's, None over the bus, and one sent unread has no digest."""

    migration_id: str
    source_vm_id: str
    app_name: str
    wave: str
    digest: str | None = None
    message_id: str | None = None
    at: Moment

    def is_answered_by(self, rejection: Rejection) -> bool:
        """Whether this request was rejected; over the bus only its migration id is left to go by."""
        if self.message_id is not None:
            return self.message_id == rejection.message_id
        return self.migration_id == rejection.migration_id and rejection.at >= self.at - CLOCK_SKEW

    def is_accepted_as(self, record: MigrationRecord | None) -> bool:
        """Whether there is a migration of this very request, not of another with its id."""
        return record is not None and self.digest in (None, record.request.digest())


Migration: TypeAlias = MigrationRecord | OnItsWay
"""What people follow: a migration, or the request for one."""


class Outbox:
    """The requests on their way to one deployment, in a file of this user; without one nothing is remembered."""

    def __init__(self, deployment: str) -> None:
        """`deployment` is the id of its stack: one that was made anew has another."""
        name = hashlib.sha256(deployment.encode()).hexdigest()[:16]
        self._path = _folder() / f"{name}.jsonl"

    def requests(self, now: datetime) -> list[OnItsWay]:
        """What was sent in the last hour; the last of those with one migration id."""
        found = {one.migration_id: one for one in self._read() if one.at > now - REMEMBERED}
        return list(found.values())

    def add(self, requests: Iterable[OnItsWay]) -> None:
        """Remember these."""
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.writelines(f"{one.to_json()}\n" for one in requests)

    def forget(self, migration_ids: Collection[str]) -> None:
        """These have their answer."""
        left = [one for one in self._read() if one.migration_id not in migration_ids]
        with suppress(OSError):
            if left:
                self._path.write_text("".join(f"{one.to_json()}\n" for one in left), encoding="utf-8")
            else:
                self._path.unlink(missing_ok=True)

    def _read(self) -> Iterator[OnItsWay]:
        with suppress(OSError, UnicodeDecodeError):
            for line in self._path.read_text(encoding="utf-8").splitlines():
                with suppress(ValidationError):
                    yield OnItsWay.from_json(line)


def _folder() -> Path:
    """Where programs keep what should outlive them and is no setting."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()) / "migrate"
