"""Changes what runtime/logic decides, one place at a time, and lists what no unit test notices: make mutants."""

import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path("mutants")
UNNOTICED = ("survived", "no tests")


def main(chosen: list[str]) -> None:
    """Try every mutant, or those whose names match, and print what survived and the score."""
    # Of an earlier run, mutmut would keep copies of files that have changed since.
    shutil.rmtree(FOLDER, ignore_errors=True)
    subprocess.run(["mutmut", "run", *chosen], check=True)
    mutants = dict(line.strip().rsplit(": ", 1) for line in _told("results", "--all", "true").splitlines())
    survivors = [name for name, end in mutants.items() if end in UNNOTICED]
    for name in survivors:
        print("\n".join(["", f"# {name}", *_change(_told("show", name))]))
    ends = list(mutants.values())
    tried = len(ends) - ends.count("not checked")
    refused = ends.count("caught by type check")
    noticed = tried - refused - len(survivors)
    print(f"\n{tried} mutants, of which mypy refuses {refused}; of the others the tests notice {noticed}", end=" ")
    print(f"of {tried - refused} ({noticed / max(tried - refused, 1):.1%})")


def _told(*command: str) -> str:
    return subprocess.run(["mutmut", *command], check=True, capture_output=True, text=True).stdout


def _change(shown: str) -> list[str]:
    return [line for line in shown.splitlines() if line.startswith(("-", "+")) and line[:3] not in ("---", "+++")]


if __name__ == "__main__":
    main(sys.argv[1:])
