"""docs/cli.md says what the commands do, and the same options mean the same everywhere."""

from pathlib import Path
from typing import Any

import typer

from cli.main import app
from cli.manual import manual

PAGE = Path(__file__).parents[2] / "docs/cli.md"


def test_the_page_is_made_of_the_commands_as_they_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == manual(), "run `make docs`"


def test_one_option_means_the_same_wherever_it_is() -> None:
    group: Any = typer.main.get_command(app)
    told: dict[str, set[str]] = {}
    for name, command in group.commands.items():
        for option in command.params:
            # A draft is of what MGN has, so its filters are MGN's.
            if option.param_type_name == "option" and name != "draft":
                told.setdefault(option.opts[0], set()).add(option.help)
    different = {name for name, helps in told.items() if len(helps) > 1}
    assert different <= {"--via"}  # requests and decisions have queues of their own
