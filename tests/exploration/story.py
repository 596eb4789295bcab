"""What happens in one run besides the pipeline itself: who asks for what, who decides, what breaks, all as data."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from runtime.models.decisions import Decision
from runtime.models.request import Gate, Mode, Phase
from runtime.models.status import MigrationStatus

NOBODY = "nobody"
"""The name of a server that MGN does not have."""


Place = Literal[
    "snapshot", "conversion", "launch", "boot", "status", "ssm", "previous_snapshot", "cleanup", "terminate"
]
"""Where MGN's launches and terminations fail."""


class Part(BaseModel):
    """A piece of a story. Seconds count from its beginning."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FaultKind(StrEnum):
    """How one call goes wrong."""

    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    ANSWER_LOST = "answer lost"
    BROKEN_ANSWER = "broken answer"
    CALL_SLOW = "call slow"
    ANSWER_LATE = "answer late"
    EFFECT_LATE = "effect late"
    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    TRY_LATE = "try late"
    TRY_TWICE = "try twice"


class Fault(Part):
    """The `nth` call of this name goes wrong, the slow and the late ones by so many seconds.

    Calls are named after the function and the port they are made by, below the adapter after MGN's operation.
    """

    call: str
    nth: int
    kind: FaultKind
    seconds: float = 0
    cue: MigrationStatus | None = None
    """Counted from when a migration comes into this status for the first time; from the beginning without one."""


class Migration(Part):
    """One request, sent once or more often."""

    id: str
    server: str
    at: float = 0
    in_target: bool = False
    mode: Mode = Mode.MIGRATE
    test: bool = True
    gates: tuple[Gate, ...] = ()
    patience: int = 43_200
    """Seconds an approval is waited for."""
    window: tuple[int, int] | None = None
    soak: int = 0
    checked: bool = False
    check_passes_after: float | None = 0
    """From when on its network check passes; None: never."""
    runs_document: bool = False
    runs_command: bool = False
    sent_again: tuple[float, ...] = ()
    contradicted_at: float | None = None
    """When the same id is sent with another body."""


class Cued(Part):
    """What somebody does with a migration: so many seconds after the beginning, or after its cue."""

    at: float
    cue: MigrationStatus | Literal["fault"] | None = None
    """When the migration comes into a status for the first time, or the first fault comes."""
    migration: str


class Decided(Cued):
    """A decision that a person sends."""

    decision: Decision
    gate: Gate | None = None


class Stop(Cued):
    """Somebody stops the execution of a migration; its event reaches us or not."""

    heard: bool


class Meddling(Cued):
    """Somebody changes the server behind our back."""

    what: Literal["terminate instance", "start test"]


class Trouble(Part):
    """What MGN itself fails at with one server."""

    server: str
    at: Place
    phase: Phase | None = None


class Outage(Part):
    """Calls of a port fail for a while."""

    port: str
    at: float
    lasts: float


class Delivery(Part):
    """What becomes of events, and of the records of the table's stream."""

    lost: float = 0
    doubled: float = 0
    latest: float = 0
    """Seconds after which a late one arrives."""
    streamed_again: float = 0


class Lag(Part):
    """For how many seconds readers do not see what was written."""

    jobs: float = 0
    index: float = 0
    instances: float = 0
    commands: float = 0


class Story(Part):
    """One seed. The same story is always played the same way."""

    seed: int
    servers: tuple[str, ...]
    migrations: tuple[Migration, ...]
    decisions: tuple[Decided, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    stops: tuple[Stop, ...] = ()
    meddlings: tuple[Meddling, ...] = ()
    outages: tuple[Outage, ...] = ()
    faults: tuple[Fault, ...] = ()
    delivery: Delivery = Delivery()
    lag: Lag = Lag()
    knobs: dict[str, str | bool] = {}
    quick_jobs: bool = False
    """MGN's jobs take seconds instead of minutes."""
    streams: bool = False
    """The real publish_events hears of each journal entry."""
    disorder: float = 0
    """Up to so many seconds are added to whatever takes time, so that what comes at once comes in any order."""
    sweep: int = 300
    look: int = 30
