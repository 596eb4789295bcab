"""sweep: with every event lost, truth alone brings each migration on (I10)."""

from datetime import timedelta

import pytest

from runtime.errors import ServiceUnavailableError, TargetAccountError
from runtime.logic.sweeping import sweep
from runtime.models.record import Outcome
from runtime.models.status import MigrationStatus
from tests.builders import JOB_ID, NOON, TARGET_SCOPE, a_job, a_server, a_wait
from tests.fakes import FakeMgn, FakePorts, FakeResumer
from tests.unit.runtime.stages import EXECUTION, a_world, accepted, bring_to, finish_jobs, the_record


def test_i10_launch_whose_every_event_was_lost_is_resumed_by_the_sweep() -> None:
    ports = bring_to("test-launching")
    assert sweep(ports) == (1, 0, 0, 0)
    finish_jobs(ports)
    assert sweep(ports) == (1, 1, 0, 0)
    assert ports.resumer.resumed["launch-test"].error is None
    assert sweep(ports) == (0, 0, 0, 0)


def test_i1_accepted_migration_that_never_began_is_started_again() -> None:
    ports = a_world()
    accepted(ports)
    ports.bus.published.clear()
    ports.advance(121)
    assert sweep(ports).restarted == 1
    assert ports.bus.types() == ["MigrationRequested"]


def test_migration_accepted_a_moment_ago_is_left_alone() -> None:
    ports = a_world()
    accepted(ports)
    ports.advance(60)
    assert sweep(ports).restarted == 0


def test_waits_of_another_account_or_region_are_not_looked_at() -> None:
    ports = bring_to("test-launching")
    ports.store.park(a_wait(migration_id="mig-2", scope="444455556666#eu-west-1"))
    assert sweep(ports).waiting == 1


def two_accounts() -> FakePorts:
    """One launch waits in each of two accounts, under the same server and job id; both have ended."""
    ports = FakePorts(FakeMgn(a_server()), targets=(TARGET_SCOPE,))
    ports.at(TARGET_SCOPE).mgn.add(a_server())
    for migration_id, there, end in (("mig-1", ports, "LAUNCHED"), ("mig-2", ports.at(TARGET_SCOPE), "FAILED")):
        there.mgn.started.append(a_job(launch_status=end))
        ports.store.park(a_wait(migration_id=migration_id, scope=there.scope, job_id=JOB_ID, token=migration_id))
    return ports


def test_each_account_is_judged_by_its_own_mgn() -> None:
    ports = two_accounts()
    assert sweep(ports) == (2, 2, 0, 0)
    assert {token: outcome.error for token, outcome in ports.resumer.resumed.items()} == {
        "mig-1": None,
        "mig-2": "LaunchFailedError",
    }


def test_account_that_refuses_its_role_holds_up_no_other() -> None:
    ports = two_accounts()
    ports.at(TARGET_SCOPE).mgn.failures["servers"] = [TargetAccountError("refused")]
    with pytest.raises(TargetAccountError):
        sweep(ports)
    assert list(ports.resumer.resumed) == ["mig-1"]


def test_i7_wait_in_an_account_that_refuses_its_role_ends_at_its_deadline() -> None:
    ports = two_accounts()
    ports.at(TARGET_SCOPE).mgn.failures["servers"] = [TargetAccountError("refused")]
    ports.advance(2 * 3_600)
    with pytest.raises(TargetAccountError):
        sweep(ports)
    assert ports.resumer.resumed["mig-2"].error == "TargetAccountError"


class _Poisoned(FakeResumer):
    def resume(self, token: str, outcome: Outcome) -> bool:
        raise ServiceUnavailableError("Step Functions is down")


def test_i1_wait_that_cannot_be_resumed_does_not_keep_forgotten_migrations_from_starting() -> None:
    ports = a_world()
    accepted(ports)
    ports.bus.published.clear()
    ports.advance(121)
    ports.store.park(a_wait(migration_id="mig-2", deadline=NOON - timedelta(hours=1)))
    ports.resumer = _Poisoned()
    with pytest.raises(ServiceUnavailableError):
        sweep(ports)
    assert ports.bus.types() == ["MigrationRequested"]


def test_empty_world_is_swept_without_a_call_to_mgn(ports: FakePorts) -> None:
    assert sweep(ports) == (0, 0, 0, 0)
    assert ports.mgn.calls == []


def sweep_for_a_quarter_of_an_hour(ports: FakePorts) -> int:
    frozen = 0
    for _ in range(15):
        ports.advance(60)
        frozen += sweep(ports).frozen
    return frozen


def test_i7_migration_whose_execution_died_unheard_freezes_once() -> None:
    ports = bring_to("test-launched")
    ports.resumer.ended_executions.add(EXECUTION)
    assert sweep_for_a_quarter_of_an_hour(ports) == 0
    ports.advance(3_600)
    assert sweep_for_a_quarter_of_an_hour(ports) == 1
    assert the_record(ports).status is MigrationStatus.FROZEN
    assert sweep_for_a_quarter_of_an_hour(ports) == 0


@pytest.mark.parametrize("stage", ["test-launched", "test-launching"])
def test_migration_whose_execution_runs_or_that_waits_is_no_orphan(stage: str) -> None:
    ports = bring_to(stage)
    if stage == "test-launching":
        ports.resumer.ended_executions.add(EXECUTION)
    ports.advance(3_600)
    assert sweep_for_a_quarter_of_an_hour(ports) == 0


def test_i7_wait_that_cannot_be_resumed_does_not_keep_orphans_from_being_found() -> None:
    ports = bring_to("test-launched")
    ports.store.park(a_wait(migration_id="mig-2", deadline=NOON - timedelta(hours=1)))
    ports.resumer = _Poisoned(ended_executions={EXECUTION})
    ports.advance(3_600)
    for _ in range(15):
        ports.advance(60)
        with pytest.raises(ServiceUnavailableError):
            sweep(ports)
    assert the_record(ports).status is MigrationStatus.FROZEN
