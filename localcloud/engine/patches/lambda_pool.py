"""A bounded number of handlers runs at once; further invocations queue.

The engine starts one process per concurrent invocation without bound, or throttles at a cap where AWS, with its
thousand environments, would not.
"""

import threading
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from localcloud.engine.patches.lambda_loops import comes_from_a_queue
from localcloud.engine.pins import EngineChangedError, pinned
from localcloud.engine.settings import EngineSettings

# Idle environments beyond this many times the bound are ended, the longest idle first.
_WARM_PER_SLOT = 3


def apply(settings: EngineSettings) -> None:
    acquire = pinned(lambda_runtime, "acquire_worker", "5017d144adb5")
    release = pinned(lambda_runtime, "release_worker", "25d5dd7d42b6")
    if lambda_svc.acquire_worker is not acquire or lambda_svc.release_worker is not release:
        raise EngineChangedError("lambda_svc no longer imports acquire_worker and release_worker")
    if lambda_svc._LAMBDA_STATE_TRANSITION_DELAY != 0.5:
        raise EngineChangedError("lambda_svc._LAMBDA_STATE_TRANSITION_DELAY changed")
    slots = threading.BoundedSemaphore(settings.lambda_workers)

    def acquire_in_turn(*args: Any, **kwargs: Any) -> Any:
        if not _is_nested():
            slots.acquire()
        return acquire(*args, **kwargs)

    def release_turn(worker: Any) -> None:
        release(worker)
        if not _is_nested():
            slots.release()
        _end_idle_workers(settings.lambda_workers * _WARM_PER_SLOT)

    # A new function is Pending for half a second: nothing is being set up meanwhile.
    lambda_svc._LAMBDA_STATE_TRANSITION_DELAY = 0.02
    lambda_svc.acquire_worker = acquire_in_turn
    lambda_svc.release_worker = release_turn


def _is_nested() -> bool:
    """Whether a handler invoked this one and waits for it: queueing both could lock all slots."""
    return int(lambda_svc._invoke_depth.get()) > 1 and not comes_from_a_queue.get()


def _end_idle_workers(limit: int) -> None:
    with lambda_runtime._lock:
        idle = [
            (worker.last_used, key, worker)
            for key, workers in lambda_runtime._workers.items()
            for worker in workers
            if not worker.in_use
        ]
        surplus = sum(len(workers) for workers in lambda_runtime._workers.values()) - limit
        ended = sorted(idle, key=lambda entry: entry[0])[: max(0, surplus)]
        for _, key, worker in ended:
            lambda_runtime._workers[key].remove(worker)
    if ended:
        threading.Thread(target=lambda_runtime.kill_workers, args=([worker for *_, worker in ended],)).start()
