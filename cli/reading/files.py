"""Files, folders and standard input as texts."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from cli.exits import InvalidError

MAX_FILE_BYTES = 64 * 1024 * 1024
STDIN = "-"
FORMATS = {
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".csv": "csv",
    ".tsv": "csv",
}


def files_of(names: Sequence[str]) -> Iterator[str]:
    """The files themselves, and of a folder those in it whose format is known, by name."""
    for name in names:
        if name == STDIN or not Path(name).is_dir():
            yield name
            continue
        try:
            found = sorted(str(path) for path in Path(name).iterdir() if path.suffix.lower() in FORMATS)
        except OSError as error:
            raise InvalidError(f"{name} cannot be read: {error.strerror or error}") from error
        if not found:
            raise InvalidError(f"{name} has no file of requests: they end in {', '.join(FORMATS)}")
        yield from found


def format_of(name: str) -> str | None:
    """The format that a file's name tells, if any."""
    return FORMATS.get(Path(name).suffix.lower())


def shown(name: str) -> str:
    """The file as messages name it."""
    return "stdin" if name == STDIN else name


def read_text(name: str) -> str:
    """The file's text, or standard input's for `-`."""
    try:
        if name == STDIN:
            data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidError(f"{name} cannot be read: {error.strerror or error}; name a file of requests") from error
    if len(data) > MAX_FILE_BYTES:
        raise InvalidError(f"{name} is larger than {MAX_FILE_BYTES // 1024**2} MiB: send it in several files")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InvalidError(f"{shown(name)}:{line}: not UTF-8 text; save the requests as UTF-8") from error
