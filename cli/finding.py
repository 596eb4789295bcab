"""Migrations by id or filter, those on their way included; and what may have been meant where there are none."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import islice

from cli.completion import application_of, wave_of
from cli.deployed import Deployed
from cli.exits import NotFoundError, NothingMatchedError
from cli.filters import Filters
from cli.following import Watched
from cli.output import warn
from cli.sent import Migration, OnItsWay

LOOKED_THROUGH = 2_000
"""A misspelt name is compared with so many migrations at most."""


def on_their_way(deployed: Deployed) -> list[OnItsWay]:
    """What was sent and has no answer yet; a request that was rejected meanwhile is told of once."""
    requests = deployed.outbox.requests(datetime.now(UTC))
    if not requests:
        return []
    watched = Watched(deployed.state, {sent.migration_id: sent for sent in requests})
    watched.look(list(watched.on_the_way))
    deployed.outbox.forget({sent.migration_id for sent in requests} - watched.on_the_way.keys())
    for migration_id, rejection in watched.rejected.items():
        warn(f"request {migration_id} was rejected: {rejection.reason}")
    return list(watched.on_the_way.values())


def matching(deployed: Deployed, filters: Filters) -> list[Migration]:
    """The migrations that fit, and the requests on their way that do."""
    return [*filters.find(deployed.state), *(sent for sent in on_their_way(deployed) if filters.fit(sent))]


def not_found(deployed: Deployed, ids: Sequence[str]) -> NotFoundError:
    """The error for ids that nobody knows."""
    known = [record.migration_id for record in islice(deployed.state.migrations.find(), LOOKED_THROUGH)]
    return NotFoundError(
        f"no migration {', '.join(ids)}{_meant(ids, known) or ':'} `migrate list` lists all, "
        "and `migrate status --rejections` what was not accepted"
    )


def nothing_matched(deployed: Deployed, filters: Filters) -> NothingMatchedError:
    """The error for filters that no migration fits."""
    if not filters or filters == Filters(active=True):
        return NothingMatchedError("no migration is under way")
    hint = ""
    if filters.waves or filters.applications:
        known = list(islice(deployed.state.migrations.find(), LOOKED_THROUGH))
        hint = _meant(filters.waves, map(wave_of, known)) or _meant(filters.applications, map(application_of, known))
    return NothingMatchedError(f"no migration matches {filters}{hint}")


def _meant(names: Iterable[str], known: Iterable[str]) -> str:
    choices = sorted(set(known))
    close = [found[0] for name in names if name not in choices and (found := get_close_matches(name, choices, n=1))]
    return f"; did you mean {', '.join(close)}?" if close else ""
