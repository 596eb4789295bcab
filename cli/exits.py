"""How the command ends: exit codes, and the errors that lead to them."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a script may rely on."""

    OK = 0
    ENDED_BADLY = 1
    USAGE = 2
    INVALID = 3
    UNREACHABLE = 4
    NOT_FOUND = 5
    NOTHING_MATCHED = 6
    TIMED_OUT = 7

    @property
    def meaning(self) -> str:
        return MEANINGS[self]


MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.ENDED_BADLY: "a migration that was waited for did not end COMPLETED, or a request was rejected",
    ExitCode.USAGE: "the command line is wrong, or a file cannot be written",
    ExitCode.INVALID: "a request or decision cannot be accepted as it is; nothing was sent",
    ExitCode.UNREACHABLE: "the stage is not deployed, AWS cannot be reached, or it refused",
    ExitCode.NOT_FOUND: "there is no such migration",
    ExitCode.NOTHING_MATCHED: "no migration matches the filters, or none is under way",
    ExitCode.TIMED_OUT: "what was waited for did not come in time",
}


class CliError(Exception):
    """Ends the command with a message that says what to do next."""

    exit_code = ExitCode.USAGE


class UsageError(CliError):
    """Options that do not go together."""


class InvalidError(CliError):
    """A request or a decision that cannot be accepted."""

    exit_code = ExitCode.INVALID


class UnreachableError(CliError):
    """The deployment cannot be found, reached or used."""

    exit_code = ExitCode.UNREACHABLE


class NotFoundError(CliError):
    """No such migration."""

    exit_code = ExitCode.NOT_FOUND


class NothingMatchedError(CliError):
    """Filters that no migration matches."""

    exit_code = ExitCode.NOTHING_MATCHED


class TimedOutError(CliError):
    """What was waited for did not come."""

    exit_code = ExitCode.TIMED_OUT
