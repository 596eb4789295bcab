"""Migrations as documents for programs: the stored models, and the few things that are only known when one looks."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pydantic.alias_generators import to_camel

from cli.queueing import in_json
from cli.sent import SENT, Migration, OnItsWay
from cli.times import phases
from runtime.logic.dispatch.packing import Place
from runtime.models.base import Model
from runtime.models.record import JournalEntry

CSV_COLUMNS = (
    *("migrationId", "status", "sourceVmId", "appName", "wave", "environment", "sourceServerId", "targetAccount"),
    *("targetRegion", "queuePlace", "acceptedAt", "changedAt", "reason"),
)


def document(model: Model) -> dict[str, object]:
    """The wire form of a model, with one spelling of names throughout."""
    found = model.model_dump(mode="json", exclude_none=True)
    template = found.get("launchTemplate")
    if isinstance(template, dict):
        found["launchTemplate"] = {to_camel(name): value for name, value in template.items()}
    return found


def documents(models: Iterable[Model]) -> list[dict[str, object]]:
    return [document(model) for model in models]


def migration_documents(
    migrations: Iterable[Migration],
    places: Mapping[str, Place],
    journals: Mapping[str, Sequence[JournalEntry]] | None = None,
    *,
    now: datetime,
) -> list[dict[str, object]]:
    """A document for each, with its place in the queue, and with `journals` the time each status took."""
    return [_one(each, places, journals, now) for each in migrations]


def csv_rows(found: Iterable[Mapping[str, object]]) -> list[list[object]]:
    """The documents as rows under CSV_COLUMNS."""
    rows = []
    for each in found:
        request = each.get("request", each)
        assert isinstance(request, Mapping)
        told = {**request, **each, "acceptedAt": each.get("createdAt", ""), "changedAt": each.get("updatedAt", "")}
        rows.append([told.get(name, "") for name in CSV_COLUMNS])
    return rows


def _one(
    migration: Migration,
    places: Mapping[str, Place],
    journals: Mapping[str, Sequence[JournalEntry]] | None,
    now: datetime,
) -> dict[str, object]:
    if isinstance(migration, OnItsWay):
        sent = document(migration)
        return {"migrationId": sent.pop("migrationId"), "status": SENT, "sentAt": sent.pop("at"), **sent}
    found = document(migration) | in_json(places.get(migration.migration_id), now)
    if journals is not None:
        found["phases"] = documents(phases(journals.get(migration.migration_id, ()), now))
    return found
