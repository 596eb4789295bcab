"""A model's JSON Schema as API Gateway reads it: draft 4, and never stricter than the model itself.

https://docs.aws.amazon.com/apigateway/latest/developerguide/models-mappings-models.html
"""

from typing import Any

from runtime.models.base import Payload

# What draft 4 and pydantic mean alike.
KEPT = frozenset(
    {"type", "properties", "required", "items", "enum", "anyOf", "oneOf", "additionalProperties", "pattern"}
    | {"minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "minProperties", "maxProperties"}
)
DRAFT = "http://json-schema.org/draft-04/schema#"
_HERE, _THERE = "#/$defs/", "#/definitions/"

Schema = dict[str, Any]


def gateway_schema(model: type[Payload]) -> Schema:
    """The schema of what senders write."""
    made = model.model_json_schema(by_alias=True)
    definitions = {name: _projected(each) for name, each in made.get("$defs", {}).items()}
    return {
        "$schema": DRAFT,
        "title": model.__name__,
        **_projected(made),
        **({"definitions": definitions} if definitions else {}),
    }


def _projected(schema: Schema) -> Schema:
    if "$ref" in schema:
        # Beside a reference draft 4 reads nothing else.
        return {"$ref": schema["$ref"].replace(_HERE, _THERE)}
    kept = {name: value for name, value in schema.items() if name in KEPT}
    if "const" in schema:
        kept["enum"] = [schema["const"]]
    if "patternProperties" in schema:
        # Names of other letters than a pattern's may be refused by the model only.
        (kept["additionalProperties"],) = schema["patternProperties"].values()
    if "\\w" in kept.get("pattern", ""):
        # Letters of every language to pydantic, ASCII to Java.
        del kept["pattern"]
    for name in ("anyOf", "oneOf"):
        if name in kept:
            kept[name] = [_projected(each) for each in kept[name]]
    for name in ("items", "additionalProperties"):
        if isinstance(kept.get(name), dict):
            kept[name] = _projected(kept[name])
    if "properties" in kept:
        kept["properties"] = {name: _projected(each) for name, each in kept["properties"].items()}
    return kept
