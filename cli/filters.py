"""Which migrations a command is about: the same options, meaning the same, wherever there are several."""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps
from itertools import chain, product
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

import typer

from cli.completion import complete_application, complete_wave
from cli.deployed import CONNECTIONS
from cli.sent import SENT, Migration, OnItsWay
from cli.standings import RELEASED, STANDINGS, standing
from cli.target import Target
from runtime.logic.ports import State
from runtime.models.record import MigrationRecord
from runtime.models.status import MigrationStatus

P = ParamSpec("P")
R = TypeVar("R")

PANEL = "Filters"
UNDER_WAY = tuple(status for status in MigrationStatus if not status.is_terminal)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class Filters:
    """What migrations must fit: of each kind one of the values, and of all kinds."""

    waves: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    active: bool = False
    since: datetime | None = None
    search: str | None = None

    def __bool__(self) -> bool:
        return self != Filters()

    def __str__(self) -> str:
        """As a person reads them: wave 1 or 2, status FROZEN."""
        kinds = {"wave": self.waves, "application": self.applications, "status": self.statuses}
        told = [f"{kind} {' or '.join(values)}" for kind, values in kinds.items() if values]
        told += ["under way"] if self.active else []
        told += [f"changed since {self.since:%Y-%m-%d %H:%M:%S}Z"] if self.since else []
        return ", ".join([*told, *([f"like {self.search!r}"] if self.search else [])])

    def find(self, state: State) -> list[MigrationRecord]:
        """The migrations that fit by acceptance, read through the index that fits best."""
        statuses: Sequence[MigrationStatus | None] = self._statuses()
        if not statuses:
            return []
        if set(statuses) == set(MigrationStatus):
            statuses = (None,)
        reads: list[dict[str, Any]] = [{"status": status, "since": self.since} for status in statuses]
        if self.waves:
            reads = [{**read, "wave": wave} for read, wave in product(reads, self.waves)]
        elif self.applications:
            reads = [{**read, "application": name} for read, name in product(reads, self.applications)]
        with ThreadPoolExecutor(min(len(reads), CONNECTIONS)) as readers:
            lists = list(readers.map(lambda read: list(state.migrations.find(**read)), reads))
        # One that moves meanwhile may be met twice.
        found = {record.migration_id: record for record in chain.from_iterable(lists)}
        fitting = (record for record in found.values() if self.fit(record))
        return sorted(fitting, key=lambda record: (record.created_at, record.migration_id))

    def fit(self, migration: Migration) -> bool:
        """Whether a migration, or a request on its way, is meant."""
        if isinstance(migration, OnItsWay):
            wave, application, changed, active = migration.wave, migration.app_name, migration.at, True
            texts: list[str | None] = [migration.migration_id, migration.source_vm_id]
        else:
            request = migration.request
            wave, application, changed = request.wave, request.app_name, migration.updated_at
            active = not migration.status.is_terminal
            launches = [migration.test_launch, migration.cutover_launch]
            texts = [
                *(migration.migration_id, request.source_vm_id, request.target_vm_name, migration.source_server_id),
                *(migration.correlation_id, migration.reason),
                *(part for launch in launches if launch for part in (launch.job_id, launch.instance_id)),
            ]
        return (
            wave in (self.waves or (wave,))
            and application in (self.applications or (application,))
            and standing(migration) in (self.statuses or (standing(migration),))
            and (active or not self.active)
            and (self.since is None or changed >= self.since)
            and (self.search is None or any(self.search.casefold() in text.casefold() for text in texts if text))
        )

    def _statuses(self) -> tuple[MigrationStatus, ...]:
        asked = {MigrationStatus.FROZEN if name == RELEASED else name for name in self.statuses} or set(MigrationStatus)
        return tuple(
            status for status in MigrationStatus if status in asked and (status in UNDER_WAY or not self.active)
        )


def parse_status(text: str) -> str:
    """A status by its name in any case, with - for _ if one likes."""
    name = text.upper().replace("-", "_")
    if name not in STANDINGS:
        raise typer.BadParameter(f"{text!r} is none of {', '.join(STANDINGS)}")
    return str(name)


def parse_since(text: str) -> datetime:
    """An age like 2h or 3d, or a date or time; UTC unless it says otherwise."""
    if found := re.fullmatch(r"(\d{1,6})([smhdw])", text):
        return datetime.now(UTC) - timedelta(**{UNITS[found[2]]: int(found[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no age like 30m, 2h or 3d, nor a date like 2026-03-07") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _complete_status(incomplete: str) -> Iterator[str]:
    return (name for name in STANDINGS if name.startswith(incomplete))


def _option(*names: str, text: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=PANEL, show_default=False, **more)


def _options() -> dict[str, tuple[Any, Any]]:
    texts = list[str] | None
    status = _option(
        "--status",
        text=f"Only this status, {SENT} and {RELEASED} included; repeatable.",
        metavar="STATUS",
        parser=parse_status,
        autocompletion=_complete_status,
    )
    since = _option("--since", text="Only changed since: 30m, 2h, 3d, or a date.", metavar="TIME", parser=parse_since)
    wave = _option("--wave", text="Only this wave; repeatable.", metavar="NAME", autocompletion=complete_wave)
    application = _option(
        "--app",
        "--application",
        text="Only this application; repeatable.",
        metavar="NAME",
        autocompletion=complete_application,
    )
    search = _option("--search", text="Only with this text in an id, a name or the reason.", metavar="TEXT")
    return {
        "waves": (Annotated[texts, wave], None),
        "applications": (Annotated[texts, application], None),
        "statuses": (Annotated[texts, status], None),
        "active": (Annotated[bool, _option("--active", text="Only those that have not ended.")], False),
        "since": (Annotated[datetime | None, since], None),
        "search": (Annotated[str | None, search], None),
    }


def takes_filters(command: Callable[Concatenate[Target, Filters, P], R]) -> Callable[..., R]:
    """Give a command the filters; it gets them as its second argument, after its target."""
    options = _options()

    @wraps(command)
    def with_filters(target: Target, **arguments: Any) -> R:
        given: dict[str, Any] = {name: arguments.pop(name) for name in options}
        chosen: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in given.items() if v}
        return command(target, Filters(**chosen), **arguments)  # type: ignore[call-arg]

    first, _, *own = inspect.signature(command).parameters.values()
    keyword = inspect.Parameter.KEYWORD_ONLY
    added = [
        inspect.Parameter(name, keyword, default=default, annotation=note) for name, (note, default) in options.items()
    ]
    parameters = [first, *(parameter.replace(kind=keyword) for parameter in own), *added]
    with_filters.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_filters.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_filters
