"""Tells a story so that a person can follow it."""

from collections.abc import Iterator

from tests.exploration.judge import Violation
from tests.exploration.stage import Stage
from tests.exploration.story import Cued, Delivery, Fault, Lag, Migration, Story

REASON = 150


def told(stage: Stage, violations: tuple[Violation, ...]) -> str:
    """What was asked for, who decided, what broke where, what the journals say, and what the judge saw."""
    story = stage.story
    lines = [f"Seed {story.seed}", "", "asked for:"]
    lines += [f"  {_clock(each.at)}  {_asked(each)}" for each in story.migrations]
    lines += [*_part("decided:", _decisions(story)), *_part("MGN and people:", _around(story))]
    struck = [f"{_clock(at)}  {_fault(fault)}" for fault, at in stage.struck]
    lines += [*_part("went wrong:", struck), *_part("what happened:", _journals(stage))]
    lines += _part("what the judge saw:", [f"{each.kind}: {each.what}" for each in violations] or ["nothing wrong"])
    return "\n".join(lines)


def _part(title: str, lines: list[str] | Iterator[str]) -> list[str]:
    indented = [f"  {line}" for line in lines]
    return ["", title, *indented] if indented else []


def _asked(each: Migration) -> str:
    said = each.model_dump(mode="json", exclude_defaults=True, exclude={"id", "server", "at"})
    wishes = "".join(f", {name.replace('_', ' ')} {_plain(value)}" for name, value in said.items())
    return f"{each.id} for {each.server}{wishes}"


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _decisions(story: Story) -> list[str]:
    return [
        f"{_when(each)}  {each.decision}{f' {each.gate}' if each.gate else ''} of {each.migration}"
        for each in sorted(story.decisions, key=lambda each: each.at)
    ]


def _around(story: Story) -> list[str]:
    lines = [f"{each.at} of {each.server} fails{f', {each.phase}' if each.phase else ''}" for each in story.troubles]
    lines += [
        f"{_when(each)}  the execution of {each.migration} is stopped{'' if each.heard else ', unheard'}"
        for each in story.stops
    ]
    lines += [f"{_when(each)}  by hand, with the server of {each.migration}: {each.what}" for each in story.meddlings]
    lines += [f"{_clock(each.at)}  {each.port} is down for {each.lasts:g} s" for each in story.outages]
    for part, plain in ((story.delivery, Delivery()), (story.lag, Lag())):
        if part != plain:
            said = part.model_dump(exclude_defaults=True)
            lines.append(
                f"{type(part).__name__.lower()}: " + ", ".join(f"{name} {value}" for name, value in said.items())
            )
    lines += [f"knob {name}: {value}" for name, value in story.knobs.items()]
    return lines


def _journals(stage: Stage) -> Iterator[str]:
    entries = sorted(
        (entry for journal in stage.stored.journals.values() for entry in journal), key=lambda entry: entry.at
    )
    began = stage.after(0)
    for entry in entries:
        seconds = (entry.at - began).total_seconds()
        yield f"{_clock(seconds)}  {entry.migration_id}  {entry.to_status}: {entry.reason[:REASON]}"


def _fault(fault: Fault) -> str:
    by = f" by {fault.seconds:g} s" if fault.seconds else ""
    since = f" since {fault.cue}" if fault.cue else ""
    return f"{fault.call} number {fault.nth}{since}, {fault.kind}{by}"


def _when(each: Cued) -> str:
    return f"{_clock(each.at)} after {each.cue}" if each.cue else _clock(each.at)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}"
