"""The interpreters under test. The same facts hold on each."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from localcloud.cloud import engine
from localcloud.settings import CloudSettings
from tests.engine.conftest import Aws
from tests.states.interpreters import Interpreter, OwnInterpreter, on_stage

ENGINES = [pytest.param(name, marks=pytest.mark.engine) for name in ("engine", "moto")]


@pytest.fixture(scope="session", params=["own", *ENGINES])
def interpreter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interpreter]:
    """Our own interpreter, the local engine's and moto's; retries wait for nothing."""
    if request.param == "own":
        yield OwnInterpreter()
        return
    folder = tmp_path_factory.mktemp(request.param)
    settings = CloudSettings(folder=folder, state_machines=request.param, wait_scale=0)
    with ExitStack() as stack:
        yield stack.enter_context(on_stage(Aws(stack.enter_context(engine(settings)), folder)))
