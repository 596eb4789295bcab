"""The published JSON Schemas, made from the models that the pipeline itself uses."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from runtime.models.base import Payload
from runtime.models.events import BusEvent, MigrationSignal
from runtime.models.request import MigrationRequest

REQUEST = "request"
REQUEST_FILE = "migration_payload.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
NAMESPACE = "urn:mgn-migration-orchestrator:schema"

EARLIER_MESSAGE: dict[str, object] = {
    "migrationId": "mig-2026-0001",
    "appName": "billing",
    "source": "azure",
    "target": "aws",
    "environment": "prod",
    "wave": "1",
    "sourceVmId": "billing-web-01",
    "targetVmName": "billing-web-01-aws",
    "instanceType": "m5.large",
    "subnetId": "subnet-0123456789abcdef0",
    "securityGroupIds": ["sg-0123456789abcdef0"],
}
"""What producers of the earlier design send."""

FULL_MESSAGE: dict[str, object] = {
    **EARLIER_MESSAGE,
    "migrationId": "mig-2026-0002",
    "sourceServerId": "s-0123456789abcdef0",
    "correlationId": "change-4711",
    "callbackUrl": "https://cmdb.example.com/migrations",
    "mode": "migrate",
    "test": True,
    "checks": [{"type": "tcp", "port": 443}, {"type": "http", "port": 80, "path": "/health", "expectedStatus": 200}],
    "approval": {"cutover": True, "finalize": True, "timeoutSeconds": 86400},
    "window": {"notBefore": "2026-03-07T22:00:00Z", "notAfter": "2026-03-08T04:00:00Z"},
    "soakSeconds": 1800,
    "launch": {"bootMode": "UEFI", "copyPrivateIp": False},
    "tags": {"cost-center": "4711"},
}
"""Everything a careful team asks for."""


class Published(GenerateJsonSchema):
    """Titles stay where a person wrote them: a field's name needs none. Names are held to their patterns."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def dict_schema(self, schema: Any) -> dict[str, Any]:
        """A pattern of names binds every name, where `patternProperties` lets the others be anything."""
        made = super().dict_schema(schema)
        for pattern, values in made.pop("patternProperties", {}).items():
            made["propertyNames"] = {**made.get("propertyNames", {}), "pattern": pattern}
            made["additionalProperties"] = values
        return made


def schema_models() -> dict[str, type[Payload]]:
    """The published models by the name people ask for them."""
    messages: list[type[Payload]] = [*_events(BusEvent), MigrationSignal]
    return {REQUEST: MigrationRequest, **{model.__name__: model for model in sorted(messages, key=str)}}


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of one published model."""
    model = schema_models()[name]
    stem = file_name(name).removesuffix(".json")
    made = model.model_json_schema(by_alias=True, schema_generator=Published)
    head = {"$schema": DIALECT, "$id": f"{NAMESPACE}:{stem}", "title": _words(model.__name__)}
    examples = {"examples": [EARLIER_MESSAGE, FULL_MESSAGE]} if model is MigrationRequest else {}
    # For people: what it is and its fields first, the definitions they refer to last.
    definitions = {"$defs": made.pop("$defs")} if "$defs" in made else {}
    return {**head, "description": made.pop("description"), **made, **head, **examples, **definitions}


def file_name(name: str) -> str:
    """The file a schema is published in."""
    return REQUEST_FILE if name == REQUEST else f"{_words(name).lower().replace(' ', '_')}.json"


def write_schemas(folder: Path) -> list[Path]:
    """Write every schema; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in schema_models():
        path = folder / file_name(name)
        path.write_text(json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    return written


def _events(parent: type[BusEvent]) -> Iterator[type[BusEvent]]:
    for event in parent.__subclasses__():
        if "detail_type" in vars(event):
            yield event
        yield from _events(event)


def _words(class_name: str) -> str:
    """MigrationStatusChanged → Migration status changed."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", class_name).capitalize()
