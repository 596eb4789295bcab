"""The interpreters under test. The same facts hold on each."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from localcloud.cloud import engine
from localcloud.settings import CloudSettings
from tests.engine.conftest import Aws
from tests.states.interpreters import Interpreter, OwnInterpreter, on_stage

# Where an interpreter is known to differ. A test that no longer does fails here, so that its line is removed.
CRASH = "a process that died is reported as Runtime.HandlerError, not as Runtime.ExitError"
SAME_TOKEN = "moto: one token, with its old answer, for all attempts"
DIFFERENCES = {
    ("engine", "test_function_whose_process_died_is_called_again"): CRASH,
    ("engine", "test_function_whose_process_always_dies_is_undone"): CRASH,
    ("engine", "test_function_whose_process_died_is_called_again_with_another_token"): CRASH,
    ("moto", "test_function_whose_process_died_is_called_again"): CRASH,
    ("moto", "test_function_whose_process_always_dies_is_undone"): CRASH,
    ("moto", "test_function_whose_process_died_is_called_again_with_another_token"): CRASH,
    ("moto", "test_reason_somebody_ended_a_wait_with_reaches_the_undo"): "moto: SendTaskFailure drops its cause",
    ("moto", "test_token_of_a_failed_attempt_is_dead"): SAME_TOKEN,
    ("moto", "test_token_is_dead_once_the_function_failed"): "moto: a token is alive until its execution ends",
}
# Sometimes the next answer overtakes the old one.
RACES = {("moto", "test_wait_that_ends_in_a_transient_failure_is_tried_again"): SAME_TOKEN}
ENGINES = [pytest.param(name, marks=pytest.mark.engine) for name in ("engine", "moto")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not isinstance(item, pytest.Function) or not item.path.is_relative_to(Path(__file__).parent):
            continue
        key = (item.callspec.params["interpreter"], item.originalname)
        if key in DIFFERENCES:
            item.add_marker(pytest.mark.xfail(reason=DIFFERENCES[key], strict=True))
        if key in RACES:
            item.add_marker(pytest.mark.xfail(reason=RACES[key], strict=False))


@pytest.fixture(scope="session", params=["own", *ENGINES])
def interpreter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interpreter]:
    """Our own interpreter, the local engine's and moto's; retries wait for nothing."""
    if request.param == "own":
        yield OwnInterpreter()
        return
    folder = tmp_path_factory.mktemp(request.param)
    settings = CloudSettings(folder=folder, state_machines=request.param, wait_scale=0)
    with ExitStack() as stack:
        yield stack.enter_context(on_stage(Aws(stack.enter_context(engine(settings)))))
