"""The fakes fit the ports they stand for, and their clock and ids move only as told."""

from datetime import timedelta

from runtime.logic.ports import Ports
from tests.builders import NOON, a_server, server_id
from tests.fakes import CountedIds, FakeMgn, FakePorts, SetClock


def test_fake_ports_are_ports() -> None:
    ports: Ports = FakePorts(FakeMgn(a_server(server_id(1))))
    assert ports.now() == NOON
    assert ports.launch_settings.current(server_id(1)).default_version == 1


def test_time_passes_for_pipeline_and_mgn_alike() -> None:
    ports = FakePorts()
    ports.advance(60)
    assert ports.now() == ports.mgn.now == NOON + timedelta(seconds=60)


def test_clock_and_ids_are_told() -> None:
    now, new_id = SetClock(), CountedIds()
    assert now() == now() == NOON
    assert [new_id(), new_id()] == [f"{1:032x}", f"{2:032x}"]
