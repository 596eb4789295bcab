"""Steps of one migration through the handlers, as the state machine calls them."""

from collections.abc import Callable
from typing import Any

from runtime.handlers import (
    ingress_handler,
    prepare_source,
    signal_handler,
    sweep,
    trigger_migration,
    validate_input,
    verify_migration,
)
from runtime.models.record import MigrationRecord
from tests.integration.cloud import Cloud, sqs_event


def record_of(cloud: Cloud) -> MigrationRecord:
    record = cloud.state.migrations.record("mig-1")
    assert record is not None
    return record


def submitted(cloud: Cloud, **changes: Any) -> None:
    cloud.invoke(ingress_handler.handler, sqs_event(cloud.message(**changes)))


def validated(cloud: Cloud, **changes: Any) -> dict[str, Any]:
    submitted(cloud, **changes)
    return cloud.step(validate_input.handler)


def looked(cloud: Cloud) -> None:
    """The sweep has everything looked at."""
    cloud.invoke(sweep.handler, {})
    cloud.dispatch()


def swept(cloud: Cloud) -> None:
    """MGN ends what it works on, and the sweep has it looked at."""
    cloud.simulator.finish_jobs()
    cloud.simulator.advance(600)
    looked(cloud)


def _replicated(cloud: Cloud) -> None:
    cloud.park(prepare_source.handler, taskToken="replication")


def _launched(phase: str) -> Callable[[Cloud], None]:
    def launch(cloud: Cloud) -> None:
        cloud.step(prepare_source.handler, phase=phase)
        if phase == "cutover":
            cloud.park(signal_handler.handler, kind="window", taskToken="window")
        cloud.park(trigger_migration.handler, phase=phase, taskToken=f"launch-{phase}")

    return launch


def _booted(phase: str) -> Callable[[Cloud], None]:
    def boot(cloud: Cloud) -> None:
        swept(cloud)
        cloud.park(verify_migration.handler, phase=phase, taskToken=f"boot-{phase}")
        swept(cloud)

    return boot


def _verified(phase: str) -> Callable[[Cloud], None]:
    def verify(cloud: Cloud) -> None:
        cloud.step(verify_migration.handler, phase=phase)

    return verify


STAGES: dict[str, Callable[[Cloud], None]] = {
    "replicated": _replicated,
    "test-launched": _launched("test"),
    "test-booted": _booted("test"),
    "test-verified": _verified("test"),
    "cutover-launched": _launched("cutover"),
    "cutover-booted": _booted("cutover"),
    "cutover-verified": _verified("cutover"),
}


def bring_to(stage: str, cloud: Cloud, **changes: Any) -> None:
    """A migration that has just passed `stage`."""
    validated(cloud, **changes)
    for name, act in STAGES.items():
        if not (name.startswith("test-") and changes.get("test") is False):
            act(cloud)
        if name == stage:
            return
    raise KeyError(stage)
