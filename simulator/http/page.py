"""The page to look at: servers, jobs and the last log entries, which its script refreshes every second."""

import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlencode

from simulator.engine import Simulator
from simulator.engine.state import ARCHIVED, IN_JOB

SHOWN_ENTRIES = 60
_PAGE = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
_TONES = {
    "TESTING": "warm", "CUTTING_OVER": "warm", "READY_FOR_TEST": "busy", "READY_FOR_CUTOVER": "busy", "CUTOVER": "good",
    "CONTINUOUS": "good", "STALLED": "bad", "SUCCEEDED": "good", "WAITING": "warm", "UNKNOWN": "bad", "BACKLOG": "warm",
    "RESCAN": "warm", "fault": "bad", "effect": "bad",
}  # fmt: skip
_READING = ("Describe", "List", "Get")


def page_html(simulator: Simulator, query: Mapping[str, str] | None = None) -> str:
    """The whole page; `find`, `state` and `page` of the query choose the servers shown."""
    query = query or {}
    find, state, number = query.get("find", ""), query.get("state", ""), query.get("page", "")
    glance = simulator.glance(find=find, state=state, page=int(number[:9]) if number.isdecimal() else 1)
    entries = simulator.journal.last(SHOWN_ENTRIES, _worth_showing)
    names = glance["names"]
    return _PAGE.substitute(
        title=f"{escape(glance['scenario'])} · MGN simulator",
        find=escape(find),
        state=escape(state),
        facts=_facts(glance),
        chips=_chips(glance, find, state),
        quota=f"{glance['activeJobs']} of {glance['quotaJobs']} active, "
        f"{glance['activeServers']} of {glance['quotaServers']} servers",
        jobs="".join(map(_job, glance["jobs"])) or _none("No job yet. StartTest starts the first one."),
        servers="".join(map(_server, glance["servers"])),
        pages=_pages(glance, find, state),
        events="".join(_entry(entry, names) for entry in entries) or _none("Nothing has happened yet."),
    )


def _facts(glance: Mapping[str, Any]) -> str:
    time = f"{glance['time'][:10]} {glance['time'][11:19]}"
    facts = (
        glance["scenario"],
        f"seed {glance['seed']}",
        f"{glance['accountID']} {glance['region']}",
        f"simulated time {time} UTC",
        "" if glance["initialized"] else "not initialised",
    )
    return "".join(f"<span>{escape(fact)}</span>" for fact in facts if fact)


def _chips(glance: Mapping[str, Any], find: str, chosen: str) -> str:
    counts = {"": glance["totalServers"], **glance["lifecycles"], IN_JOB: glance["activeServers"]}
    if glance["archived"]:
        counts[ARCHIVED] = glance["archived"]
    return "".join(
        f'<a class="chip{" chosen" if state == chosen else ""}" href="{_link(find=find, state=state)}">'
        f"<b>{count}</b>{escape(_words(state) or 'all servers')}</a>"
        for state, count in counts.items()
    )


def _server(server: Mapping[str, Any]) -> str:
    replication, launched = server["dataReplicationInfo"], server["launchedInstance"]
    lag = re.sub(r"\.\d+", "", replication.get("lagDuration", "no lag"))
    behind = "" if lag == "P0D" else f' <small class="idle">{escape(lag)}</small>'
    cells = (
        ("", f'<span title="{escape(server["name"])}">{escape(server["name"])}</span>'),
        ("wide", _code(server["sourceServerID"])),
        ("", _toned(server["lifeCycle"]["state"]) + (" archived" if server["isArchived"] else "")),
        ("wide", _toned(replication["dataReplicationState"]) + behind),
        ("very-wide", _code(launched.get("ec2InstanceID", ""))),
        ("wide", _toned(launched.get("firstBoot", ""))),
    )
    return "<tr>" + "".join(f'<td class="{style}">{cell}</td>' for style, cell in cells) + "</tr>"


def _pages(glance: Mapping[str, Any], find: str, state: str) -> str:
    page, last = glance["page"], glance["pages"]
    before, after = (
        f'<a href="{_link(find=find, state=state, page=number)}">{word}</a>' if 1 <= number <= last else ""
        for number, word in ((page - 1, "previous"), (page + 1, "next"))
    )
    count = f"{glance['found']} servers" if glance["found"] else "No server matches."
    where = f", page {page} of {last}" if last > 1 else ""
    return f"{before}<span>{count if glance['totalServers'] else 'The scenario has no servers.'}{where}</span>{after}"


def _job(job: Mapping[str, Any]) -> str:
    stages: Mapping[str, int] = job["stages"]
    total = max(1, sum(stages.values()))
    bar = "".join(f'<i class="{stage}" style="width:{100 * n / total:.2f}%"></i>' for stage, n in stages.items())
    counts = ", ".join(f"{number} {_words(stage)}" for stage, number in stages.items())
    tone = {"COMPLETED": "bad" if "FAILED" in stages else "good", "PENDING": "idle"}.get(job["status"], "busy")
    return (
        f'<div class="job"><p><span>{escape(_words(job["initiatedBy"]))} <span class="{tone}">{_words(job["status"])}'
        f'</span></span><a href="{_link(find=job["jobID"])}">{_code(job["jobID"])}</a></p><div class="bar">{bar}</div>'
        f"<p><small>{escape(counts or 'no servers')}</small><small>{job['creationDateTime'][11:19]}</small></p></div>"
    )


def _entry(entry: Mapping[str, Any], names: Mapping[str, str]) -> str:
    facts = {name: value for name, value in entry.items() if name not in ("number", "time", "kind")}
    # Whom it is about stands first: the rest of a long line is cut off.
    told = sorted(_tell(facts, names), key=lambda text: text not in names.values())
    text = " · ".join(told)
    return (
        f'<div class="entry"><span>{entry["time"][11:19]}</span>'
        f'<span class="{_TONES.get(entry["kind"], "")}">{escape(entry["kind"])}</span>'
        f'<span title="{escape(text)}">{escape(text)}</span></div>'
    )


def _tell(facts: Mapping[str, Any], names: Mapping[str, str]) -> Iterable[str]:
    """Servers by their names, long lists by their length."""
    for name, value in facts.items():
        if value in ("", {}, []):
            continue
        if name == "parameters" and isinstance(value, Mapping):
            yield from _tell(value, names)
        elif isinstance(value, Mapping):
            pairs = [f"{names.get(key, key)} {each}" for key, each in value.items()]
            yield ", ".join(pairs) if len(pairs) < 4 else f"{len(pairs)} {name}"
        elif isinstance(value, list):
            texts = [names.get(str(each), str(each)) for each in value]
            yield ", ".join(texts) if len(texts) < 4 else f"{len(texts)} {name}"
        elif isinstance(value, int):
            yield f"{_words(name)} {value}"
        else:
            text = str(value).removeprefix("MGN Source Server ")
            yield names.get(text.rpartition("/")[2], text)


def _worth_showing(kind: str, facts: Mapping[str, Any]) -> bool:
    return not (kind == "call" and facts["outcome"] == "ok" and facts["operation"].startswith(_READING))


def _toned(word: str) -> str:
    return f'<span class="{_TONES.get(word, "idle")}">{escape(_words(word))}</span>' if word else ""


def _words(name: str) -> str:
    return (
        name.replace("_", " ").lower()
        if name.isupper()
        else "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    )


def _code(text: str) -> str:
    return f'<code title="{escape(text)}">{escape(text)}</code>' if text else ""


def _none(text: str) -> str:
    return f'<div class="none">{escape(text)}</div>'


def _link(**query: str | int) -> str:
    return escape("/?" + urlencode({name: value for name, value in query.items() if value}))
