"""Judges a story that was played by what MGN holds, the journals and the raw table, not by the records' own claims."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import NamedTuple

from runtime.models.decisions import Decision, Signal
from runtime.models.record import Facts, JournalEntry
from runtime.models.request import Gate, Mode, Phase
from runtime.models.status import MigrationStatus
from simulator.model.account.job import Job
from simulator.model.account.server import SourceServer
from tests.exploration.stage import TERMINATED, Heard, Stage
from tests.exploration.story import NOBODY, FaultKind, Migration

S = MigrationStatus
EVER = datetime.max.replace(tzinfo=UTC)
ENDS = frozenset({S.COMPLETED, S.REJECTED, S.ROLLED_BACK, S.CANCELLED, S.FROZEN})
UNDONE = {S.ROLLING_BACK, S.FROZEN}
NEXT: dict[S | None, set[S]] = {
    None: {S.RECEIVED},
    S.RECEIVED: {S.VALIDATING, S.ROLLING_BACK},
    S.VALIDATING: {S.PREPARING, S.REJECTED} | UNDONE,
    S.PREPARING: {S.TEST_LAUNCHING, S.AWAITING_APPROVAL, S.AWAITING_WINDOW} | UNDONE,
    S.TEST_LAUNCHING: {S.TEST_VERIFYING} | UNDONE,
    S.TEST_VERIFYING: {S.AWAITING_APPROVAL, S.AWAITING_WINDOW, S.COMPLETED} | UNDONE,
    S.AWAITING_APPROVAL: {S.AWAITING_WINDOW, S.FINALIZING} | UNDONE,
    S.AWAITING_WINDOW: {S.CUTOVER_LAUNCHING} | UNDONE,
    S.CUTOVER_LAUNCHING: {S.CUTOVER_VERIFYING} | UNDONE,
    S.CUTOVER_VERIFYING: {S.SOAKING, S.AWAITING_APPROVAL, S.FINALIZING} | UNDONE,
    S.SOAKING: {S.AWAITING_APPROVAL, S.FINALIZING} | UNDONE,
    S.FINALIZING: {S.COMPLETED} | UNDONE,
    S.ROLLING_BACK: {S.ROLLED_BACK, S.CANCELLED, S.FROZEN},
    **{end: set() for end in ENDS},
}
"""The diagrams of docs/architecture.md once more: the table of the code is what is judged."""

HARMLESS_IN_TEST = ("previous_snapshot",)
LEAVES_INSTANCES = ("cleanup", "terminate")
LATE_CALL = timedelta(seconds=360)
"""A call that AWS still takes may have been sent so long ago."""


class Violation(NamedTuple):
    """What does not hold."""

    kind: str
    what: str


class Played(NamedTuple):
    """One migration, and what the journal has of it."""

    asked: Migration
    entries: tuple[JournalEntry, ...]
    server: SourceServer | None
    jobs: tuple[Job, ...]
    signals: dict[str, Signal]

    @property
    def status(self) -> S:
        return self.entries[-1].to_status

    @property
    def ended(self) -> datetime:
        """When it came to its end; never, if it did not."""
        return next((entry.at for entry in self.entries if entry.to_status in ENDS), EVER)

    @property
    def held(self) -> tuple[datetime, datetime]:
        """From when until when it had its server."""
        since = next((entry.at for entry in self.entries if entry.facts.source_server_id), EVER)
        released = [entry.at for entry in self.entries if entry.reason.startswith("released")]
        until = (released[0] if released else EVER) if self.status is S.FROZEN else self.ended
        return since, until

    @property
    def cancelled(self) -> Signal | None:
        return self.signals.get("cancel")

    def entered(self, status: S) -> datetime | None:
        """When it came into a status."""
        return next((e.at for e in self.entries if e.to_status is status and e.from_status is not status), None)

    def verified(self, phase: Phase) -> datetime | None:
        """When its launch of a phase was verified."""
        launches = (
            (e.at, e.facts.test_launch if phase is Phase.TEST else e.facts.cutover_launch) for e in self.entries
        )
        return next((at for at, launch in launches if launch and launch.verified), None)

    def started(self, by: str) -> list[Job]:
        """MGN's jobs of one kind that were started for it."""
        return [job for job in self.jobs if job.initiated_by == by]


def judge(stage: Stage) -> tuple[Violation, ...]:
    """Everything that does not hold at the end of a story."""
    played = tuple(_played(stage, asked) for asked in stage.story.migrations if asked.id in stage.stored.journals)
    found = [violation for each in played for violation in _of_one(stage, played, each)]
    return (*_requests(stage), *found, *_locks_held(stage, played), *_of_servers(stage, played), *_left(stage, played))


def _played(stage: Stage, asked: Migration) -> Played:
    account = stage.simulator_of(asked).account
    server = next((server for server in account.servers.values() if server.name == asked.server), None)
    mine = [job for job in account.jobs.values() if f"c-{asked.id}" in " ".join(job.tags.values()).split()]
    jobs = tuple(job for job in mine if server and server.server_id in job.participants)
    return Played(
        asked, tuple(stage.stored.journals[asked.id]), server, jobs, stage.decisions.received.get(asked.id, {})
    )


def _of_one(stage: Stage, played: tuple[Played, ...], each: Played) -> Iterator[Violation]:
    yield from _journal(stage, each)
    yield from _launches(each)
    yield from _cut_over(stage, each)
    yield from _finalized(stage, each)
    yield from _events(stage, each)
    if each.status not in ENDS:
        yield Violation("never ended", f"{each.asked.id} is {each.status}: {each.entries[-1].reason}")
    elif each.status is S.FROZEN:
        yield from _frozen(stage, each)
    else:
        yield from _end(stage, played, each)


def _requests(stage: Stage) -> Iterator[Violation]:
    kept = stage.stored.rejected
    for asked in stage.story.migrations:
        if asked.id not in stage.stored.journals:
            yield Violation("request lost", f"{asked.id} was sent and is nowhere")
        contradicted = asked.contradicted_at is not None
        turned_away = [rejection for rejection in kept.values() if rejection.migration_id == asked.id]
        if contradicted and not turned_away:
            yield Violation("request lost", f"{asked.id} was sent with another body, and no rejection is kept")
        if turned_away and not contradicted:
            yield Violation("wrong end", f"{asked.id} was turned away: {turned_away[0].reason}")


def _journal(stage: Stage, each: Played) -> Iterator[Violation]:
    before: S | None = None
    facts: dict[str, object] = {}
    for number, entry in enumerate(each.entries, start=1):
        moves = entry.to_status is not before
        if (
            entry.sequence != number
            or entry.from_status is not before
            or (moves and entry.to_status not in NEXT[before])
        ):
            yield Violation("journal", f"{each.asked.id}: {entry.sequence} {entry.from_status} to {entry.to_status}")
        if entry.correlation_id != f"c-{each.asked.id}":
            yield Violation("journal", f"{each.asked.id}: correlation id {entry.correlation_id}")
        named = ((name, getattr(entry.facts, name)) for name in Facts.model_fields)
        facts |= {name: value for name, value in named if value is not None}
        before = entry.to_status
    record = stage.stored.records[each.asked.id]
    shown = {name: value for name in Facts.model_fields if (value := getattr(record, name)) is not None}
    if (record.status, record.sequence, shown) != (before, len(each.entries), facts):
        yield Violation("journal", f"{each.asked.id}: the record is not what its journal says")
    told = "".join(entry.to_json() for entry in each.entries)
    if any(token in told for token in stage.tokens.kept):
        yield Violation("secret told", f"{each.asked.id}: a task token is in the journal")


def _launches(each: Played) -> Iterator[Violation]:
    id_ = each.asked.id
    for by in ("START_TEST", "START_CUTOVER"):
        jobs = each.started(by)
        if len(jobs) > 1:
            yield Violation("launched twice", f"{id_}: {' and '.join(job.job_id for job in jobs)} by {by}")
        for job in jobs:
            if _at(job) > each.ended:
                yield Violation("launched after its end", f"{id_}: {job.job_id}")
    first = min((_at(job) for job in each.jobs), default=EVER)
    if each.asked.runs_command and first is not EVER:
        sent = [entry.at for entry in each.entries if entry.reason.startswith("sent ")]
        if not sent or sent[0] > first:
            yield Violation("command unsent", f"{id_}: launched before its pre-migration command")


def _cut_over(stage: Stage, each: Played) -> Iterator[Violation]:
    id_, asked = each.asked.id, each.asked
    for job in each.started("START_CUTOVER"):
        if asked.mode is Mode.TEST or not _is_before(each.verified(Phase.TEST), _at(job), asked.test):
            yield Violation("cut over unduly", f"{id_}: {job.job_id} without a verified test")
        if Gate.CUTOVER in asked.gates and not _is_before(_approved(each, Gate.CUTOVER), _at(job)):
            yield Violation("cut over unduly", f"{id_}: {job.job_id} without approval")
        if asked.window is not None:
            opens, closes = (stage.after(asked.at + seconds) for seconds in asked.window)
            if not opens <= _at(job) <= closes + LATE_CALL:
                yield Violation("cut over unduly", f"{id_}: {job.job_id} outside its window")


def _finalized(stage: Stage, each: Played) -> Iterator[Violation]:
    asked, server = each.asked, each.server
    for number, heard in enumerate(stage.heard):
        began, ended = each.held
        is_mine = (heard.scope, heard.args[:1]) == (stage.scope_of(asked), (server.server_id if server else "",))
        is_mine = is_mine and began <= heard.at <= ended
        if heard.call != "send mgn.finalize" or not is_mine or asked.mode is Mode.TEST:
            continue
        verified = each.verified(Phase.CUTOVER)
        if not _is_before(verified, heard.at):
            yield Violation("finalized unduly", f"{asked.id}: its cutover was not verified")
        elif verified and heard.at < verified + timedelta(seconds=asked.soak):
            yield Violation("finalized unduly", f"{asked.id}: its soak was not over")
        for gate in asked.gates:
            if not _is_before(_approved(each, gate), heard.at):
                yield Violation("finalized unduly", f"{asked.id}: {gate} was not approved")
        if asked.check_passes_after is None:
            yield Violation("finalized unduly", f"{asked.id}: its check never passed")
        # What came after the last reading nobody can have known.
        if any(_keeps_cancel(earlier, asked) for earlier in _known(stage, number, "decisions.of")):
            yield Violation("finalized unduly", f"{asked.id}: a cancellation had come before it was finalized")
        known = _known(stage, number, "instances.health")
        gone = {e.args[0] for e in known if (e.call, e.scope) == (TERMINATED, heard.scope)}
        if gone & {job.participants[heard.args[0]].instance_id for job in each.started("START_CUTOVER")}:
            yield Violation("finalized unduly", f"{asked.id}: its instance was gone")


def _known(stage: Stage, number: int, read: str) -> list[Heard]:
    """What happened before the function that made a call read something for the last time."""
    invocation = stage.heard[number].invocation
    reads = [n for n in range(number) if (stage.heard[n].invocation, stage.heard[n].call) == (invocation, read)]
    return stage.heard[: max(reads, default=number)]


def _keeps_cancel(heard: Heard, asked: Migration) -> bool:
    signal = heard.args[0] if heard.call == "decisions.keep" else None
    return isinstance(signal, Signal) and (signal.migration_id, signal.decision) == (asked.id, Decision.CANCEL)


def _events(stage: Stage, each: Played) -> Iterator[Violation]:
    if not stage.story.streams:
        return
    told = [event for event in stage.published if event.migration_id == each.asked.id]
    for entry in each.entries:
        of_it = {event.detail_type for event in told if event.sequence == entry.sequence}
        if entry.from_status is entry.to_status:
            if of_it:
                yield Violation("event untrue", f"{each.asked.id}: {entry.sequence} changed no status")
        elif "MigrationStatusChanged" not in of_it:
            yield Violation("event missing", f"{each.asked.id}: nobody heard of {entry.to_status}")
    ends = {event.sequence for event in told if event.detail_type in ("MigrationCompleted", "MigrationFailed")}
    if each.status in ENDS and len(ends) != 1:
        yield Violation("event missing", f"{each.asked.id}: {len(ends)} ends were told")


def _frozen(stage: Stage, each: Played) -> Iterator[Violation]:
    alive = _alive(stage, each)
    is_left = alive and any(t.at in LEAVES_INSTANCES and t.server == each.asked.server for t in stage.story.troubles)
    is_given_up = each.cancelled is not None or _came_late(stage, "mgn.finalize")
    is_final = each.server is not None and each.server.state == "CUTOVER" and is_given_up
    if not (each.asked.id in stage.stopped or is_left or is_final or _is_launched_by_others(stage, each)):
        yield Violation("frozen without reason", f"{each.asked.id}: {each.entries[-1].reason}")


def _end(stage: Stage, played: tuple[Played, ...], each: Played) -> Iterator[Violation]:
    asked, end = each.asked, each.status
    allowed = {S.COMPLETED}
    if asked.server == NOBODY or _is_taken(played, each):
        allowed = {S.REJECTED} if asked.server == NOBODY else {S.COMPLETED, S.REJECTED}
    if why := tuple(_obstacles(stage, each)):
        allowed = allowed - {S.COMPLETED} | {S.ROLLED_BACK}
    if _is_launched_by_others(stage, each):
        allowed |= {S.REJECTED, S.ROLLED_BACK}
    if _is_meddled_with(stage, each):
        # Noticed, or too early to matter.
        allowed.add(S.ROLLED_BACK)
    if asked.window and each.ended >= stage.after(asked.at + asked.window[1]):
        # It closed: a gate was opened too late, or it took too long.
        allowed.add(S.ROLLED_BACK)
    if any(_is_late(each, gate) for gate in asked.gates):
        allowed.add(S.ROLLED_BACK)
    if each.cancelled is not None:
        verified = each.verified(Phase.TEST)
        is_late = asked.mode is Mode.MIGRATE or _is_before(verified, each.cancelled.at)
        allowed = allowed - (set() if is_late else {S.COMPLETED}) | {S.CANCELLED}
    if end not in allowed:
        known = f" although {'; '.join(why)}" if why else ""
        wanted = " or ".join(sorted(allowed))
        yield Violation("wrong end", f"{asked.id} is {end}{known}, not {wanted}: {each.entries[-1].reason}")


def _obstacles(stage: Stage, each: Played) -> Iterator[str]:
    """What makes a completion wrong."""
    asked = each.asked
    phases = [phase for phase in Phase if (asked.test if phase is Phase.TEST else asked.mode is Mode.MIGRATE)]
    for trouble in stage.story.troubles:
        struck = [phase for phase in phases if trouble.phase in (None, phase)]
        if trouble.at in LEAVES_INSTANCES or trouble.server != asked.server:
            continue
        if trouble.at in HARMLESS_IN_TEST and Phase.CUTOVER not in struck:
            continue
        if struck:
            yield f"{trouble.at} fails"
    if asked.check_passes_after is None:
        yield "its check never passes"
    for gate in asked.gates if asked.mode is Mode.MIGRATE else ():
        yield from _closed(each, gate)


def _closed(each: Played, gate: Gate) -> Iterator[str]:
    if _approved(each, gate) is None:
        yield f"{gate} is not approved"


def _is_late(each: Played, gate: Gate) -> bool:
    """Whether a gate was opened when its time was over: the look that came first decided."""
    waiting = [e.at for e in each.entries if e.to_status is S.AWAITING_APPROVAL and e.from_status is not e.to_status]
    approved = _approved(each, gate)
    patience = timedelta(seconds=each.asked.patience)
    return approved is not None and any(approved >= began + patience for began in waiting)


def _is_launched_by_others(stage: Stage, each: Played) -> bool:
    started = {meddling.migration for meddling in stage.meddled if meddling.what == "start test"}
    places = {(asked.in_target, asked.server) for asked in stage.story.migrations if asked.id in started}
    return _place(each) in places


def _is_taken(played: tuple[Played, ...], each: Played) -> bool:
    """Whether another migration had its server, or has cut it over."""
    others = (other for other in played if other is not each and _place(other) == _place(each))
    return any(other.entries[0].at <= each.ended and (_was_there(other, each)) for other in others)


def _was_there(other: Played, each: Played) -> bool:
    # A person who released a frozen server may have left it as it was.
    is_changed = other.status is S.FROZEN or (other.status is S.COMPLETED and other.asked.mode is Mode.MIGRATE)
    return other.held[1] >= each.entries[0].at or is_changed


def _place(each: Played) -> tuple[bool, str]:
    return each.asked.in_target, each.asked.server


def _locks_held(stage: Stage, played: tuple[Played, ...]) -> Iterator[Violation]:
    for one, other in combinations(played, 2):
        if _place(one) == _place(other) and max(one.held[0], other.held[0]) < min(one.held[1], other.held[1]):
            yield Violation("two at once", f"{one.asked.id} and {other.asked.id} have {one.asked.server}")
    frozen = {each.asked.id for each in played if each.status is S.FROZEN}
    for lock in stage.stored.locks.values():
        # One that arrives late is in nobody's way: the next migration takes it over.
        if lock.owner not in frozen and not _came_late(stage, "migrations.lock"):
            yield Violation("lock left", f"{lock.owner} is not FROZEN and holds {lock.source_server_id}")
    for each in played:
        if each.status is S.FROZEN and each.held[1] is EVER and each.held[0] is not EVER:
            held = stage.stored.locks.get((stage.scope_of(each.asked), each.server.server_id if each.server else ""))
            if held is None or held.owner != each.asked.id:
                yield Violation("lock lost", f"{each.asked.id} is FROZEN and anyone may have its server")


def _of_servers(stage: Stage, played: tuple[Played, ...]) -> Iterator[Violation]:
    for there in {_place(each): each for each in played if each.server is not None}.values():
        here = [each for each in played if _place(each) == _place(there)]
        yield from _of_server(stage, here)


def _of_server(stage: Stage, here: list[Played]) -> Iterator[Violation]:
    any_, final = here[0], [each for each in here if each.status is S.COMPLETED and each.asked.mode is Mode.MIGRATE]
    if final:
        yield from _final(stage, final[0])
    elif all(each.status in ENDS - {S.FROZEN} for each in here):
        yield from _restored(stage, any_)


def _final(stage: Stage, each: Played) -> Iterator[Violation]:
    server, alive = each.server, _alive(stage, each)
    if server is None or _is_launched_by_others(stage, each):
        return
    launched = [job.participants[server.server_id].instance_id for job in each.started("START_CUTOVER")]
    if server.state != "CUTOVER":
        yield Violation("wrong end", f"{each.asked.id} is COMPLETED and {server.name} {server.state}")
    if sorted(alive) != sorted(launched) and not _is_meddled_with(stage, each):
        yield Violation("instance left", f"{server.name}: {', '.join(alive) or 'none'} run, wanted {launched}")


def _restored(stage: Stage, each: Played) -> Iterator[Violation]:
    """What has to be as it was before, where nothing is final and nothing frozen."""
    server, alive = each.server, _alive(stage, each)
    if server is None:
        return
    if server.state == "CUTOVER":
        yield Violation("wrong end", f"{server.name} is final, and no migration of it is")
        return
    if alive and not _is_launched_by_others(stage, each):
        yield Violation("instance left", f"{server.name}: {', '.join(alive)} run and nobody wants them")
    # A change that arrives when the undo is over leaves it where a new migration can begin as well: docs/proof.
    ready = {"READY_FOR_TEST", "READY_FOR_CUTOVER"} if _came_late(stage, "mgn.change_lifecycle") else {"READY_FOR_TEST"}
    if server.state not in ready and not _is_launched_by_others(stage, each):
        yield Violation("lifecycle not restored", f"{server.name} is {server.state}")
    default = stage.accounts[stage.scope_of(each.asked)].launch_settings.defaults[server.server_id]
    if default != 1:
        yield Violation("template not restored", f"{server.name}: version {default} is the default")


def _came_late(stage: Stage, call: str) -> bool:
    late = (struck.fault.call for struck in stage.struck if struck.fault.kind is FaultKind.EFFECT_LATE)
    return any(name.endswith(f" {call}") for name in late)


def _is_meddled_with(stage: Stage, each: Played) -> bool:
    return any(meddling.migration == each.asked.id for meddling in stage.meddled)


def _left(stage: Stage, played: tuple[Played, ...]) -> Iterator[Violation]:
    for wait in stage.waits.parked.values():
        yield Violation("wait left", f"{wait.migration_id}: {wait.name}")
    for state in stage.dispatches.states.values():
        if state.in_flight is not None:
            yield Violation("call left", f"a batch of {state.scope} is still in flight")
    for execution in stage.executions.values():
        if execution.status == "RUNNING":
            yield Violation("never ended", f"{execution.name} still runs in {execution.state}")
    for there in stage.accounts.values():
        for comment, sent in Counter(there.commands.comments).items():
            if sent > 1:
                yield Violation("command twice", f"{sent} times: {comment}")
        for job in there.simulator.account.jobs.values():
            yield from _unknown(job, played)


def _unknown(job: Job, played: Iterable[Played]) -> Iterator[Violation]:
    if not job.tags:
        return
    mine = [each for each in played if any(job is known for known in each.jobs)]
    for server_id, participant in job.participants.items():
        if not participant.skipped and all(each.server and each.server.server_id != server_id for each in mine):
            yield Violation("launch of nobody", f"{job.job_id} has {server_id} and names no migration of it")


def _alive(stage: Stage, each: Played) -> list[str]:
    instances = stage.simulator_of(each.asked).compute.instances.values()
    server_id = each.server.server_id if each.server else ""
    return [i.instance_id for i in instances if i.server_id == server_id and i.state != "terminated"]


def _approved(each: Played, gate: Gate) -> datetime | None:
    signal = each.signals.get(f"gate-{gate}")
    return signal.at if signal is not None and signal.decision is Decision.APPROVE else None


def _is_before(moment: datetime | None, then: datetime, needed: bool = True) -> bool:
    return not needed or (moment is not None and moment <= then)


def _at(job: Job) -> datetime:
    return datetime.fromtimestamp(job.created_at, UTC)
