"""Lets a function hang while others run: one thread for each that hangs, and never two that run."""

from collections.abc import Callable
from threading import Semaphore, Thread

Action = Callable[[], object]


class Actors:
    """Runs actions one after the other; one that hangs goes on when it is resumed."""

    def __init__(self, may_hang: bool) -> None:
        """Without threads where nothing hangs, which is quicker."""
        self._may_hang = may_hang
        self._back = Semaphore(0)
        self._idle: list[_Actor] = []
        self._acting: _Actor | None = None

    def act(self, action: Action) -> None:
        """Run an action until it ends or hangs; raises what it raises."""
        if not self._may_hang:
            action()
            return
        actor = self._idle.pop() if self._idle else _Actor(self._back)
        self._go_on(actor, action)

    def leave(self) -> Action:
        """What resumes the action that runs, which is about to wait."""
        actor = self._acting
        assert actor is not None
        return lambda: self._go_on(actor, None)

    def wait(self) -> None:
        """Let others run until the action is resumed."""
        actor = self._acting
        assert actor is not None
        self._back.release()
        actor.turn.acquire()

    def end(self) -> None:
        """Let the threads go."""
        for actor in self._idle:
            actor.is_over = True
            actor.turn.release()
        self._idle = []

    def _go_on(self, actor: "_Actor", action: Action | None) -> None:
        self._acting = actor
        if action is not None:
            actor.action = action
        actor.turn.release()
        self._back.acquire()
        if actor.action is None:
            self._idle.append(actor)
        if actor.error is not None:
            error, actor.error = actor.error, None
            raise error


class _Actor:
    """A thread that waits for its turn."""

    def __init__(self, back: Semaphore) -> None:
        self.action: Action | None = None
        self.error: BaseException | None = None
        self.is_over = False
        self.turn = Semaphore(0)
        self._back = back
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            self.turn.acquire()
            if self.is_over:
                return
            try:
                if self.action is not None:
                    self.action()
            except BaseException as error:
                self.error = error
            self.action = None
            self._back.release()
