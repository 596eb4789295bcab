"""Tables in which ids and names are never cut: on a terminal as wide as it is, elsewhere a line for each row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

GAP = 2
LEAST_WORDS = 32
"""What is left of a column of words before other columns go."""

LEAST_NAME = 8


@dataclass(frozen=True)
class Column:
    """One column. Of those that may go from a narrow screen the highest goes first; 0 stays."""

    name: str
    goes: int = 0
    right: bool = False
    words: bool = False
    """Words end in … or wrap where the screen ends; names, numbers and statuses do not."""


@dataclass(frozen=True)
class Listing:
    """Rows under columns, before anything is known of where they are shown."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Text]]

    def lines(self) -> Iterator[str]:
        """Every column of every row, for programs."""
        return ("\t".join(cell.plain for cell in row) for row in self.rows)

    def left_out(self, width: int) -> list[str]:
        """The columns that a screen of this width has no room for."""
        shown = self._shown(width)
        return [self.columns[n].name for n in self._filled() if n not in shown]

    def table(self, width: int, *, wraps: bool = False, whole: bool = True) -> Table:
        """The table for a screen of this width; words wrap, or end in ….

        It is wider where names need that, unless it must not be `whole`: then the first column is folded.
        """
        shown = self._shown(width)
        widths = {n: self._natural(n) for n in shown}
        if words := [n for n in shown if self.columns[n].words]:
            rest = width - self._needed(shown) + sum(self._least(n) for n in words)
            widths |= {n: max(min(widths[n], rest // len(words)), self._least(n)) for n in words}
        excess = sum(widths.values()) + GAP * (len(widths) - 1) - width
        if excess > 0 and not whole:
            widths[shown[0]] = max(widths[shown[0]] - excess, LEAST_NAME)
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
        for n in shown:
            column = self.columns[n]
            justify: JustifyMethod = "right" if column.right else "left"
            table.add_column(Text(column.name), justify=justify, width=widths[n], overflow="fold")
        for row in self.rows:
            table.add_row(
                *(_shortened(row[n], widths[n]) if self.columns[n].words and not wraps else row[n] for n in shown)
            )
        return table

    def width(self) -> int:
        """What the whole of it needs."""
        filled = self._filled()
        return sum(map(self._natural, filled)) + GAP * (len(filled) - 1)

    def _filled(self) -> list[int]:
        return [n for n, column in enumerate(self.columns) if not column.goes or any(row[n].plain for row in self.rows)]

    def _shown(self, width: int) -> list[int]:
        shown = self._filled()
        while self._needed(shown) > width:
            last = max(shown, key=lambda n: self.columns[n].goes)
            if not self.columns[last].goes:
                break
            shown.remove(last)
        return shown

    def _needed(self, shown: Sequence[int]) -> int:
        return sum(map(self._least, shown)) + GAP * (len(shown) - 1)

    def _least(self, n: int) -> int:
        return min(self._natural(n), LEAST_WORDS) if self.columns[n].words else self._natural(n)

    def _natural(self, n: int) -> int:
        return max(len(self.columns[n].name), *(row[n].cell_len for row in self.rows), 1)


def _shortened(text: Text, width: int) -> Text:
    """The words that fit and an …: half a word may be half an id."""
    if text.cell_len <= width:
        return text
    kept = text.plain
    while kept and cell_len(kept) >= width:
        kept = kept[: max(kept.rfind(" "), 0)]
    return Text(f"{kept}…", style=text.style)
