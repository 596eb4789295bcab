"""The statuses of a migration and the moves between them."""

from enum import StrEnum


class MigrationStatus(StrEnum):
    """Where a migration is; the last five are terminal."""

    RECEIVED = "RECEIVED"
    VALIDATING = "VALIDATING"
    PREPARING = "PREPARING"
    TEST_LAUNCHING = "TEST_LAUNCHING"
    TEST_VERIFYING = "TEST_VERIFYING"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    AWAITING_WINDOW = "AWAITING_WINDOW"
    CUTOVER_LAUNCHING = "CUTOVER_LAUNCHING"
    CUTOVER_VERIFYING = "CUTOVER_VERIFYING"
    SOAKING = "SOAKING"
    FINALIZING = "FINALIZING"
    ROLLING_BACK = "ROLLING_BACK"
    COMPLETED = "COMPLETED"
    REJECTED = "REJECTED"
    ROLLED_BACK = "ROLLED_BACK"
    CANCELLED = "CANCELLED"
    FROZEN = "FROZEN"

    @property
    def is_terminal(self) -> bool:
        return self in TERMINAL


S = MigrationStatus

TERMINAL = frozenset({S.COMPLETED, S.REJECTED, S.ROLLED_BACK, S.CANCELLED, S.FROZEN})

_UNDOABLE = {S.ROLLING_BACK, S.FROZEN}

MOVES: dict[MigrationStatus, frozenset[MigrationStatus]] = {
    S.RECEIVED: frozenset({S.VALIDATING, S.ROLLING_BACK}),
    S.VALIDATING: frozenset({S.PREPARING, S.REJECTED, *_UNDOABLE}),
    S.PREPARING: frozenset({S.TEST_LAUNCHING, S.AWAITING_APPROVAL, S.AWAITING_WINDOW, *_UNDOABLE}),
    S.TEST_LAUNCHING: frozenset({S.TEST_VERIFYING, *_UNDOABLE}),
    S.TEST_VERIFYING: frozenset({S.AWAITING_APPROVAL, S.AWAITING_WINDOW, S.COMPLETED, *_UNDOABLE}),
    S.AWAITING_APPROVAL: frozenset({S.AWAITING_WINDOW, S.FINALIZING, *_UNDOABLE}),
    S.AWAITING_WINDOW: frozenset({S.CUTOVER_LAUNCHING, *_UNDOABLE}),
    S.CUTOVER_LAUNCHING: frozenset({S.CUTOVER_VERIFYING, *_UNDOABLE}),
    S.CUTOVER_VERIFYING: frozenset({S.SOAKING, S.AWAITING_APPROVAL, S.FINALIZING, *_UNDOABLE}),
    S.SOAKING: frozenset({S.AWAITING_APPROVAL, S.FINALIZING, *_UNDOABLE}),
    # FINALIZING may still be undone while MGN says the cutover is not final; after that it may only freeze.
    S.FINALIZING: frozenset({S.COMPLETED, *_UNDOABLE}),
    S.ROLLING_BACK: frozenset({S.ROLLED_BACK, S.CANCELLED, S.FROZEN}),
    **{terminal: frozenset() for terminal in TERMINAL},
}
"""Which status may follow which."""
