"""Builds the code of all functions as one asset, without Docker."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, ILocalBundling
from aws_cdk import aws_lambda as lambda_

ROOT = Path(__file__).parents[2]
PACKAGE = "runtime"
EXPORT = ("export", "--frozen", "--no-dev", "--no-emit-project", "--no-header", "--no-annotate")
# The Lambda runtime brings a boto3 of its own, of a release that AWS changes when it likes. Ours is the one that was
# tested, and weighs less without the descriptions of services that no adapter speaks to.
SDK_SERVICES = frozenset({"dynamodb", "ec2", "events", "mgn", "secretsmanager", "sqs", "ssm", "stepfunctions", "sts"})
INSTALL = ("pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--no-compile-bytecode")
INTERPRETER = ("--python", sys.executable)
# What no import reads. METADATA stays: importlib.metadata finds versions there.
UNUSED = (
    ".lock",
    "bin",
    "*-stubs",
    "*.dist-info/RECORD",
    "*.dist-info/REQUESTED",
    "*.dist-info/sboms",
    "**/*.pyi",
    "**/*.c",
    # What only the validation and the pages of its own OpenAPI load.
    "aws_lambda_powertools/event_handler/middlewares",
    "aws_lambda_powertools/event_handler/openapi/swagger_ui",
    "aws_lambda_powertools/metrics/provider/datadog",
    # All but batch and the data classes it reads, and jmespath_utils and typing, which the logger imports.
    "aws_lambda_powertools/utilities/[!_bdjt]*",
    "aws_lambda_powertools/utilities/data_masking",
    "aws_lambda_powertools/utilities/data_classes/*authorizer_event.py",
    "aws_lambda_powertools/utilities/data_classes/cognito_*.py",
    "aws_lambda_powertools/utilities/data_classes/iot_*.py",
    "aws_lambda_powertools/utilities/data_classes/s3_object_event.py",
    # All but boto_utils, botocore, resources and util: nothing else is patched.
    "aws_xray_sdk/ext/[!_bru]*",
    "boto3/data",
    "boto3/examples",
    "botocore/data/*/*/examples-1.json*",
    "dateutil/zoneinfo/*.tar.gz",
    "pydantic/experimental",
    "pydantic/mypy.py",
    "pydantic/v1",
    "urllib3/contrib/emscripten",
)
# Lambda cannot write bytecode beside the sources: without it every cold start compiles whatever it loads. It is not
# checked against the sources, which nobody changes there, and names the files by their place in Lambda. Without that of
# what the steps of the state machine never load, or seldom: with it the asset would pass twelve megabytes.
COMPILE = (
    *("-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-p", "/var/task"),
    *("-x", "data_classes|event_handler|aws_xray_sdk|wrapt"),
)


@dataclass(frozen=True)
class Target:
    """What the asset is built for; `platform` None means the machine it is built on."""

    python_version: str
    platform: str | None


def runtime_code(target: Target) -> lambda_.Code:
    """The runtime package with its locked dependencies; built once per content, whatever the number of functions."""
    requirements = _requirements()
    return lambda_.Code.from_asset(
        str(ROOT / PACKAGE),
        asset_hash=_fingerprint(target, requirements),
        asset_hash_type=AssetHashType.CUSTOM,
        bundling=BundlingOptions(
            # Never pulled: local bundling either succeeds or raises.
            image=DockerImage.from_registry("local-bundling-only"),
            local=UvBundling(target),
        ),
    )


@jsii.implements(ILocalBundling)
class UvBundling:
    """Copies the sources and installs the locked wheels of the target platform."""

    def __init__(self, target: Target) -> None:
        self.target = target

    # jsii hands over the options as a positional struct or as keywords, depending on the caller.
    def try_bundle(self, output_dir: str, *_: Any, **__: Any) -> bool:
        """Fill `output_dir`; raises when uv fails."""
        bundle(Path(output_dir), self.target)
        return True


def bundle(output: Path, target: Target) -> None:
    """Write the asset's content to an existing folder."""
    for source in _sources():
        copy = output / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)
    platform = ("--python-platform", target.platform) if target.platform else ()
    version = ("--python-version", target.python_version)
    _uv(
        *INSTALL,
        *INTERPRETER,
        *platform,
        *version,
        "--target",
        str(output),
        "--requirements",
        "-",
        stdin=_requirements(),
    )
    for unused in _matches(output, UNUSED):
        shutil.rmtree(unused) if unused.is_dir() else unused.unlink(missing_ok=True)
    for unused in _unused_descriptions(output / "botocore" / "data"):
        shutil.rmtree(unused)
    if interpreter := _interpreter(target.python_version):
        subprocess.run([interpreter, *COMPILE, "-s", str(output), str(output)], check=True)


@cache
def _interpreter(version: str) -> str | None:
    """A Python on this machine that writes the bytecode this version reads; None leaves the asset without any."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    try:
        return _uv("python", "find", "--no-project", "--no-python-downloads", version).strip()
    except RuntimeError:
        return None


def _requirements() -> str:
    return _uv(*EXPORT)


def _sources() -> Iterator[Path]:
    return (path for path in sorted((ROOT / PACKAGE).rglob("*")) if path.is_file() and "__pycache__" not in path.parts)


def _unused_descriptions(data: Path) -> Iterator[Path]:
    """Services that no adapter speaks to, and older versions of those it does."""
    for service in (path for path in data.iterdir() if path.is_dir()):
        if service.name in SDK_SERVICES:
            yield from sorted(path for path in service.iterdir() if path.is_dir())[:-1]
        else:
            yield service


def _matches(root: Path, patterns: Iterable[str]) -> list[Path]:
    return [path for pattern in patterns for path in root.glob(pattern)]


def _fingerprint(target: Target, requirements: str) -> str:
    # Of what goes in, not of what comes out: known without building, so an unchanged asset is not built again.
    compiles = _interpreter(target.python_version) is not None
    digest = hashlib.sha256(repr((target, requirements, UNUSED, sorted(SDK_SERVICES), COMPILE, compiles)).encode())
    for source in _sources():
        digest.update(str(source.relative_to(ROOT)).encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _uv(*arguments: str, stdin: str | None = None) -> str:
    uv = [found] if (found := shutil.which("uv")) else [sys.executable, "-m", "uv"]
    done = subprocess.run([*uv, *arguments], cwd=ROOT, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"uv {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout
