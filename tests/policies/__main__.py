"""`make permissions`: what the functions asked for, what IAM says to it, and which rights nobody used, as one table."""

import sys
from collections.abc import Iterable
from fnmatch import fnmatchcase

from tests.policies.calls import FOLDER, LISTED, Call, read, write
from tests.policies.demo import decided
from tests.policies.judging import Verdict, granted, judged, reason_for, unused
from tests.policies.templates import STAGES
from tests.unit.infrastructure.synthesis import ROOT

REPORT = ROOT / "out" / "permissions.md"


def main(arguments: list[str]) -> int:
    """Judge the recorded calls and the listed ones; with --accept, list what was recorded."""
    recorded = read(*FOLDER.glob("*.json"))
    if not recorded:
        print(f"Nothing was recorded in {FOLDER}: run `make test` first.")
        return 1
    if arguments == ["--accept"]:
        write(LISTED, recorded)
    listed = read(LISTED)
    verdicts = [verdict for stage in STAGES for verdict in judged(stage, recorded | listed)]
    faults = [
        *(f"denied in {v.stage}: {_in_words(v.call)} as {v.role} ({v.decision})" for v in verdicts if not v.is_allowed),
        *(f"denied in the demo: {' '.join(asked)}" for asked, is_allowed in decided().items() if not is_allowed),
        *(f"never used: {right} of {function}" for function, right in sorted(unused(recorded))),
    ]
    # No faults: they were judged all the same, and what two runs ask for may differ in a call.
    news = [
        *(f"not listed, `make calls` adds it: {_in_words(call)}" for call in sorted(recorded - listed)),
        *(f"listed and not made, `make calls` drops it: {_in_words(call)}" for call in sorted(listed - recorded)),
    ]
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(_report(recorded, verdicts, [*faults, *news]))
    print("\n".join([*faults, *news, _summary(recorded, verdicts), f"Report: {REPORT.relative_to(ROOT)}"]))
    return 1 if faults else 0


def _summary(calls: set[Call], verdicts: Iterable[Verdict]) -> str:
    denied = sum(not verdict.is_allowed for verdict in verdicts)
    used = sum(_is_used(function, right, calls) for function, right in granted())
    explained = sum(bool(reason_for(right)) and not _is_used(f, right, calls) for f, right in granted())
    counted = f"{len(granted())} rights granted, {used} used, {explained} not called, with a reason"
    return f"{len(calls)} kinds of calls recorded, {denied} denied; {counted}, {len(unused(calls))} unexplained."


def _report(calls: set[Call], verdicts: list[Verdict], faults: list[str]) -> str:
    lines = ["# Permissions", "", _summary(calls, verdicts), "", *(f"- **{fault}**" for fault in faults)]
    lines += ["", "| Function | Right | On | With | IAM says |", "|---|---|---|---|---|"]
    for call in sorted(calls):
        said = sorted({verdict.decision for verdict in verdicts if verdict.call == call})
        context = ", ".join(f"{key}={value}" for key, value in call.context)
        lines.append(f"| {call.function} | {call.action} | {call.resource} | {context} | {', '.join(said)} |")
    lines += [
        "",
        "Granted and called by no code of ours:",
        "",
        "| Function | Right | Why it is granted |",
        "|---|---|---|",
    ]
    for function, right in sorted(granted()):
        if not _is_used(function, right, calls):
            lines.append(f"| {function} | {right} | {reason_for(right) or '**nobody**'} |")
    return "\n".join(lines) + "\n"


def _is_used(function: str, right: str, calls: set[Call]) -> bool:
    return any(call.function == function and fnmatchcase(call.action, right) for call in calls)


def _in_words(call: Call) -> str:
    return f"{call.function} {call.action} on {call.resource} {dict(call.context) or ''}".strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
