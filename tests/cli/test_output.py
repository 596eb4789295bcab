"""What others wrote is printed at one place, and never steers the terminal there."""

import ast
import json
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from cli import output
from cli.output import console, say, say_document
from runtime.models.record import Rejection
from tests.builders import NOON, a_record, a_request, an_entry
from tests.cli.deployed_stage import Stage, a_message, run

ROOT = Path(output.__file__).parent
HOSTILE = "\x1b]0;owned\x07\x9b31m\u202e\u2066\x00"
PRINTING = {"echo", "secho", "print", "Console", "Text.from_markup", "Text.from_ansi"}

anything = st.text(st.characters(exclude_categories=["Cs"])) | st.text(st.sampled_from(HOSTILE + "ab\n"))


def steering(text: str) -> set[str]:
    return {char for char in text if not char.isprintable()} - {"\n", "\t"}


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.name)
def test_only_one_module_of_the_command_prints(path: Path) -> None:
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    printing = {ast.unparse(call) for call in calls if {ast.unparse(call), ast.unparse(call).split(".")[-1]} & PRINTING}
    allowed = {"out.print"}
    assert path == Path(output.__file__) or printing <= allowed


@given(text=anything)
def test_nothing_said_steers_the_terminal(text: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sys.stdout", printed := StringIO())
        say(text)
        out = console()
        table = Table("name", title=text)
        table.add_row(Text(text))
        out.print(table)
    assert steering(printed.getvalue()) == set()


@given(text=anything)
def test_document_is_printed_whole_and_steers_nothing(text: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sys.stdout", printed := StringIO())
        say_document({text: [text, 1]})
    assert json.loads(printed.getvalue()) == {text: [text, 1]}
    assert steering(printed.getvalue()) == set()


@pytest.mark.parametrize("options", [["--dry-run"], ["--dry-run", "--json"], ["--dry-run", "--raw", "--json"]])
def test_hostile_names_and_values_of_a_file_are_harmless(options: list[str]) -> None:
    request = a_message(HOSTILE, **{HOSTILE: 1}, checks=[{"type": HOSTILE}], tags={HOSTILE: HOSTILE}, mode=HOSTILE)
    ran = run("submit", "-", *options, stdin=json.dumps(request))
    assert steering(ran.out + ran.err) == set()
    assert "owned" in ran.out + ran.err


@pytest.mark.parametrize("options", [["mig-1"], [], ["--phases"], ["--rejections"]])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_hostile_text_of_the_table_is_harmless(stage: Stage, options: list[str], form: list[str]) -> None:
    request = a_request().model_copy(update={"app_name": HOSTILE, "source_vm_id": HOSTILE, "wave": HOSTILE})
    record = a_record(request=request, sequence=1, reason=HOSTILE, failure=HOSTILE)
    stage.state.migrations.append(record, an_entry(record, from_status=None, reason=HOSTILE))
    stage.state.migrations.reject(
        Rejection(
            message_id="m-1",
            at=NOON,
            reason=HOSTILE,
            migration_id=HOSTILE,
            body_digest="",
            body_excerpt=HOSTILE,
            expires_at=1,
        )
    )
    ran = run("status", *options, *form)
    assert ran.code == 0
    assert "owned" in ran.out
    assert steering(ran.out) == set()
