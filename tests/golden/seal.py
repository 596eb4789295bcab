"""Closes the golden documents of a release: its state machine, what may be absent from each, and the sums of all.

python -m tests.golden.seal 0.2.0
"""

import hashlib
import json
import sys
from pathlib import Path

from pydantic import ValidationError

from tests.golden.kinds import FOLDER, objects, reader_of, without
from tests.unit.infrastructure.synthesis import definition


def seal(release: Path) -> None:
    """Write the definition, `may-be-absent.json` and `SHA256SUMS`; raises FileExistsError for a closed release."""
    with (release / "state-machine.json").open("x") as file:
        file.write(json.dumps(definition(), indent=1) + "\n")
    optional = {f"{path.parent.name}/{path.name}": optional_members(path) for path in sorted(release.glob("*/*.json"))}
    with (release / "may-be-absent.json").open("x") as file:
        file.write(json.dumps(optional, indent=1) + "\n")
    kept = sorted(path for path in release.rglob("*") if path.is_file())
    sums = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(release)}\n" for path in kept)
    with (release / "SHA256SUMS").open("x") as file:
        file.writelines(sums)


def optional_members(path: Path) -> list[list[str | int]]:
    """The ways to all members without which the document can still be read."""
    document = json.loads(path.read_text())
    ways = ((*way, name) for way, here in objects(document) for name in here)
    return [list(way) for way in ways if _is_read(path, json.dumps(without(document, way)))]


def _is_read(path: Path, text: str) -> bool:
    try:
        reader_of(path)(text)
    except ValidationError:
        return False
    return True


if __name__ == "__main__":
    seal(FOLDER / sys.argv[1])
