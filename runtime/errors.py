"""Every error of the pipeline. Step Functions retries and catches them by class name.

MigrationError
├── RequestError                    the message or the request cannot be used
│   ├── RequestConflictError        same id, other body; or a decision that comes too late
│   ├── UnknownMigrationError       there is no such migration
│   └── DecisionRefusedError        the stage's rules do not let the decision count
├── TransientError                  heals by waiting; the state machine retries it
│   ├── ThrottledError              AWS asked for fewer calls
│   ├── ServiceUnavailableError     AWS answered 5xx or not at all
│   ├── CheckPendingError           an application check has not passed yet
│   └── RecordChangedError          another writer moved the record first
├── UnreadableDocumentError         this release cannot read what another one stored
├── MgnNotInitializedError          InitializeService was never run in this Region
├── TargetAccountError              an account denies the pipeline its role, its credentials or a call
├── SourceServerBusyError           the server is in a job already
├── SourceServerStateError          MGN refuses the call in the server's state
├── LaunchSettingsError             the server is set to be launched and not started
├── SourceServerGoneError           archived, disconnected or deleted while we worked
├── ReplicationNotReadyError        not launchable within its time
├── LaunchFailedError               MGN says this server's launch failed
├── StaleDataError                  cut over from an old snapshot
├── BootFailedError                 the instance did not come up within its time
├── CheckFailedError                an application check failed for good
├── ApprovalRejectedError           a person said no
├── ApprovalExpiredError            nobody said anything in time
├── WindowMissedError               the cutover window closed first
├── SoakFailedError                 the instance did not stay healthy
├── IllegalMoveError                a status may not follow another: a bug, never a fault of AWS
├── NotVerifiedError                finalize refused: no verified cutover
├── MigrationCancelledError         a person cancelled
├── DriftError                      someone changed the server behind our back
└── CallbackDeliveryError           a receiver did not take a callback
"""


class MigrationError(Exception):
    """Base of every error raised on purpose."""


class RequestError(MigrationError):
    """The message or the request cannot be used as it is."""


class RequestConflictError(RequestError):
    """The migration id was accepted before with another body."""


class UnknownMigrationError(RequestError):
    """There is no migration of this id."""


class DecisionRefusedError(RequestError):
    """The stage's rules do not let the decision count."""


class TransientError(MigrationError):
    """Heals by waiting."""


class ThrottledError(TransientError):
    """AWS asked for fewer calls; nothing was done."""


class ServiceUnavailableError(TransientError):
    """AWS answered 5xx, or not at all; the call may have had its effect."""


class CheckPendingError(TransientError):
    """An application check has not passed yet and may still."""


class RecordChangedError(TransientError):
    """Another writer moved the record first; read it again."""


class UnreadableDocumentError(MigrationError):
    """A stored document cannot be read by this release."""


class MgnNotInitializedError(MigrationError):
    """MGN's InitializeService was never run in this account and Region."""


class TargetAccountError(MigrationError):
    """An account denies the pipeline its role, its credentials or a call, or the deployment knows no such target."""


class SourceServerBusyError(MigrationError):
    """MGN refuses: the server is being processed by a job."""


class SourceServerStateError(MigrationError):
    """MGN refuses the call in the server's present state."""


class LaunchSettingsError(MigrationError):
    """The launch settings of the server do not let its instance come up."""


class SourceServerGoneError(MigrationError):
    """The server was archived, disconnected or deleted while the migration ran."""


class ReplicationNotReadyError(MigrationError):
    """The server did not become launchable within its time."""


class LaunchFailedError(MigrationError):
    """MGN says the launch of this server failed, whatever the job says."""


class StaleDataError(MigrationError):
    """MGN launched the cutover from a previous snapshot: the instance has old data."""


class BootFailedError(MigrationError):
    """The launched instance did not come up within its time."""


class CheckFailedError(MigrationError):
    """An application check failed."""


class ApprovalRejectedError(MigrationError):
    """A person rejected the gate."""


class ApprovalExpiredError(MigrationError):
    """Nobody decided within the approval's time."""


class WindowMissedError(MigrationError):
    """The cutover window closed before the cutover could start."""


class SoakFailedError(MigrationError):
    """The cutover instance did not stay healthy through its soak."""


class IllegalMoveError(MigrationError):
    """A status may not follow the present one."""


class NotVerifiedError(MigrationError):
    """Finalize refused: the rules for the point of no return are not met (I5)."""


class MigrationCancelledError(MigrationError):
    """A person cancelled the migration."""


class DriftError(MigrationError):
    """Someone changed the server in MGN behind the pipeline's back."""


class CallbackDeliveryError(MigrationError):
    """A receiver did not take a callback."""


TRANSIENT: tuple[str, ...] = ("TransientError", *(error.__name__ for error in TransientError.__subclasses__()))
"""The class names the state machine retries."""
