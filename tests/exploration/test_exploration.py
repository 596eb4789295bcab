"""Random schedules end right, the judge sees what is wrong, and a seed is the same story each time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.exploration.draw import draw
from tests.exploration.judge import judge
from tests.exploration.minimise import minimised
from tests.exploration.planted import BUGS, path_of, planted, story_of
from tests.exploration.run import REGRESSIONS, fails
from tests.exploration.stage import play
from tests.exploration.story import Story
from tests.exploration.telling import told

SEEDS = 25
KEPT = sorted(REGRESSIONS.glob("*.json"))
OF_A_BUG = [name for name in BUGS if path_of(name).exists()]
QUICKLY_FOUND = {"signal lost": 5, "no conditional write": 10, "no grace": 20}
"""Within so many seeds."""


def _told(seed: int) -> str:
    stage = play(draw(seed))
    return told(stage, judge(stage))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_everything_holds_at_the_end_of_a_seed(seed: int) -> None:
    stage = play(draw(seed))
    found = judge(stage)
    assert not found, told(stage, found)


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.stem)
def test_what_once_failed_holds(file: Path) -> None:
    stage = play(Story.model_validate_json(file.read_text()))
    found = judge(stage)
    assert not found, told(stage, found)


@pytest.mark.parametrize("bug", OF_A_BUG)
def test_the_story_of_a_bug_finds_it(bug: str) -> None:
    with planted(bug):
        assert judge(play(story_of(bug)))


def test_every_kind_that_was_real_has_a_story() -> None:
    assert {name for name, bug in BUGS.items() if bug.was_there} <= set(OF_A_BUG)


@pytest.mark.parametrize(("bug", "within"), QUICKLY_FOUND.items(), ids=QUICKLY_FOUND.keys())
def test_a_planted_bug_is_found_within_a_few_seeds(bug: str, within: int) -> None:
    with planted(bug):
        assert any(judge(play(draw(seed))) for seed in range(within))
    assert not judge(play(draw(0)))


def test_every_planted_bug_is_another_program() -> None:
    for name in BUGS:
        with planted(name):
            changed = [edit.function.__code__ for edit in BUGS[name].edits]
        assert changed != [edit.function.__code__ for edit in BUGS[name].edits], name


def test_a_seed_is_the_same_story_in_any_process() -> None:
    seeds = (3, 9)
    script = f"from tests.exploration.test_exploration import _told\nfor seed in {seeds}: print(_told(seed))"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    other = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert other.stdout == "".join(_told(seed) + "\n" for seed in seeds)


def test_a_failing_story_is_made_as_small_as_it_gets() -> None:
    with planted("no conditional write"):
        seed = next(seed for seed in range(10) if judge(play(draw(seed))))
        kind = judge(play(draw(seed)))[0].kind
        small = minimised(draw(seed), lambda story: fails(story, kind))
        assert fails(small, kind)
        parts = (small.faults, small.migrations, small.decisions, small.troubles)
        for part in ("faults", "decisions", "troubles"):
            for left_out in getattr(small, part):
                kept = tuple(other for other in getattr(small, part) if other is not left_out)
                assert not fails(small.model_copy(update={part: kept}), kind)
    assert sum(map(len, parts)) < 4
