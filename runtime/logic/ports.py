"""What the logic needs from the outside, named by role. Adapters and fakes fit these shapes; nothing inherits them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

# Shapes only: a function loads the models it uses, not those of every port.
if TYPE_CHECKING:
    from runtime.models.decisions import RefusedDecision, Signal
    from runtime.models.dispatch import Dispatch, Looked
    from runtime.models.events import BusEvent
    from runtime.models.functions.environment import Budgets, DecisionRules
    from runtime.models.mgn import (
        CommandStatus,
        InstanceHealth,
        Inventory,
        Job,
        JobLogEntry,
        LaunchTemplateRef,
        NetworkFacts,
        SourceServer,
    )
    from runtime.models.record import JournalEntry, Lock, MigrationRecord, Position, Rejection
    from runtime.models.request import Check, MigrationRequest, Phase
    from runtime.models.scope import Scope
    from runtime.models.status import MigrationStatus
    from runtime.models.waits import Outcome, Wait


class Migrations(Protocol):
    """Migrations: their records and journals, the locks on their servers, and messages that became none."""

    def record(self, migration_id: str) -> MigrationRecord | None:
        """The record, read consistently."""

    def journal(self, migration_id: str) -> tuple[JournalEntry, ...]:
        """Every entry, in sequence."""

    def entry(self, migration_id: str, sequence: int) -> JournalEntry | None:
        """One entry, read consistently."""

    def append(self, record: MigrationRecord, entry: JournalEntry, *, unlock: Lock | None = None) -> None:
        """Write the record and its newest entry in one transaction, and drop `unlock` with it.

        Raises RecordChangedError when the stored record is not the one before `entry`.
        """

    def find(
        self,
        *,
        status: MigrationStatus | None = None,
        wave: str | None = None,
        application: str | None = None,
        after: Position | None = None,
        since: datetime | None = None,
    ) -> Iterable[MigrationRecord]:
        """Records by index; by `status` alone oldest change first, without any filter all of them.

        With `after` those that follow a place in the list this filter gave; `since` leaves out those that have not
        changed since then.
        """

    def records_of(self, migration_ids: Sequence[str]) -> dict[str, MigrationRecord]:
        """The records of these migrations, read consistently; unknown ids are left out."""

    def reject(self, rejection: Rejection) -> bool:
        """Keep a rejection once per message id; False when it was kept before."""

    def rejections(self, *, since: datetime | None = None) -> Iterable[Rejection]:
        """Every kept rejection, or those from then on."""

    def rejections_of(self, message_ids: Sequence[str]) -> Iterable[Rejection]:
        """The rejections of these messages, read consistently."""

    def lock(self, lock: Lock) -> Lock:
        """Take the server's lock unless another migration has it; the lock that holds now."""

    def lock_of(self, scope: Scope, source_server_id: str) -> Lock | None:
        """Who holds the server."""

    def unlock(self, lock: Lock) -> None:
        """Drop the lock if `lock.owner` still has it."""


class Waits(Protocol):
    """The waits of parked steps."""

    def park(self, wait: Wait) -> Wait:
        """Keep a wait in its lane, without one due at once.

        A step retried with a new token keeps the old one beside it, and an undelivered outcome.
        """

    def of(self, scope: Scope, migration_id: str) -> tuple[Wait, ...]:
        """The migration's open waits."""

    def open(self, scope: Scope) -> Iterable[Wait]:
        """Every open wait of an account and Region, read consistently; for people who ask, not for looks."""

    def page(self, scope: Scope, start: str | None, limit: int) -> tuple[Sequence[Wait], str | None]:
        """So many open waits from a place on, None for the first, and the place after them, None at the end."""

    def those(self, scope: Scope, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Wait]:
        """The open waits with these migration ids and names, read consistently."""

    def in_lanes(self, scope: Scope, first: str, last: str, limit: int) -> Sequence[Wait]:
        """At most so many of the waits whose lane lies between these two, both included, in the order of lanes."""

    def next_lane(self, scope: Scope, after: str, last: str) -> str | None:
        """The first lane that somebody is in behind one, up to another."""

    def file(self, wait: Wait, lane: str) -> bool:
        """Move an open wait to another lane; False when it is not as it was read any more, and then it stays."""

    def amend(self, wait: Wait, changes: Mapping[str, object]) -> bool:
        """Set fields of an undecided wait; False when it was decided, closed or parked again with another token."""

    def decide(self, wait: Wait, outcome: Outcome) -> Wait:
        """Set the wait's outcome unless it has one; the wait with the outcome that holds.

        Nothing is kept when the step was closed or parked again with another token since `wait` was read: the answer
        then carries the old token, which nobody waits for.
        """

    def close(self, wait: Wait) -> None:
        """Drop a delivered wait, unless its step was parked again with another token."""


class Tokens(Protocol):
    """The task tokens of parked steps: whoever has one can end the step, so the waits only name them."""

    def keep(self, token: str, until: datetime) -> str:
        """Keep a token at least until then; the key it is kept under. The same token has the same key."""

    def token(self, key: str) -> str | None:
        """The token under this key; None when it is kept no longer."""


class Dispatches(Protocol):
    """What the dispatchers and the sweep remember."""

    def state(self, scope: Scope) -> Dispatch:
        """The dispatcher's state of an account and Region, read consistently; a fresh one when there is none."""

    def save(self, state: Dispatch) -> Dispatch:
        """Write the state with the next version; raises RecordChangedError when another dispatcher wrote first."""

    def looked(self, scope: Scope, looked: Looked) -> None:
        """Remember what a look leaves to the next one."""

    def last_look(self, scope: Scope) -> Looked:
        """What the last look left; nothing for a scope never looked at."""

    def begins(self, sender: str, minute: int, *, below: int) -> bool:
        """Count a migration of this sender that begins in a minute; False when as many as may have begun in it."""

    def count_sweep(self) -> int:
        """The number of this sweep: one more than that of the one before."""


class Decisions(Protocol):
    """What people and systems said to migrations."""

    def keep(self, signal: Signal, *, since: datetime | None = None) -> bool:
        """Keep a signal; False when one of that name came before. One from before `since` gives way."""

    def of(self, migration_id: str) -> tuple[Signal, ...]:
        """The signals a migration got, oldest first."""

    def refuse(self, refused: RefusedDecision) -> bool:
        """Keep a decision that does not count; False when one of that name was kept before."""

    def refused(self, migration_id: str) -> tuple[RefusedDecision, ...]:
        """The decisions that were refused to a migration, oldest first."""


class State(Protocol):
    """What is kept between two steps. A list leaves out what this release cannot read, and has it reported."""

    @property
    def migrations(self) -> Migrations: ...
    @property
    def waits(self) -> Waits: ...
    @property
    def dispatches(self) -> Dispatches: ...
    @property
    def decisions(self) -> Decisions: ...


class Wakes(Protocol):
    """The queue that wakes the dispatcher of an account and Region."""

    def wake(self, scope: Scope, *, after: float = 0, everything: bool = False) -> None:
        """Have the scope looked at, now or after so many seconds; everything in it, or what can have changed."""


class RequestBudget(Protocol):
    """The requests a second MGN gets from all functions together, for one account and Region."""

    def take(self) -> None:
        """Count a request, which may be sent then; raises ThrottledError when there is no room for it.

        The first request of an invocation never waits; a later one waits for the next second at most.
        """


class MigrationService(Protocol):
    """MGN. Every method raises the errors of runtime.errors, never a boto error."""

    def servers(self, ids: Sequence[str]) -> tuple[SourceServer, ...]:
        """The servers with these ids, archived ones included; unknown ids are left out. Batches of 200."""

    def active_servers(self, *, since: datetime | None = None) -> Inventory:
        """Every server that is not archived, as it was half a minute ago or later; with `since`, then or later.

        Raises ThrottledError when `since` asks for another list a few seconds after the last one was read.
        """

    def jobs(self, ids: Sequence[str]) -> tuple[Job, ...]:
        """The jobs with these ids; unknown ids are left out."""

    def jobs_since(self, moment: datetime) -> Iterable[Job]:
        """Jobs created since `moment`, newest first, other people's too."""

    def job_log(self, job_id: str) -> tuple[JobLogEntry, ...]:
        """The job's log in MGN's order."""

    def start_launch(self, phase: Phase, ids: Sequence[str], tags: Mapping[str, str]) -> Job:
        """StartTest or StartCutover, sent once and never retried: there is no client token."""

    def terminate(self, ids: Sequence[str], tags: Mapping[str, str]) -> Job:
        """TerminateTargetInstances, sent once and never retried."""

    def change_lifecycle(self, source_server_id: str, state: str) -> SourceServer:
        """ChangeServerLifeCycleState, sent once and never retried: a change that was made is refused the next time."""

    def finalize(self, source_server_id: str) -> SourceServer:
        """FinalizeCutover of one server, sent once and never retried."""


class LaunchSettings(Protocol):
    """A server's MGN launch configuration and EC2 launch template."""

    def current(self, source_server_id: str) -> LaunchTemplateRef:
        """The server's launch template and its default version."""

    def apply(
        self,
        request: MigrationRequest,
        source_server_id: str,
        phase: Phase,
        marker: str,
        *,
        before: LaunchTemplateRef | None = None,
    ) -> int:
        """Right-sizing NONE, then a new default version with the request's settings; the default version after.

        `marker` names the version, so that a repeated call finds it and makes no second one. `before` is the template
        as the migration found it: a cutover without a network of its own leaves the test's and goes back to that one.
        Raises LaunchSettingsError, before anything changes, for a server whose instances are to stay stopped.
        """

    def ebs_key(self, source_server_id: str) -> str | None:
        """The customer key that the server's volumes are encrypted under, when it is not the account's default."""

    def restore(self, template: LaunchTemplateRef) -> None:
        """Make the remembered version the default again."""


class Network(Protocol):
    """The target network."""

    def facts(
        self, subnets: Sequence[str], security_groups: Sequence[str], instance_types: Sequence[str]
    ) -> NetworkFacts:
        """What EC2 knows of these; unknown ones are left out."""


class Instances(Protocol):
    """Launched instances."""

    def health(self, ids: Sequence[str]) -> dict[str, InstanceHealth]:
        """EC2 state, status checks and SSM ping of each; an instance EC2 does not know has no state."""

    def source_server_of(self, node_id: str) -> str | None:
        """The source server that the tag of a managed node names; None for a node without it, or unknown."""


class Commands(Protocol):
    """SSM Run Command."""

    def send(self, instance_id: str, document: str, parameters: Mapping[str, Sequence[str]], comment: str) -> str:
        """Start the document, sent once and never retried: there is no client token. The command id.

        Raises CheckPendingError while the node is not reachable and CheckFailedError when the document cannot run.
        """

    def find(self, instance_id: str, comment: str, since: datetime) -> str | None:
        """The newest command of this comment that the node was sent since then; None while SSM lists none."""

    def status(self, command_id: str, instance_id: str) -> CommandStatus:
        """How the command stands; Pending while SSM does not know it yet."""


class Prober(Protocol):
    """Network checks of a launched instance."""

    def probe(self, check: Check, address: str) -> str | None:
        """None when the TCP or HTTP check passes, else what was seen."""


class Resumer(Protocol):
    """Step Functions executions and the tasks parked in them."""

    def is_running(self, execution: str) -> bool:
        """Whether the execution can still go on."""

    def resume(self, token: str, outcome: Outcome) -> bool:
        """Complete the task with the outcome as its output, or fail it with `outcome.error`.

        False when Step Functions no longer waits for it.
        """


class EventBus(Protocol):
    """The migration bus."""

    def publish(self, events: Sequence[BusEvent]) -> None:
        """Put the events; raises ServiceUnavailableError unless every one was taken."""


class Receiver(Protocol):
    """Callback receivers."""

    def deliver(self, url: str, body: str, key: str) -> None:
        """POST a signed body under an idempotency key; raises CallbackDeliveryError. Called from several threads."""


class Ports(State, Protocol):
    """Everything a decision may need; handlers wire it lazily, tests fill it with fakes."""

    @property
    def tokens(self) -> Tokens: ...
    @property
    def mgn(self) -> MigrationService: ...
    @property
    def launch_settings(self) -> LaunchSettings: ...
    @property
    def network(self) -> Network: ...
    @property
    def instances(self) -> Instances: ...
    @property
    def commands(self) -> Commands: ...
    @property
    def prober(self) -> Prober: ...
    @property
    def resumer(self) -> Resumer: ...
    @property
    def wakes(self) -> Wakes: ...
    @property
    def bus(self) -> EventBus: ...
    @property
    def budgets(self) -> Budgets: ...
    @property
    def decision_rules(self) -> DecisionRules: ...
    @property
    def begins_per_sender(self) -> int:
        """How many migrations one sender may have begin in a minute."""

    @property
    def documents(self) -> Sequence[str]:
        """SSM documents that requests may run."""

    @property
    def ebs_keys(self) -> Sequence[str]:
        """Customer keys whose volumes may be launched here, by ARN."""

    @property
    def scope(self) -> Scope:
        """Account and Region that mgn, launch_settings, network, instances and commands speak to."""

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """Every account and Region migrations may run in; the pipeline's own is the first."""

    def at(self, scope: Scope) -> Ports:
        """These ports in another account and Region. Store, bus, resumer, prober, budgets and clock are the same.

        It calls nobody. Where the role may not be assumed, the first use raises TargetAccountError.
        """

    def now(self) -> datetime: ...
    def new_id(self) -> str:
        """A fresh unique id, 32 hexadecimal digits."""
