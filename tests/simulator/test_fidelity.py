"""The page on fidelity is true: generated from the suite, every fact cited, every knob tried."""

from pathlib import Path

import pytest

from simulator.fidelity import document, facts
from simulator.model.settings.knobs import Knobs

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "simulator.md"


def test_page_is_what_the_suite_says() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == document(text, HERE), "run: python -m simulator.fidelity"


def test_every_conformance_test_cites_its_fact() -> None:
    assert len(list(facts(HERE))) > 150


def test_test_without_citation_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test_conformance_x.py").write_text("def test_a():\n    pass\n")
    with pytest.raises(ValueError, match="test_a: its docstring must read"):
        list(facts(tmp_path))


@pytest.mark.parametrize("knob", list(Knobs.model_fields))
def test_every_knob_is_turned_by_a_test(knob: str) -> None:
    assert any(
        knob in path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py") if path.name != Path(__file__).name
    )
