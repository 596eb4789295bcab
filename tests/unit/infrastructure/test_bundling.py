"""The code asset: small, complete, the same every time."""

import hashlib
import marshal
import os
import subprocess
import sys
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from types import CodeType
from typing import get_args, get_overloads
from unittest import mock

import boto3
import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_lambda as lambda_

from migration_constructs import Target, bundle, runtime_code
from migration_constructs._bundling import SDK_SERVICES
from runtime.adapters.aws import clients
from tests.unit.infrastructure.synthesis import NO_BUNDLING, ROOT, Json, functions

GRAVITON = Target("3.13", "aarch64-manylinux2014")
HOST = Target(f"{sys.version_info.major}.{sys.version_info.minor}", None)
MEGABYTE = 1024 * 1024
SDK = ("boto3", "botocore", "dateutil", "python_dateutil", "s3transfer", "six", "urllib3")


@pytest.fixture(scope="module")
def graviton(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _bundled(tmp_path_factory.mktemp("graviton"), GRAVITON)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _bundled(tmp_path_factory.mktemp("host"), HOST)


@pytest.mark.parametrize("asset", ["graviton", "host"])
def test_asset_stays_below_twelve_megabytes_and_nine_of_sdk(asset: str, request: pytest.FixtureRequest) -> None:
    root: Path = request.getfixturevalue(asset)
    sizes = [(_is_sdk(file.relative_to(root)), file.stat().st_size) for file in _files(root)]
    assert sum(size for is_sdk, size in sizes if not is_sdk) <= 12 * MEGABYTE
    assert sum(size for is_sdk, size in sizes if is_sdk) <= 9 * MEGABYTE


def test_asset_describes_the_services_that_adapters_speak_to_and_no_others(graviton: Path) -> None:
    spoken = {get_args(overload.__annotations__["name"])[0] for overload in get_overloads(clients.client)}
    described = {path.name for path in (graviton / "botocore" / "data").iterdir() if path.is_dir()}
    assert described == SDK_SERVICES == spoken


def test_asset_has_the_boto3_that_was_tested(graviton: Path) -> None:
    assert f'__version__ = "{boto3.__version__}"' in (graviton / "boto3" / "__init__.py").read_text().replace("'", '"')


@pytest.mark.parametrize("package", ["runtime", "pydantic", "aws_lambda_powertools/logging", "botocore"])
def test_what_a_step_loads_has_bytecode_that_lambda_reads_unchecked(host: Path, package: str) -> None:
    sources = [file for file in _files(host / package) if file.suffix == ".py"]
    assert sources
    for source in sources:
        magic, flags, code = _bytecode(Path(cache_from_source(str(source))))
        assert (magic, flags) == (MAGIC_NUMBER, 0b01)
        assert code.co_filename == f"/var/task/{source.relative_to(host)}"


def test_asset_for_a_python_that_is_not_here_has_no_bytecode(tmp_path: Path) -> None:
    with mock.patch("migration_constructs._bundling._interpreter", return_value=None):
        bundle(tmp_path, HOST)
    assert not list(tmp_path.rglob("*.pyc"))


def test_asset_has_the_target_platforms_binaries(graviton: Path) -> None:
    libraries = [file.name for file in _files(graviton) if file.suffix == ".so"]
    assert libraries
    assert all("cpython-313-aarch64-linux-gnu" in name for name in libraries)


def test_asset_has_the_whole_runtime_and_nothing_else_of_ours(graviton: Path) -> None:
    sources = {file.relative_to(ROOT) for file in (ROOT / "runtime").rglob("*.py")}
    assert {file.relative_to(graviton) for file in (graviton / "runtime").rglob("*.py")} == sources
    assert not any((graviton / ours).exists() for ours in ("tests", "stacks", "simulator", "cli", "localcloud"))


@pytest.mark.parametrize("unwanted", ["boto3/data", "boto3/examples", "aws_cdk", "bin", "**/RECORD"])
def test_asset_carries_nothing_unneeded(graviton: Path, unwanted: str) -> None:
    assert not list(graviton.glob(unwanted))


def test_same_sources_make_the_same_asset(host: Path, tmp_path: Path) -> None:
    assert _digest(_bundled(tmp_path, HOST)) == _digest(host)


def test_handlers_and_their_clients_come_from_the_asset_alone(host: Path, tmp_path: Path) -> None:
    imports = "; ".join(f"import runtime.handlers.{module}" for module in functions())
    # Loaded by the first traced invocation.
    imports += "; runtime.observability.tracer()"
    imports += "; from runtime.adapters.aws.clients import client"
    imports += "".join(f"; client({service!r})" for service in sorted(SDK_SERVICES))
    environment = {
        **os.environ,
        "LAMBDA_TASK_ROOT": "/var/task",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(host),
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    # -S: without the site-packages of the tests.
    command = [sys.executable, "-S", "-c", imports]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_unchanged_asset_is_not_built_again(tmp_path: Path) -> None:
    first = _synthesize(tmp_path)
    built = {file: file.stat().st_mtime_ns for file in _files(first)}
    assert _synthesize(tmp_path) == first
    assert {file: file.stat().st_mtime_ns for file in _files(first)} == built


def test_other_target_is_another_asset(tmp_path: Path) -> None:
    # The name is known without building.
    assert _synthesize(tmp_path, HOST, NO_BUNDLING).name != _synthesize(tmp_path, GRAVITON, NO_BUNDLING).name


def _bundled(output: Path, target: Target) -> Path:
    output.mkdir(exist_ok=True)
    bundle(output, target)
    return output


def _synthesize(outdir: Path, target: Target = HOST, context: Json | None = None) -> Path:
    app = App(outdir=str(outdir), analytics_reporting=False, context=context)
    stack = Stack(app, "Stack")
    lambda_.Function(
        stack,
        "Function",
        code=runtime_code(target),
        handler="index.handler",
        runtime=lambda_.Runtime.PYTHON_3_13,
    )
    resources = app.synth().get_stack_by_name("Stack").template["Resources"].values()
    (code,) = (resource["Properties"]["Code"] for resource in resources if "Code" in resource["Properties"])
    return outdir / f"asset.{code['S3Key'].removesuffix('.zip')}"


def _bytecode(file: Path) -> tuple[bytes, int, CodeType]:
    written = file.read_bytes()
    return written[:4], int.from_bytes(written[4:8], "little"), marshal.loads(written[16:])


def _is_sdk(file: Path) -> bool:
    return any(part.startswith(SDK) for part in file.parts)


def _files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def _digest(root: Path) -> str:
    contents = (f"{file.relative_to(root)} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in _files(root))
    return "\n".join(contents)
