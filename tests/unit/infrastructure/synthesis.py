"""What the infrastructure tests look at: each stage, synthesized without bundling and kept until its sources change."""

import fcntl
import hashlib
import json
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runtime.models.deployment import stack_name

# Whoever finds a stage synthesized need not wait for the CDK's start.
if TYPE_CHECKING:
    from aws_cdk.assertions import Template

ROOT = Path(__file__).parents[3]
STACKS = ("Encryption", "Storage", "Messaging", "Orchestration", "Access")
DELETION_POLICIES = {"local": "Delete", "dev": "Delete", "prod": "RetainExceptOnCreate"}
"""Of what holds data, by stage."""
NO_BUNDLING: dict[str, Any] = {"aws:cdk:bundling-stacks": []}
KEPT = ROOT / ".build" / "synthesized"
# The functions' code is not among them: it shows in the hash of the asset only, which no test looks at.
SOURCES = ("app.py", "uv.lock", "constructs/**/*.py", "stacks/*.py", "runtime/*.py", "runtime/models/**/*.py")

Json = dict[str, Any]


def context(stage: str, **stages: Json) -> Json:
    """The context of cdk.json, with other settings for some stages."""
    kept: Json = json.loads((ROOT / "cdk.json").read_text())["context"]
    return {**kept, "stages": kept["stages"] | stages, "stage": stage}


def synthesized(context: Json) -> Path:
    """The folder of the cloud assembly with this context; another process may have made it."""
    sources = KEPT / _digest(_sources())
    folder = sources / _digest([json.dumps(context, sort_keys=True).encode()])
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for other in KEPT.iterdir():
            if other.is_dir() and other != sources:
                shutil.rmtree(other)
        if not folder.exists():
            _synthesize(context, folder)
    return folder


def _synthesize(context: Json, folder: Path) -> None:
    from aws_cdk import App

    from app import build

    folder.parent.mkdir(exist_ok=True)
    made = tempfile.mkdtemp(dir=folder.parent)
    build(App(context=context | NO_BUNDLING, outdir=made)).synth()
    Path(made).rename(folder)


def _sources() -> Iterator[bytes]:
    yield f"{sys.version} {platform.machine()}".encode()
    for file in sorted(found for pattern in SOURCES for found in ROOT.glob(pattern)):
        yield str(file.relative_to(ROOT)).encode()
        yield file.read_bytes()


def _digest(parts: Iterator[bytes] | list[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:16]


class Assembled(NamedTuple):
    """One stack of a cloud assembly."""

    account: str
    region: str
    file: Path


def stacks(assembly: Path) -> dict[str, Assembled]:
    """The stacks of a cloud assembly by their names."""
    artifacts = json.loads((assembly / "manifest.json").read_text())["artifacts"]
    found = {name: each for name, each in artifacts.items() if each["type"] == "aws:cloudformation:stack"}
    return {name: _assembled(assembly, each) for name, each in found.items()}


def _assembled(assembly: Path, artifact: Json) -> Assembled:
    account, region = artifact["environment"].removeprefix("aws://").split("/")
    return Assembled(account, region, assembly / artifact["properties"]["templateFile"])


@cache
def assembly(stage: str) -> Path:
    """The cloud assembly of a stage."""
    return synthesized(context(stage))


@cache
def document(stage: str, stack: str) -> Json:
    """The template of one stack as written to disk."""
    template: Json = json.loads(stacks(assembly(stage))[stack_name(stage, stack)].file.read_text())
    return template


@cache
def template(stage: str, stack: str) -> "Template":
    """The template of one stack, to assert on."""
    from aws_cdk.assertions import Template

    return Template.from_json(document(stage, stack))


def output_of(stack: str, name: str) -> Json:
    """A reference to another stack's output whose name fits this pattern, to match with."""
    from aws_cdk.assertions import Match

    reference = {"StackName": stack, "OutputName": Match.string_like_regexp(name)}
    return {"Fn::GetStackOutput": Match.object_like(reference)}


def key_of(stage: str = "dev") -> Json:
    """A reference to the key of a stage, to match with."""
    return output_of(stack_name(stage, "Encryption"), "EncryptionKey")


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
        case {"Fn::GetStackOutput": {"OutputName": name}}:
            return f"${{{name.removeprefix('PublishOutput')}}}"
        case {"Fn::Select": [int(index), {"Fn::Split": [separator, text]}]}:
            return f"{plain(text)}|{separator}|{index}"
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
