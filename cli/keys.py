"""Keys pressed while a table is live."""

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager

NAMES = {
    b"\x1b[A": "up",
    b"\x1b[B": "down",
    b"\x1bOA": "up",
    b"\x1bOB": "down",
    b"\x1b[5~": "pageup",
    b"\x1b[6~": "pagedown",
    b"\x1b[H": "home",
    b"\x1bOH": "home",
}


class Keys:
    """The keys of one terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def next(self, seconds: float) -> str | None:
        """The key that is pressed within so many seconds, if any; a resize of the screen ends the wait, too."""
        try:
            ready, _, _ = select.select([self._descriptor], [], [], seconds)
        except InterruptedError:
            return None
        if not ready:
            return None
        data = os.read(self._descriptor, 16)
        return NAMES.get(data, data[:1].decode(errors="replace"))


@contextmanager
def keys_of_terminal() -> Iterator[Keys | None]:
    """The keys of standard input one by one and unseen; None where it is no terminal."""
    try:
        import termios
        import tty
    except ImportError:  # Windows
        yield None
        return
    try:
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (OSError, ValueError, termios.error):
        yield None
        return
    tty.setcbreak(descriptor)
    try:
        yield Keys(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
