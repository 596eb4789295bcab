"""sweep: with every event lost, truth alone brings each migration on (I10)."""

from datetime import timedelta

import pytest

from runtime.errors import ServiceUnavailableError
from runtime.logic.sweeping import sweep
from runtime.models.record import Outcome
from tests.builders import NOON, a_wait
from tests.fakes import FakePorts, FakeResumer
from tests.unit.runtime.stages import a_world, accepted, bring_to, finish_jobs


def test_i10_launch_whose_every_event_was_lost_is_resumed_by_the_sweep() -> None:
    ports = bring_to("test-launching")
    assert sweep(ports) == (1, 0, 0)
    finish_jobs(ports)
    assert sweep(ports) == (1, 1, 0)
    assert ports.resumer.resumed["launch-test"].error is None
    assert sweep(ports) == (0, 0, 0)


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
    assert sweep(ports) == (0, 0, 0)
    assert ports.mgn.calls == []
