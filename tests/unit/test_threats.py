"""Each abuse case of the threat model names tests that exist."""

import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASES = [line for line in (ROOT / "docs" / "threats.md").read_text().splitlines() if re.match(r"\| \d+ \|", line)]


@cache
def written() -> frozenset[str]:
    texts = (file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    return frozenset(name for text in texts for name in re.findall(r"^ *def (test_\w+)", text, re.MULTILINE))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.split("|")[1].strip())
def test_abuse_case_is_held_by_tests_that_exist(case: str) -> None:
    named = re.findall(r"`(test_\w+)`", case)
    assert named
    assert set(named) <= written()


def test_there_are_twenty_cases_at_least() -> None:
    assert len(CASES) >= 20
