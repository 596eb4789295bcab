"""prepare_source: wait until launchable, then bring server and settings to a phase."""

import pytest

from runtime.errors import (
    CheckFailedError,
    CheckPendingError,
    DriftError,
    IllegalMoveError,
    LaunchSettingsError,
    SourceServerGoneError,
    SourceServerStateError,
)
from runtime.logic.dispatch.looking import look
from runtime.logic.steps.prepare_source import await_replication, prepare_launch
from runtime.models.functions.steps import PrepareSource
from runtime.models.mgn import CommandStatus, SourceServer
from runtime.models.request import Phase
from tests.builders import NOON, SECURITY_GROUP_ID, SERVER_ID, SUBNET_ID, a_server
from tests.fakes import FakePorts
from tests.unit.runtime.stages import (
    SOURCE_NODE,
    a_step,
    a_world,
    assert_as_before,
    bring_to,
    the_record,
    the_server,
    undo_until_done,
    waits_of,
)

COMMAND = {"instance_id": SOURCE_NODE, "document": "Quiesce", "parameters": {"wait": ["1"]}}


def prepare(ports: FakePorts, phase: Phase) -> None:
    prepare_launch(a_step(PrepareSource, phase=phase), phase, ports)


def test_launchable_server_passes_at_the_first_look() -> None:
    ports = bring_to("replicating")
    assert ports.resumer.resumed["replication"].error is None


def test_server_still_syncing_is_waited_for_until_it_is_launchable() -> None:
    ports = bring_to("replicating", a_world(a_server(state="NOT_READY", replication="INITIAL_SYNC", lag=None)))
    (wait,) = waits_of(ports)
    assert (wait.deadline - NOON).days == 14
    ports.mgn.add(a_server())
    assert look(ports).resumed == 1


def test_step_retried_later_does_not_prolong_its_wait() -> None:
    ports = bring_to("replicating", a_world(a_server(state="NOT_READY")))
    ports.advance(3_600)
    await_replication(a_step(PrepareSource, task_token="second"), "second", ports)
    (wait,) = waits_of(ports)
    assert ((wait.deadline - NOON).days, ports.token_of(wait)) == (14, "second")


@pytest.mark.parametrize(
    ("state", "phase", "becomes"),
    [
        ("READY_FOR_TEST", Phase.TEST, "READY_FOR_TEST"),
        ("READY_FOR_CUTOVER", Phase.TEST, "READY_FOR_TEST"),
        ("READY_FOR_TEST", Phase.CUTOVER, "READY_FOR_CUTOVER"),
        ("TESTING", Phase.CUTOVER, "READY_FOR_CUTOVER"),
        ("READY_FOR_CUTOVER", Phase.CUTOVER, "READY_FOR_CUTOVER"),
    ],
)
def test_lifecycle_is_brought_to_the_phase(state: str, phase: Phase, becomes: str) -> None:
    ports = bring_to("replicating")
    ports.mgn.add(a_server(state=state))
    prepare(ports, phase)
    assert the_server(ports).state == becomes


@pytest.mark.parametrize(
    ("state", "phase"),
    [("TESTING", Phase.TEST), ("CUTTING_OVER", Phase.CUTOVER), ("CUTOVER", Phase.CUTOVER), ("NOT_READY", Phase.TEST)],
)
def test_lifecycle_that_does_not_allow_the_phase_is_drift(state: str, phase: Phase) -> None:
    ports = bring_to("replicating")
    ports.mgn.add(a_server(state=state))
    with pytest.raises(DriftError, match=f"is {state}; a {phase} launch"):
        prepare(ports, phase)


def test_template_before_the_migration_is_remembered_once_and_the_new_one_is_the_default() -> None:
    ports = bring_to("cutover-prepared", instance_type="t3.micro")
    remembered = the_record(ports).launch_template
    assert remembered is not None
    assert remembered.default_version == 1
    assert ports.launch_settings.settings(SERVER_ID)["instance_type"] == "t3.micro"


def test_cutover_without_a_network_of_its_own_leaves_that_of_the_test() -> None:
    network = {"test_subnet_id": SUBNET_ID, "test_security_group_ids": [SECURITY_GROUP_ID]}
    ports = bring_to("test-prepared", subnet_id=None, security_group_ids=None, launch=network)
    assert ports.launch_settings.settings(SERVER_ID)["subnet"] == SUBNET_ID
    prepare(ports, Phase.CUTOVER)
    assert not {"subnet", "groups"} & set(ports.launch_settings.settings(SERVER_ID))


def test_step_run_again_makes_no_second_template_version() -> None:
    ports = bring_to("test-prepared")
    prepare(ports, Phase.TEST)
    assert len(ports.launch_settings.versions[SERVER_ID]) == 2


def test_server_deleted_meanwhile_is_gone() -> None:
    ports = bring_to("replicating")
    ports.mgn.by_id.clear()
    with pytest.raises(SourceServerGoneError, match="not in MGN any more"):
        prepare(ports, Phase.TEST)


def test_migration_that_was_never_validated_has_no_server() -> None:
    ports = bring_to("replicating")
    ports.migrations.records["mig-1"] = the_record(ports).model_copy(update={"source_server_id": None})
    with pytest.raises(SourceServerGoneError, match="no source server yet"):
        prepare(ports, Phase.TEST)


def test_pre_migration_command_runs_once_before_anything_changes() -> None:
    ports = bring_to("replicating", pre_migration_command=COMMAND)
    ports.commands.outcome = CommandStatus(status="InProgress")
    for _ in range(3):
        with pytest.raises(CheckPendingError, match="Quiesce on mi-11111111 is InProgress"):
            prepare(ports, Phase.TEST)
    assert "change_lifecycle" not in ports.mgn.calls
    ports.commands.outcome = CommandStatus(status="Success")
    prepare(ports, Phase.TEST)
    prepare(ports, Phase.CUTOVER)
    assert ports.commands.sent == [("mi-11111111", "Quiesce", {"wait": ["1"]})]


def test_pre_migration_command_that_fails_ends_the_attempt() -> None:
    ports = bring_to("replicating", pre_migration_command=COMMAND)
    ports.commands.outcome = CommandStatus(status="TimedOut", detail="no answer")
    with pytest.raises(CheckFailedError, match="Quiesce ended TimedOut"):
        prepare(ports, Phase.TEST)


def test_server_that_is_to_stay_stopped_ends_before_its_launch_and_not_after_an_hour() -> None:
    ports = bring_to("replicating")
    ports.launch_settings.stopped.add(SERVER_ID)
    with pytest.raises(LaunchSettingsError):
        prepare(ports, Phase.TEST)
    assert not waits_of(ports)


def test_change_that_is_refused_because_an_earlier_try_was_made_after_all_is_no_failure() -> None:
    ports = bring_to("replicating", a_world(a_server(state="READY_FOR_CUTOVER")))
    change = ports.mgn.change_lifecycle

    def overtaken(source_server_id: str, state: str) -> SourceServer:
        change(source_server_id, state)
        return change(source_server_id, state)

    ports.mgn.change_lifecycle = overtaken  # type: ignore[method-assign]
    prepare(ports, Phase.TEST)
    assert the_server(ports).state == "READY_FOR_TEST"


def test_change_that_is_refused_for_good_ends_the_attempt() -> None:
    ports = bring_to("replicating", a_world(a_server(state="READY_FOR_CUTOVER")))
    ports.mgn.failures["change_lifecycle"] = [SourceServerStateError("ConflictException")]
    with pytest.raises(SourceServerStateError):
        prepare(ports, Phase.TEST)


@pytest.mark.parametrize("phase", Phase)
def test_try_that_comes_late_changes_nothing_that_was_undone(phase: Phase) -> None:
    ports = bring_to(f"{phase}-prepared")
    undo_until_done(ports)
    with pytest.raises(IllegalMoveError, match="is ROLLED_BACK"):
        prepare(ports, phase)
    assert_as_before(ports)
