"""The local cloud: an AWS engine, MGN simulators and the deployed stacks, brought up and taken down as one."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from localcloud import processes
from localcloud.deployment import deploy
from localcloud.network import create_networks
from localcloud.processes import StartError, answers
from localcloud.services import (
    HEALTH_PATH,
    port_or_free,
    simulations_of,
    start_engine,
    start_simulator,
    temporary_folder,
)
from localcloud.settings import CloudSettings
from localcloud.state import FOLDER, CloudState, in_words, load, save, state_file

Report = Callable[[str], None]


def _silent(message: str) -> None:
    """Report nothing."""


@contextmanager
def local_cloud(settings: CloudSettings, report: Report = _silent) -> Iterator[CloudState]:
    """A local cloud for the duration of a block."""
    state = up(settings, report)
    try:
        yield state
    finally:
        down(settings.folder, report)


@contextmanager
def engine(settings: CloudSettings, *, mgn_urls: Mapping[str, str] | None = None) -> Iterator[str]:
    """The AWS engine alone, for the duration of a block; yields its endpoint. MGN's URLs are by account and Region."""
    port = port_or_free(settings.port)
    try:
        process = start_engine(settings, port, mgn_urls or {})
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            processes.stop([process])
    finally:
        shutil.rmtree(temporary_folder(settings.folder), ignore_errors=True)


def is_well(state: CloudState | None) -> bool:
    """Whether all of it runs and answers."""
    return (
        state is not None
        and bool(state.processes)
        and all(processes.is_running(process) for process in state.processes)
        and all(answers(url) for url in (f"{state.endpoint}{HEALTH_PATH}", *state.simulators.values()))
    )


def up(settings: CloudSettings, report: Report = _silent) -> CloudState:
    """Start everything, seed the network and deploy; a failure leaves nothing running, and what is half dead goes."""
    running = load(settings.folder)
    if running is not None and is_well(running):
        raise StartError(f"a local cloud is up at {running.endpoint}: take it down first")
    if running is not None:
        report("removing what is left of a local cloud that died")
        down(settings.folder)
    settings.folder.mkdir(parents=True, exist_ok=True)
    try:
        state = _start(settings, report)
        create_networks(state)
        if settings.assembly is not None:
            report("deploying")
            state = state.model_copy(update={"outputs": deploy(state, settings.assembly)})
            save(state)
    except BaseException:
        down(settings.folder)
        raise
    report(f"up at {state.endpoint}")
    return state


def _start(settings: CloudSettings, report: Report) -> CloudState:
    port = port_or_free(settings.port)
    simulations = simulations_of(settings)
    simulators = {simulation.scope: simulation.url for simulation in simulations}
    mgn_urls = {str(scope): url for scope, url in simulators.items()}
    report("starting the AWS engine")
    state = CloudState(
        endpoint=f"http://127.0.0.1:{port}",
        simulators=simulators,
        auth=settings.auth,
        folder=settings.folder,
        processes=(start_engine(settings, port, mgn_urls),),
    )
    save(state)
    for simulation in simulations:
        report(f"starting the MGN simulator of {in_words(simulation.scope)}")
        simulator = start_simulator(settings, simulation, state)
        state = state.model_copy(update={"processes": (*state.processes, simulator)})
        save(state)
    return state


def down(folder: Path = FOLDER, report: Report = _silent) -> bool:
    """Stop the local cloud of this folder and remove its temporary files; False when there was none."""
    state = load(folder)
    if state is not None:
        report("stopping")
        processes.stop(state.processes)
        state_file(folder).unlink(missing_ok=True)
    shutil.rmtree(temporary_folder(folder), ignore_errors=True)
    return state is not None
