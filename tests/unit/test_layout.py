"""Guards of the layout: mistakes here break `cdk synth` while all other tests still pass."""

import tomllib
from pathlib import Path

import constructs

ROOT = Path(__file__).parents[2]


def test_constructs_is_a_source_root() -> None:
    # With an __init__.py it would hide the package of that name which the CDK imports.
    assert not (ROOT / "constructs" / "__init__.py").exists()


def test_constructs_is_the_one_from_pypi() -> None:
    assert hasattr(constructs, "Construct")
    assert not Path(constructs.__file__ or "").is_relative_to(ROOT / "constructs")


def test_tests_are_no_packages() -> None:
    # A package of tests would give a folder called like one of ours its name.
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_constructs_have_one_import_name() -> None:
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "constructs.migration_constructs" in ruff["flake8-tidy-imports"]["banned-api"]
    assert "TID" in ruff["select"]
    assert ruff["isort"]["known-third-party"] == ["constructs"]
