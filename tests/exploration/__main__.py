"""`python -m tests.exploration`: random schedules; `planted` tries it on bugs put in on purpose."""

import sys
from multiprocessing import cpu_count, get_context
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tests.exploration.draw import draw
from tests.exploration.judge import judge
from tests.exploration.planted import BUGS, find
from tests.exploration.run import explore, show
from tests.exploration.stage import play
from tests.exploration.telling import told

app = typer.Typer(add_completion=False)
SEEDS = 200


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    seeds: Annotated[int | None, typer.Option(help="How many; 200, or as many as the seconds allow.")] = None,
    seconds: Annotated[float | None, typer.Option(help="How long at most.")] = None,
    seed: Annotated[int | None, typer.Option(help="The first one; alone it is told in full.")] = None,
) -> None:
    """Play random schedules and judge each; exit code 1 when something does not hold."""
    if context.invoked_subcommand is not None:
        return
    console = Console()
    if seed is not None and seeds is None and seconds is None:
        sys.exit(0 if _one(console, seed) else 1)
    sys.exit(0 if explore(console, seed or 0, seeds or (None if seconds else SEEDS), seconds) else 1)


@app.command()
def planted(names: Annotated[list[str] | None, typer.Argument(help="Only these.")] = None) -> None:
    """Plant bugs in the pipeline, one after the other, and print which seed finds each."""
    console = Console()
    table = Table(title="Planted bugs", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("bug", "found as", "by", "CPU seconds"):
        table.add_column(column)
    missed = 0
    with get_context("fork").Pool(cpu_count()) as pool, console.status("playing …"):
        for found in pool.imap_unordered(find, names or BUGS):
            missed += found.violation is None
            kind = found.violation.kind if found.violation else "not found"
            by = "its story" if found.seed is None else f"{found.seed}"
            table.add_row(found.name, kind, by, f"{found.seconds:.0f}")
            console.print(f"[dim]{found.name}: {kind}, {by}[/]")
    console.print(table)
    sys.exit(1 if missed else 0)


def _one(console: Console, seed: int) -> bool:
    stage = play(draw(seed))
    found = judge(stage)
    if found:
        show(console, draw(seed), found[0].kind)
    else:
        console.print(told(stage, found), markup=False, highlight=False, soft_wrap=True)
    return not found


if __name__ == "__main__":
    app()
