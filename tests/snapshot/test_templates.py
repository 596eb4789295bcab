"""The templates of production, one snapshot per stack; `pytest --snapshot-update` accepts what changed."""

import json
import re
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from tests.unit.infrastructure.synthesis import STACKS, Json, document, plain


@pytest.mark.parametrize("stack", STACKS)
def test_template(stack: str, snapshot: SnapshotAssertion) -> None:
    assert _readable(document("prod", stack)) == snapshot(extension_class=JSONSnapshotExtension)


def _readable(template: Json) -> Json:
    """Without asset hashes and bootstrap boilerplate, with the state machine's definition as JSON."""
    resources = {id_: _resource(resource) for id_, resource in template["Resources"].items()}
    kept = {"Resources": resources, "Outputs": template.get("Outputs", {})}
    neutral: Json = json.loads(re.sub(r"[0-9a-f]{64}", "<asset>", json.dumps(kept)))
    return neutral


def _resource(resource: Json) -> Json:
    properties: Any = plain(resource.get("Properties", {}))
    if "DefinitionString" in properties:
        properties["DefinitionString"] = json.loads(properties["DefinitionString"])
    return {key: value for key, value in resource.items() if key != "Metadata"} | {"Properties": properties}
