"""A patch that does not fit the engine's version stops the engine, naming itself."""

import inspect
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from localcloud.engine import pins
from localcloud.engine.pins import EngineChangedError, digest_of, pinned, replaced_once, rewritten

ROOT = Path(__file__).parents[2]


def greeting() -> str:
    return "hello"


def test_pinned_code_is_returned() -> None:
    assert pinned(pins, "digest_of", digest_of(digest_of)) is digest_of


def test_changed_code_is_refused() -> None:
    with pytest.raises(EngineChangedError, match=r"pins\.digest_of changed: expected 000000000000"):
        pinned(pins, "digest_of", "000000000000")


def test_missing_code_is_refused() -> None:
    with pytest.raises(EngineChangedError, match="is gone"):
        pinned(pins, "EngineChangedError.nothing", "000000000000")


@pytest.mark.parametrize("text", ["", "old old"])
def test_text_that_is_not_there_once_is_refused(text: str) -> None:
    with pytest.raises(EngineChangedError):
        replaced_once(text, "old", "new")


def test_passage_of_a_function_is_rewritten() -> None:
    module = ModuleType("engine")
    module.__file__ = inspect.getfile(greeting)
    vars(module).update(greeting=greeting)
    rewritten(module, "greeting", digest_of(greeting), "hello", "goodbye")
    assert (module.greeting(), greeting()) == ("goodbye", "hello")


def test_engine_does_not_start_with_a_patch_that_does_not_fit(tmp_path: Path) -> None:
    script = """
from ministack.services import stepfunctions
stepfunctions._error_matches = stepfunctions._next_or_end
from localcloud.engine import patches
from localcloud.engine.settings import EngineSettings
patches.apply_all(EngineSettings())
"""
    command = [".venv-engine/bin/python", "-c", script]
    environment = {"TMPDIR": str(tmp_path)}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "engine patch states_errors does not fit this engine" in result.stderr
