"""Going on when both have happened: the simulated time is over and the outside has answered."""

from collections.abc import Callable
from typing import TypeVar

from simulator.model.account.account import Account

T = TypeVar("T")


def meet(
    account: Account, seconds: float, start: Callable[[Callable[[T], None]], None], then: Callable[[T], None]
) -> None:
    """Start outside work now; `then` gets its answer, not before `seconds` of simulated time from now."""
    answers: list[T] = []
    time_is_over = False

    def answered(answer: T) -> None:
        answers.append(answer)
        if time_is_over:
            then(answer)

    def elapsed() -> None:
        nonlocal time_is_over
        time_is_over = True
        if answers:
            then(answers[0])

    account.after(seconds, elapsed)
    # The answer may come from another thread: it is taken up by the next run of the agenda.
    start(lambda answer: account.results.append(lambda: answered(answer)))
