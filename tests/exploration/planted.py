"""Bugs put into the pipeline on purpose: exploration is worth what it finds of them."""

import inspect
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from runtime.adapters.servers import mgn
from runtime.logic import signals
from runtime.logic.dispatch import batching, looking
from runtime.logic.steps import (
    await_signal,
    commands,
    finalize_cutover,
    prepare_source,
    rollback,
    rollback_plan,
    validate_input,
    verify_migration,
)
from runtime.logic.waits import observing, parking, settling
from runtime.models.mgn import Truth
from runtime.models.waits import ParkedStep
from tests.exploration.draw import draw
from tests.exploration.judge import Violation, judge
from tests.exploration.run import REGRESSIONS
from tests.exploration.stage import play
from tests.exploration.story import Story
from tests.fake_state import InMemoryMigrations
from tests.pipeline.asl import Execution


class Edit(NamedTuple):
    """A change of one function's source."""

    function: Callable[..., Any]
    old: str
    new: str


class Bug(NamedTuple):
    """What is wrong, in words, and what makes it so."""

    what: str
    edits: tuple[Edit, ...]
    was_there: bool = False
    """Found by an earlier exploration, and planted as it was."""


BUGS: Mapping[str, Bug] = {
    "no tag look-up": Bug(
        "the job of a call whose answer was lost is not looked for",
        (Edit(batching._tagged_jobs, "if not batches:", "if True:"),),
    ),
    "no conditional write": Bug(
        "the journal takes an entry that does not follow the one before",
        (Edit(InMemoryMigrations.append, "!= entry.sequence - 1", "== -1"),),
    ),
    "no grace": Bug(
        "a launch whose answer was lost is called for again at once",
        (
            Edit(batching.finish, "< timedelta(seconds=ports.budgets.launch_doubt)", "< timedelta(0)"),
            Edit(looking.look, "in unanswered(ports, state)}", "in ()}"),
        ),
    ),
    "launch sent again": Bug(
        "the SDK may send StartTest and StartCutover again by itself",
        (
            Edit(
                mgn.MgnMigrationService.start_launch,
                "self._once.start_test if phase is Phase.TEST else self._once.start_cutover",
                "self._client.start_test if phase is Phase.TEST else self._client.start_cutover",
            ),
        ),
    ),
    "owed to nobody": Bug(
        "a batch launches servers whose migrations were given up meanwhile",
        (
            Edit(
                batching._still_owed,
                "owed = []",
                "return [(wait, records[wait.migration_id]) for wait in group if wait.migration_id in records]",
            ),
        ),
    ),
    "finalize unchecked": Bug(
        "finalize_cutover believes the workflow instead of looking",
        (
            Edit(
                finalize_cutover.finalize,
                "missing = missing_conditions(record, server, health, signals)",
                "missing = ()",
            ),
        ),
    ),
    "finalize unresolved": Bug(
        "a lost answer of FinalizeCutover is taken for a failure",
        (Edit(finalize_cutover._is_final, "return (", "return False and ("),),
    ),
    "lock not taken": Bug(
        "validate_input does not ask who has the server",
        (Edit(validate_input._lock, "held = ports.migrations.lock(lock)", "held = lock"),),
    ),
    "undo order reversed": Bug(
        "the undo begins with the launch template",
        (
            Edit(
                rollback_plan.next_step,
                "_launch_left(server, ours)\n        or _instance_left(record, server, now.instances, ours)\n"
                "        or _lifecycle_left(record, server)\n        or _template_left(record, now.template)",
                "_template_left(record, now.template)\n        or _lifecycle_left(record, server)\n"
                "        or _instance_left(record, server, now.instances, ours)\n        or _launch_left(server, ours)",
            ),
        ),
    ),
    "undo in doubt": Bug(
        "the undo does not wait for a launch call that may still arrive",
        (Edit(rollback._round, "doubtful = unanswered(ports, state)", "doubtful = ()"),),
    ),
    "signal lost": Bug(
        "a step that parks does not ask for decisions that came before",
        (Edit(parking.park, "hand_out_signals(ports, record)", "pass"),),
    ),
    "closed before answered": Bug(
        "a wait is dropped before its token is used",
        (
            Edit(
                settling.conclude,
                "decided = ports.waits.decide(wait, outcome)",
                "decided = ports.waits.decide(wait, outcome); ports.waits.close(decided)",
            ),
        ),
    ),
    "window ignored": Bug(
        "the cutover does not wait for its window",
        (Edit(observing._window, "case.now < wait.not_before", "False"),),
    ),
    "soak from creation": Bug(
        "the soak counts from the request",
        (Edit(await_signal._await_soak, "end = record.updated_at", "end = record.created_at"),),
    ),
    "cancel unread": Bug(
        "a cancellation after the boot is not read before FinalizeCutover",
        (Edit(finalize_cutover.finalize, "if cancel := cancellation(signals):", "if (cancel := None):"),),
        was_there=True,
    ),
    "instance left": Bug(
        "MGN's CLEANUP_FAIL during a cutover is not looked at",
        (Edit(verify_migration._check_clean_up, "if left and not", "if False and not"),),
        was_there=True,
    ),
    "late listing freezes": Bug(
        "a job that DescribeJobs does not list yet counts as over",
        (
            Edit(Truth.is_over, "job_id not in self.young_jobs if job is None", "True if job is None"),
            Edit(rollback._young_jobs, "return tuple(job for job in jobs if job.is_active)", "return ()"),
        ),
        was_there=True,
    ),
    "change sent again": Bug(
        "the SDK may send ChangeServerLifeCycleState again by itself, and its refusal is believed",
        (
            Edit(mgn.MgnMigrationService.change_lifecycle, "self._once.change", "self._client.change"),
            Edit(prepare_source._change_lifecycle, "if read_server(ports, record).state != wanted:", "if True:"),
            Edit(rollback._undo_until_blocked, "refused = planned, error", "return _refused(ports, record, error)"),
        ),
        was_there=True,
    ),
    "old token wins": Bug(
        "a late first try of a step parks its token over the second's",
        (
            Edit(
                ParkedStep.after,
                '"earlier_keys": tuple(keys)[-EARLIER_KEYS:]',
                '"earlier_keys": ()',
            ),
        ),
        was_there=True,
    ),
    "two rounds freeze": Bug(
        "the undo round that MGN refuses gives up without looking again",
        (Edit(rollback._undo_until_blocked, "refused = planned, error", "return _refused(ports, record, error)"),),
        was_there=True,
    ),
    "command twice": Bug(
        "a command is sent before it is noted",
        (
            Edit(
                commands._sent_before,
                "intended = record.commands_intended or {}",
                "return record, None",
            ),
        ),
        was_there=True,
    ),
    "parked after abort": Bug(
        "the wait of a dead execution stays until its deadline",
        (Edit(signals.execution_ended, "ports.waits.of(record.scope, migration_id) if record.scope else ()", "()"),),
        was_there=True,
    ),
    "broken body believed": Bug(
        "an answer without items counts as an empty list",
        (Edit(mgn._items, 'if (items := page.get("items")) is None:', 'if (items := page.get("items", ())) is None:'),),
        was_there=True,
    ),
    "frozen never begun": Bug(
        "an execution whose first step cannot run for a while freezes a migration that touched nothing",
        (
            Edit(Execution._failed, 'done >= retrier["MaxAttempts"]', "done >= 2"),
            Edit(
                rollback._round, "return _finish(ports, record, step)", 'return _freeze(ports, record, "never begun")'
            ),
        ),
        was_there=True,
    ),
    "release untold": Bug(
        "a release that dies half-way unlocks the server without a word in the journal",
        (
            Edit(
                signals._release,
                "ports.decisions.keep(signal, since=record.created_at)",
                "ports.migrations.unlock(lock); ports.decisions.keep(signal, since=record.created_at)",
            ),
        ),
        was_there=True,
    ),
    "template not restored": Bug(
        "a late try of prepare_source changes the template after the undo, and beside others' launch it stays",
        (
            Edit(
                prepare_source.prepare_launch,
                "record.status is MigrationStatus.ROLLING_BACK or record.status.is_terminal",
                "False",
            ),
            Edit(rollback_plan._launch_left, "if ours else None", "if ours else Finished()"),
        ),
        was_there=True,
    ),
}


WITHIN = 500
"""Seeds within which each has to be found."""


class Found(NamedTuple):
    """The first seed that found a bug, and how; without a seed only the story that was kept for it did."""

    name: str
    seed: int | None
    violation: Violation | None
    seconds: float


def find(name: str, within: int = WITHIN) -> Found:
    """Play seeds until one finds the bug."""
    began = time.process_time()
    with planted(name):
        for seed in range(within):
            if violations := judge(play(draw(seed))):
                return Found(name, seed, violations[0], time.process_time() - began)
        violations = judge(play(story_of(name))) if path_of(name).exists() else ()
    return Found(name, None, next(iter(violations), None), time.process_time() - began)


def path_of(name: str) -> Path:
    """Where the story of a bug is kept."""
    return REGRESSIONS / f"{name.replace(' ', '-')}.json"


def story_of(name: str) -> Story:
    """The story that was kept for a bug."""
    return Story.model_validate_json(path_of(name).read_text())


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Have a bug in the pipeline meanwhile."""
    with ExitStack() as stack:
        for edit in BUGS[name].edits:
            stack.callback(setattr, edit.function, "__code__", edit.function.__code__)
            edit.function.__code__ = _edited(edit)
        yield


def _edited(edit: Edit) -> Any:
    source = textwrap.dedent(inspect.getsource(edit.function))
    if source.count(edit.old) != 1:
        raise ValueError(f"{edit.function.__qualname__} does not have this once: {edit.old}")
    names = dict(vars(inspect.getmodule(edit.function)))
    exec(compile(source.replace(edit.old, edit.new), f"<planted in {edit.function.__qualname__}>", "exec"), names)
    return names[edit.function.__name__].__code__
