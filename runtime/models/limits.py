"""How long each kind of wait can last: the state machine's timeouts follow from it, and every deadline stays below."""

from datetime import timedelta

from runtime.models.functions.environment import Budgets
from runtime.models.request import FARTHEST_WINDOW, LONGEST_APPROVAL, LONGEST_SOAK
from runtime.models.waits import WaitKind


def longest(kind: WaitKind, budgets: Budgets) -> timedelta:
    """From parking a step to the latest moment at which a look ends it."""
    if kind is WaitKind.WINDOW:
        return max(FARTHEST_WINDOW, timedelta(seconds=budgets.window))
    seconds = {
        WaitKind.REPLICATION: budgets.replication,
        WaitKind.LAUNCH: budgets.launch_queue + budgets.launch,
        # An instance that is up waits for the others in its job.
        WaitKind.BOOT: budgets.boot + budgets.launch,
        # One try's worth of it: each is a wait of its own.
        WaitKind.CHECK: max(budgets.checks, budgets.commands),
        WaitKind.APPROVAL: LONGEST_APPROVAL,
        # After the soak the instance has as long to become healthy as for a boot.
        WaitKind.SOAK: LONGEST_SOAK + budgets.boot,
        # A terminate waits for room in MGN and then for its job.
        WaitKind.UNDO: budgets.launch_queue + budgets.undo,
    }
    return timedelta(seconds=seconds[kind])
