"""What is read and asked grows with the number of migrations, not with its square; looks end in time (I12)."""

import pytest

from runtime.models.functions.catalogue import DISPATCH_LAUNCHES
from runtime.models.status import MigrationStatus
from tests.pipeline.growth import at_once_where_calls_take_time, exponent, migrate


def test_lone_migration_asks_mgn_forty_times_at_most() -> None:
    assert migrate(1).describes <= 40


def test_what_is_read_and_asked_grows_with_the_number_of_migrations() -> None:
    grown = [migrate(servers) for servers in (50, 200)]
    assert exponent([(each.migrations, each.rows) for each in grown]) <= 1.1
    assert exponent([(each.migrations, each.describes) for each in grown]) <= 1.1


def test_i12_crowd_ends_right_and_no_look_outlasts_its_function_where_calls_take_time() -> None:
    world = at_once_where_calls_take_time(300)
    assert {record.status for record in world.migrations.records.values()} == {MigrationStatus.COMPLETED}
    assert max(world.longest.values()) < DISPATCH_LAUNCHES.timeout.total_seconds()
    assert world.use_while_more_wait() >= 0.95


def test_exponent_is_the_slope_between_logarithms() -> None:
    assert exponent([(1, 5), (10, 50), (100, 500)]) == pytest.approx(1)
    assert exponent([(1, 5), (10, 500), (100, 50_000)]) == pytest.approx(2)
