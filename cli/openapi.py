"""The HTTP door as an OpenAPI document, made from its routes and models."""

import json
import re
from http import HTTPStatus
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from cli.schemas import Published
from runtime.models.http import ROUTES, Problem, Route
from runtime.models.request import MigrationRequest

FILE = "openapi.json"
VERSION = "1"
ANY_REFUSAL = (400, 403, 429, 503)
_REFERENCE = "#/components/schemas/{model}"


def write_openapi(folder: Path) -> Path:
    """Write the document; the file written."""
    path = folder / FILE
    path.write_text(json.dumps(openapi(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def openapi() -> dict[str, Any]:
    """OpenAPI 3.1 of the door."""
    wanted: set[tuple[type[BaseModel], JsonSchemaMode]] = {(Problem, "serialization")}
    for route in ROUTES:
        wanted.add((route.answer, "serialization"))
        if route.body:
            wanted.add((route.body, "validation"))
    references, schemas = models_json_schema(
        sorted(wanted, key=str), by_alias=True, ref_template=_REFERENCE, schema_generator=Published
    )
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Migration orchestrator",
            "version": VERSION,
            "description": "Requests, decisions, and what became of them. Every call is signed (SigV4, execute-api).",
        },
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "sigv4": {
                    "type": "apiKey",
                    "name": "Authorization",
                    "in": "header",
                    "x-amazon-apigateway-authtype": "awsSigv4",
                }
            },
        },
        "security": [{"sigv4": []}],
    }


def _operation(route: Route, references: dict[Any, Any]) -> dict[str, Any]:
    answer = {"application/json": {"schema": references[route.answer, "serialization"]}}
    location = {"Location": {"description": "Where the migration is found.", "schema": {"type": "string"}}}
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": _parameters(route),
        "responses": {
            str(route.success): {
                "description": HTTPStatus(route.success).phrase,
                "content": answer,
                **({"headers": location} if route.body is MigrationRequest else {}),
            },
            **{str(status): _refusal(status, references) for status in sorted({*ANY_REFUSAL, *route.refusals})},
        },
    }
    if route.body:
        content = {"application/json": {"schema": references[route.body, "validation"]}}
        operation["requestBody"] = {"required": True, "content": content}
    return {name: value for name, value in operation.items() if value}


def _parameters(route: Route) -> list[dict[str, Any]]:
    identifier = MigrationRequest.model_json_schema()["properties"]["migrationId"]
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": identifier["pattern"]}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    if route.query:
        made = route.query.model_json_schema(schema_generator=Published, ref_template=_REFERENCE)
        found += [
            {"name": name, "in": "query", "schema": _present(made, each)} for name, each in made["properties"].items()
        ]
    return found


def _present(made: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that may be left out is never null."""
    (choice, *_) = schema.pop("anyOf", [schema])
    if choice.get("$ref"):
        choice = made["$defs"][choice["$ref"].rpartition("/")[2]]
    return {name: value for name, value in {**schema, **choice}.items() if name != "default" or value is not None}


def _refusal(status: int, references: dict[Any, Any]) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": references[Problem, "serialization"]}}
    return {"description": HTTPStatus(status).phrase, "content": problem}
