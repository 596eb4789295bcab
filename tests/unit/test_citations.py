"""What code and pages cite is there: sections of docs/mgn.md, knobs, pages and headings."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.model.settings.knobs import Knobs

ROOT = Path(__file__).parents[2]
FOLDERS = ("cli", "constructs", "docs", "localcloud", "runtime", "simulator", "stacks", "tests")
TEXTS = (".html", ".json", ".md", ".py", ".toml", ".yaml", ".yml", "Makefile")
FACTS = ROOT / "docs" / "mgn.md"

_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_CITED = re.compile(r"(?:docs/mgn\.md#|§)(?P<section>[a-z0-9][a-z0-9.-]*)")
_PAGE = re.compile(r"\[(?P<name>[A-Z][\w/-]+)\](?!\()")


def _texts() -> Iterator[Path]:
    for path in [*ROOT.iterdir(), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))]:
        if path.is_file() and path.name.endswith(TEXTS):
            yield path


def _pages() -> list[Path]:
    return sorted(path for path in _texts() if path.suffix == ".md")


def _prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def _anchors(page: Path) -> set[str]:
    """The anchors GitHub gives the headings of a page."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *$", _prose(page), re.MULTILINE):
        slug = anchor = re.sub(r"[^\w -]", "", _LINK.sub(lambda link: link[0][1:].partition("]")[0], heading).lower())
        number = 0
        while anchor in found:
            number += 1
            anchor = f"{slug}-{number}"
        found.add(anchor.replace(" ", "-"))
    return found


def test_every_cited_fact_has_its_section() -> None:
    sections = _anchors(FACTS)
    cited = {
        (path.relative_to(ROOT).as_posix(), citation["section"].rstrip(".-"))
        for path in _texts()
        for citation in _CITED.finditer(path.read_text(encoding="utf-8"))
    }
    assert len({path for path, _ in cited}) > 40
    assert not [f"{path}: {section}" for path, section in sorted(cited) if section not in sections]


def test_no_citation_names_a_section_by_number() -> None:
    assert not [path for path in _texts() if re.search(r"mgn\.md §", path.read_text(encoding="utf-8"))]


def test_every_inferred_fact_says_how_the_simulator_plays_it() -> None:
    rows = [line for line in _prose(FACTS).splitlines() if re.search(r"\| [^|]*\binferred\b[^|]*\| [^|]*\|$", line)]
    assert len(rows) > 40
    assert not [row for row in rows if not re.search(r"\bknobs? `|\bno knob\b|\bscenario\b", row)]


def test_facts_name_every_knob_and_no_other() -> None:
    named = {knob for names in re.findall(r"\bknobs? (`\w+`(?:, `\w+`)*)", _prose(FACTS)) for knob in names.split(", ")}
    assert named == {f"`{knob}`" for knob in Knobs.model_fields if knob != "log_limit"}


def test_pages_named_by_the_facts_have_their_address() -> None:
    text = _prose(FACTS)
    defined = re.findall(r"^\[([^\]]+)\]: https://\S+$", text, re.MULTILINE)
    assert len(defined) == len(set(defined))
    assert {page["name"] for page in _PAGE.finditer(text)} == set(defined)


@pytest.mark.parametrize("page", _pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    broken = []
    for link in _LINK.finditer(_prose(page)):
        name, _, anchor = link["target"].partition("#")
        if re.match(r"[a-z]+:", name):
            continue
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link["target"])
    assert not broken
