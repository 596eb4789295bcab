"""A table of requests: columns are the fields' names, with dots into objects; or MGN's own import file."""

import csv
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from io import StringIO

from cli.reading.cells import field_names, is_field, put, split, value_of
from cli.reading.entries import Entry, Spot

MGN_PREFIX = "mgn:"
MGN_FIELDS = {
    "mgn:account-id": "targetAccount",
    "mgn:region": "targetRegion",
    "mgn:app:name": "appName",
    "mgn:wave:name": "wave",
    "mgn:server:user-provided-id": "sourceVmId",
    "mgn:launch:instance-type": "instanceType",
    "mgn:launch:nic:0:subnet-id": "subnetId",
}
"""What columns of MGN's import file are to a request; the others are MGN's own affair."""

MGN_GROUP = re.compile(r"mgn:launch:nic:0:security-group-id:\d+")
MGN_TAG = "mgn:launch:tag:instance:"
_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9._:-]+")


def is_table(text: str) -> bool:
    """Whether the first line looks like the names of columns."""
    names = next(_rows(text.lstrip()), (1, []))[1]
    return len(names) > 1 and any(name.startswith(MGN_PREFIX) or is_field(split(name)) for name in names)


def entries(text: str) -> Iterator[Entry]:
    """Each row that is not empty; what is wrong with the columns' names is told with the first."""
    rows = _rows(text)
    _, names = next(rows, (1, []))
    faults = list(_wrong_names(names))
    empty = True
    for line, cells in rows:
        if any(cells):
            yield _entry(names, cells, line, faults)
            faults, empty = [], False
    if faults and empty:
        yield Entry({}, lambda path: Spot(1, "A"), faults=faults)


def _entry(names: Sequence[str], cells: Sequence[str], line: int, faults: Sequence[tuple[Spot, str]]) -> Entry:
    value: dict[str, object] = {}
    groups: list[object] = []
    columns: dict[str, str] = {}
    for number, (name, cell) in enumerate(zip(names, cells, strict=False)):
        field = _field(name)
        if not cell or field is None:
            continue
        columns.setdefault(field.split(".")[0], letters(number))
        columns[field] = letters(number)
        if MGN_GROUP.fullmatch(name):
            groups.append(cell)
        else:
            put(value, split(field), value_of(split(field), cell))
    if groups:
        value["securityGroupIds"] = groups
    if "migrationId" not in value and any(name.startswith(MGN_PREFIX) for name in names):
        value["migrationId"] = _id_of(value)
    more = [(Spot(line, letters(len(names))), "there are more cells than columns; put text with commas in quotes")]
    late = more if any(cells[len(names) :]) else []

    def find(path: Sequence[str | int]) -> Spot:
        known = [".".join(map(str, path[:length])) for length in range(len(path), 0, -1)]
        return Spot(line, next((columns[name] for name in known if name in columns), "A"))

    return Entry(value, find, faults=[*faults, *late])


def letters(number: int) -> str:
    """The name spreadsheets give a column: A, B, …, Z, AA."""
    return (letters(number // 26 - 1) if number >= 26 else "") + chr(ord("A") + number % 26)


def _field(name: str) -> str | None:
    if name.startswith(MGN_TAG):
        return f"tags.{name.removeprefix(MGN_TAG)}"
    if MGN_GROUP.fullmatch(name):
        return "securityGroupIds"
    if name.startswith(MGN_PREFIX):
        return MGN_FIELDS.get(name)
    return name if is_field(split(name)) else None


def _wrong_names(names: Sequence[str]) -> Iterator[tuple[Spot, str]]:
    for number, name in enumerate(names):
        spot = Spot(1, letters(number))
        if name and name in names[:number]:
            yield spot, f"{name}: the column stands there more than once; keep one of them"
        elif name and not name.startswith(MGN_PREFIX) and _field(name) is None:
            close = get_close_matches(name, field_names(), n=1)
            meant = f"; did you mean {close[0]}?" if close else ""
            yield spot, f"{name}: no request has such a field; remove the column or correct its name{meant}"


def _id_of(value: dict[str, object]) -> str:
    # MGN's file knows no migrations. Of wave and server it is the same whenever the file is sent again.
    parts = [_NOT_IN_AN_ID.sub("-", str(value.get(name, ""))).strip("-._:") for name in ("wave", "sourceVmId")]
    return "-".join(part for part in parts if part)[:80]


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    sample = text.partition("\n")[0]
    # Spreadsheets of some countries write semicolons.
    delimiter = ";" if sample.count(";") > sample.count(",") else "\t" if "\t" in sample else ","
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    line = 1
    for cells in reader:
        yield line, [cell.strip() for cell in cells]
        line = reader.line_num + 1
