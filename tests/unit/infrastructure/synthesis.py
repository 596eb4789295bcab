"""What the infrastructure tests look at: each stage is synthesized once, without bundling."""

import json
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from aws_cdk import App
from aws_cdk.assertions import Template
from aws_cdk.cx_api import CloudAssembly

from app import build
from runtime.models.deployment import stack_name

ROOT = Path(__file__).parents[3]
STACKS = ("Encryption", "Storage", "Messaging", "Orchestration")
NO_BUNDLING: dict[str, Any] = {"aws:cdk:bundling-stacks": []}
# Removed when the tests are over.
OUTPUT = tempfile.TemporaryDirectory(prefix="cdk-")

Json = dict[str, Any]


def context(stage: str, **stages: Json) -> Json:
    """The context of cdk.json, with other settings for some stages."""
    kept: Json = json.loads((ROOT / "cdk.json").read_text())["context"]
    return {**kept, "stages": kept["stages"] | stages, "stage": stage}


@cache
def assembly(stage: str) -> CloudAssembly:
    """The cloud assembly of a stage."""
    return build(App(context=context(stage) | NO_BUNDLING, outdir=f"{OUTPUT.name}/{stage}")).synth()


@cache
def document(stage: str, stack: str) -> Json:
    """The template of one stack as written to disk."""
    path = Path(assembly(stage).get_stack_by_name(stack_name(stage, stack)).template_full_path)
    template: Json = json.loads(path.read_text())
    return template


@cache
def template(stage: str, stack: str) -> Template:
    """The template of one stack, to assert on."""
    return Template.from_json(document(stage, stack))


def resources(stage: str, stack: str, type_: str) -> dict[str, Json]:
    """The properties of all resources of a type, by logical id."""
    found = document(stage, stack)["Resources"].items()
    return {id_: resource["Properties"] for id_, resource in found if resource["Type"] == type_}


def functions(stage: str = "dev") -> dict[str, Json]:
    """The properties of the pipeline's functions, by handler module."""
    found = resources(stage, "Orchestration", "AWS::Lambda::Function").values()
    return {function["Handler"].split(".")[2]: function for function in found}


def plain(value: Any) -> Any:
    """The value with intrinsic functions as text, so that it reads and compares like the deployed one."""
    match value:
        case {"Fn::Join": [separator, parts]}:
            return separator.join(plain(part) for part in parts)
        case {"Ref": name}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::ImportValue": name}:
            return f"${{{re.sub('.*ExportsOutput', '', name)}}}"
        case dict():
            return {key: plain(member) for key, member in value.items()}
        case list():
            return [plain(member) for member in value]
    return value


def definition(stage: str = "dev") -> Json:
    """The state machine's definition."""
    (machine,) = resources(stage, "Orchestration", "AWS::StepFunctions::StateMachine").values()
    parsed: Json = json.loads(plain(machine["DefinitionString"]))
    return parsed
