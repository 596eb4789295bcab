"""The simulator on its own: what its package declares, its fixtures in somebody else's project."""

import ast
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = tomllib.loads((ROOT / "simulator" / "pyproject.toml").read_text())["project"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Whoever uses the fixtures has pytest, botocore comes with boto3, and stubs are for type checkers alone.
NOT_DECLARED = ("pytest", "botocore", "mypy-boto3")

CONFTEST = 'pytest_plugins = ["simulator.pytest_plugin"]\n'
TEST = """
import boto3
import pytest
from simulator import load_scenario

def test_in_process(mgn_client, mgn_simulator):
    servers = [item["sourceServerID"] for item in mgn_client.describe_source_servers()["items"]]
    mgn_client.start_test(sourceServerIDs=servers)
    mgn_simulator.finish_jobs()
    assert mgn_client.describe_jobs()["items"][0]["status"] == "COMPLETED"

class TestWave:
    @pytest.fixture
    def mgn_scenario(self):
        return load_scenario("happy-wave-12")

    def test_over_http(self, mgn_url):
        keys = dict(aws_access_key_id="test", aws_secret_access_key="test")
        client = boto3.client("mgn", endpoint_url=mgn_url, region_name="us-east-1", **keys)
        assert len(client.describe_source_servers()["items"]) == 12
"""


def test_package_declares_what_the_code_imports() -> None:
    imported: set[str] = set()
    for path in (ROOT / "simulator").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported.update(name.name.partition(".")[0] for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module).partition(".")[0])
    known = packages_distributions()
    needed = {known[name][0].lower() for name in imported - sys.stdlib_module_names - {"simulator"}}
    declared = {dependency.partition(">")[0] for dependency in PACKAGE["dependencies"]}
    # uvicorn's parser of HTTP is used by way of uvicorn.
    assert declared - {"httptools"} == {name for name in needed if not name.startswith(NOT_DECLARED)}


def test_package_and_project_share_version_and_command() -> None:
    assert PACKAGE["version"] == PROJECT["version"]
    assert PACKAGE["scripts"]["mgn-simulator"] == PROJECT["scripts"]["mgn-simulator"]


def test_fixtures_work_in_a_foreign_project(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_mine.py").write_text(TEST)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert "2 passed" in ended.stdout, ended.stdout + ended.stderr
