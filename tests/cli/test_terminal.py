"""What people see in a real terminal: the screens are kept beside, to be looked at when they change."""

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

import pyte
import pytest
from syrupy.assertion import SnapshotAssertion

from cli.main import app
from runtime.models.request import Approval
from tests.builders import NOON, SERVER_ID, a_record, a_request
from tests.cli.deployed_stage import TO_COMPLETED, S, Stage

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

SECONDS = 60
"""A session that lasts longer hangs."""

NOW = NOON + timedelta(minutes=30)
ESCAPE = re.compile(rb"\x1b[\[\]()][0-9;?]*[A-Za-z]?")
COLOUR = re.compile(rb"\x1b\[(?:3[0-7]|4[0-7]|9[0-7]|38|48)[0-9;]*m")


class Clock(datetime):
    """Half past noon."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Clock":
        return cls.fromtimestamp(NOW.timestamp(), tz)


class Session(NamedTuple):
    """What came out of a terminal, and how the command ended."""

    raw: bytes
    columns: int
    code: int

    @property
    def screen(self) -> str:
        """What stands there at the end, scrolled off or not."""
        return _drawn(self.raw.rpartition(b"\x1b[?1049l")[2], self.columns, 200)

    def live(self, rows: int) -> str:
        """The last of the live table before it was left."""
        return _drawn(self.raw.partition(b"\x1b[?1049l")[0], self.columns, rows)


Answer = tuple[bytes, Callable[[int], object]]
"""What to do, given the terminal, once something is seen."""


def type_in(keys: bytes) -> Callable[[int], object]:
    return lambda terminal: os.write(terminal, keys)


def resize(columns: int, rows: int) -> Callable[[int], object]:
    return lambda terminal: fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def session(
    *arguments: str, columns: int, rows: int = 24, answers: Sequence[Answer] = (), encoding: str = "utf-8", **env: str
) -> Session:
    """Run the command in a terminal of its own, with the stage as it is now."""
    # A copy of this process, because the stage is a mock in its memory.
    child, terminal = pty.fork()
    if child == 0:
        _be_the_command(arguments, columns, rows, encoding, env)
    try:
        raw = _talk(terminal, list(answers))
    finally:
        os.close(terminal)
        _, status = os.waitpid(child, 0)
    return Session(raw, columns, os.waitstatus_to_exitcode(status))


def _be_the_command(arguments: Sequence[str], columns: int, rows: int, encoding: str, env: dict[str, str]) -> None:
    code = 70
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        resize(columns, rows)(0)
        for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TERM"):
            os.environ.pop(name, None)
        os.environ.update({"TERM": "xterm-256color", **env})
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), encoding=encoding)
        sys.stdout, sys.stderr = (
            io.TextIOWrapper(io.FileIO(number, "w", closefd=False), encoding=encoding) for number in (1, 2)
        )
        for module in [module for name, module in sys.modules.items() if name.startswith("cli.")]:
            if getattr(module, "datetime", None) is datetime:
                module.datetime = Clock  # type: ignore[attr-defined]
        app(list(arguments), prog_name="migrate")
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 1
    finally:
        sys.stdout.flush()
        os._exit(code)


def _talk(terminal: int, answers: list[Answer]) -> bytes:
    raw, heard = b"", 0
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 1)
        if ready:
            try:
                data = os.read(terminal, 65_536)
            except OSError:
                data = b""
            if not data:
                return raw
            raw += data
        if answers and answers[0][0] in raw[heard:]:
            heard = len(raw)
            answers.pop(0)[1](terminal)
    raise AssertionError(f"the session hangs: {raw!r}")


def _drawn(raw: bytes, columns: int, rows: int) -> str:
    screen = pyte.Screen(columns, rows)
    screen.set_mode(pyte.modes.LNM)
    pyte.ByteStream(screen).feed(raw)
    return "\n".join(line.rstrip() for line in screen.display).rstrip()


@pytest.fixture
def migrations(stage: Stage) -> Stage:
    """One of each kind that looks different."""
    names = ("billing-web-1", "billing-web-2", "billing-app-1", "billing-db-1", "shop-web-1", "hr-app-1")
    ends = (
        TO_COMPLETED,
        (*TO_COMPLETED[:4], S.ROLLING_BACK, S.ROLLED_BACK),
        (S.VALIDATING, S.PREPARING, S.TEST_LAUNCHING),
        (S.VALIDATING, S.PREPARING, S.AWAITING_APPROVAL),
        (S.VALIDATING, S.FROZEN),
        (S.VALIDATING, S.REJECTED),
    )
    reasons = (
        "cut over to i-0c1b245f0fffb1d6b",
        "LaunchFailedError: mgnjob-11111111111111111 ended with launchStatus FAILED for this server; MGN logged …",
        "MGN job mgnjob-8092d8731f9db4736 with 1 server",
        "waiting for approval of cutover",
        "the undo failed: ServiceUnavailableError: no usable answer from MGN",
        "no active MGN source server matches 'hr-app-1'; install the agent or correct sourceVmId",
    )
    for name, statuses, reason in zip(names, ends, reasons, strict=True):
        app_name, wave = name.split("-")[0], "wave-1" if name.startswith("billing") else "wave-2"
        request = a_request(
            f"{name}-a", app_name=app_name, wave=wave, source_vm_id=name, approval=Approval(cutover=True)
        )
        record = stage.accept(f"{name}-a", request=request, source_server_id=SERVER_ID, correlation_id="c0ffee")
        stage.move(record, *statuses, reason=reason)
    return stage


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_list(migrations: Stage, snapshot: SnapshotAssertion, columns: int) -> None:
    seen = session("list", columns=columns)
    assert seen.code == 0
    assert seen.screen == snapshot
    for name in ("billing-web-1-a", "shop-web-1-a", "i-0c1b245f0fffb1d6b"):
        assert name in seen.screen


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("name", ["billing-db-1-a", "billing-web-2-a", "shop-web-1-a"])
def test_status(migrations: Stage, snapshot: SnapshotAssertion, name: str, columns: int) -> None:
    seen = session("status", name, columns=columns)
    assert seen.code == 0
    assert seen.screen == snapshot


def test_what_cannot_be_seen_in_80_columns_is_there_in_wide(migrations: Stage) -> None:
    seen = session("list", "-o", "wide", columns=80)
    whole = "".join(seen.screen.splitlines())
    assert "install the agent or correct sourceVmId" in whole
    assert "…" not in whole.replace("MGN logged …", "")


def test_no_color_has_none_and_a_dumb_terminal_gets_no_sequences(migrations: Stage) -> None:
    # A dumb terminal is taken to have 80 columns.
    coloured = session("list", columns=80)
    plain = session("list", columns=80, NO_COLOR="1")
    dumb = session("list", columns=80, TERM="dumb")
    assert COLOUR.search(coloured.raw)
    assert not COLOUR.search(plain.raw)
    assert not ESCAPE.search(dumb.raw)
    assert coloured.screen == plain.screen == dumb.screen


def test_a_terminal_of_ascii_gets_the_same_in_plainer_signs(migrations: Stage, snapshot: SnapshotAssertion) -> None:
    seen = session("list", columns=100, encoding="ascii", LC_ALL="C")
    assert seen.code == 0
    assert seen.raw.isascii()
    assert seen.screen == snapshot


@pytest.mark.parametrize("columns", [80, 200])
def test_watch_is_live_scrolls_sorts_and_leaves_its_last_table(
    migrations: Stage, snapshot: SnapshotAssertion, columns: int
) -> None:
    answers = [
        (b"arrows scroll", type_in(b"s")),
        (b"arrows scroll", type_in(b"\x1b[B")),
        (b"2 to 6 of 6", type_in(b"q")),
    ]
    options = ("--wave", "wave-1", "--wave", "wave-2", "--interval", "30")
    rows = 11 if columns == 80 else 10
    seen = session("watch", *options, columns=columns, rows=rows, answers=answers)
    assert seen.code == 130
    assert seen.live(rows) == snapshot(name="live")
    assert seen.screen == snapshot(name="after")


def test_a_resize_draws_the_table_anew(migrations: Stage) -> None:
    answers = [
        (b"TEST_LAUNCHING", resize(60, 24)),
        (b"TEST_LAUNCHING", type_in(b"s")),
        (b"TEST_LAUNCHING", type_in(b"\x03")),
    ]
    seen = session("watch", "--wave", "wave-1", "--interval", "0.2", columns=120, answers=answers)
    assert seen.code == 130
    last = seen.raw.partition(b"\x1b[?1049l")[0].rpartition(b"\x1b[H")[2]
    lines = [ESCAPE.sub(b"", line).rstrip() for line in last.splitlines()]
    assert any(b"TEST_LAUNCHING" in line for line in lines)
    assert max(len(line.decode()) for line in lines) <= 60
    assert "billing-web-1-a" in seen.screen


def test_bulk_decisions_are_shown_and_asked(migrations: Stage, snapshot: SnapshotAssertion) -> None:
    options = ("--wave", "wave-1", "--status", "AWAITING_APPROVAL", "--gate", "cutover", "--reason", "tested")
    no = session("approve", *options, "--by", "ada", columns=100, answers=[(b"[y/N] ", type_in(b"\n"))])
    yes = session("approve", *options, "--by", "ada", columns=100, answers=[(b"[y/N] ", type_in(b"y\n"))])
    assert (no.code, yes.code) == (0, 0)
    assert "sent:" not in no.screen
    assert yes.screen == snapshot


def test_a_mistake_says_what_was_meant(migrations: Stage, snapshot: SnapshotAssertion) -> None:
    for name, command in {"wave": ("watch", "--wave", "wave1"), "id": ("status", "shop-web-1")}.items():
        assert session(*command, columns=80).screen == snapshot(name=name)


def test_a_long_id_is_whole_at_80_columns(stage: Stage) -> None:
    record = a_record("m" * 80)
    stage.accept("m" * 80, request=record.request.model_copy(update={"migration_id": "m" * 80}))
    seen = session("list", columns=80)
    assert "m" * 80 in "".join(seen.screen.splitlines())
