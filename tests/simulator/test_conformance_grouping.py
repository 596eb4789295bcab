"""Applications and waves."""

from typing import Any

import pytest


def shop(world: Any) -> tuple[str, str]:
    """An application with all servers, in a wave."""
    application = world.mgn.create_application(name="shop", tags={"a": "b"})["applicationID"]
    wave = world.mgn.create_wave(name="wave 1", description="first")["waveID"]
    world.mgn.associate_source_servers(applicationID=application, sourceServerIDs=world.ids)
    world.mgn.associate_applications(waveID=wave, applicationIDs=[application])
    return application, wave


def test_wave_leads_to_applications_and_they_to_servers(simulate: Any) -> None:
    """§grouping [model]: no wave id on the server; list applications of a wave, then their servers."""
    world = simulate()
    application, wave = shop(world)
    found = world.mgn.list_applications(filters={"waveIDs": [wave]})["items"]
    assert [(item["applicationID"], item["waveID"]) for item in found] == [(application, wave)]
    servers = world.mgn.describe_source_servers(filters={"applicationIDs": [application]})["items"]
    assert [server["sourceServerID"] for server in servers] == world.ids


def test_status_is_summed_up(simulate: Any) -> None:
    """§grouping [docs UG/applications-list]: progress of all, health of the worst."""
    world = simulate("READY_FOR_TEST", "CUTOVER", faults=[{"kind": "replication", "after_seconds": 10}])
    shop(world)
    status = world.mgn.list_applications()["items"][0]["applicationAggregatedStatus"]
    assert (status["healthStatus"], status["progressStatus"], status["totalSourceServers"]) == (
        "HEALTHY",
        "IN_PROGRESS",
        2,
    )
    world.simulator.advance(11)
    status = world.mgn.list_waves()["items"][0]["waveAggregatedStatus"]
    assert (status["healthStatus"], status["totalApplications"]) == ("ERROR", 1)
    assert "replicationStartedDateTime" in status


@pytest.mark.parametrize(("state", "progress"), [("CUTOVER", "COMPLETED"), ("STOPPED", "NOT_STARTED")])
def test_progress_ends_when_all_are_cut_over(simulate: Any, state: str, progress: str) -> None:
    """§grouping [docs UG/applications-list]: COMPLETED means all, NOT_STARTED that none replicates."""
    world = simulate(state, state)
    shop(world)
    assert world.mgn.list_applications()["items"][0]["applicationAggregatedStatus"]["progressStatus"] == progress


def test_lagging_server_makes_its_application_lag(simulate: Any) -> None:
    """§grouping [docs UG/applications-list]: stalled, then lagging, then healthy."""
    world = simulate("READY_FOR_TEST")
    shop(world)
    world.mgn.pause_replication(sourceServerID=world.ids[0])
    world.simulator.advance(60)
    assert world.mgn.list_waves()["items"][0]["waveAggregatedStatus"]["healthStatus"] == "LAGGING"


def test_server_belongs_to_one_application(simulate: Any, refused: Any) -> None:
    """§grouping [model]: applicationID is scalar."""
    world = simulate()
    shop(world)
    other = world.mgn.create_application(name="other")["applicationID"]
    call = {"applicationID": other, "sourceServerIDs": world.ids[:1]}
    refused(world.mgn.associate_source_servers, call, "ConflictException", "belongs to another application")


def test_groups_are_left_again(simulate: Any, refused: Any) -> None:
    """§grouping [model]: Disassociate, and Delete of what is empty."""
    world = simulate()
    application, wave = shop(world)
    refused(world.mgn.delete_application, {"applicationID": application}, "ConflictException", "is not empty")
    refused(world.mgn.delete_wave, {"waveID": wave}, "ConflictException", "is not empty")
    world.mgn.disassociate_source_servers(applicationID=application, sourceServerIDs=world.ids)
    world.mgn.disassociate_applications(waveID=wave, applicationIDs=[application])
    world.mgn.delete_application(applicationID=application)
    world.mgn.delete_wave(waveID=wave)
    assert world.mgn.list_applications()["items"] == []


def test_refused_disassociation_changes_nothing(simulate: Any, refused: Any) -> None:
    """§grouping [model]: an operation is performed or refused."""
    world = simulate()
    application, wave = shop(world)
    other = world.mgn.create_application(name="other")["applicationID"]
    stranger = world.simulator.account.install("stranger", "").server_id
    asked = {"applicationID": application, "sourceServerIDs": [*world.ids[:1], stranger]}
    refused(world.mgn.disassociate_source_servers, asked, "ResourceNotFoundException")
    refused(
        world.mgn.disassociate_applications,
        {"waveID": wave, "applicationIDs": [application, other]},
        "ResourceNotFoundException",
    )
    assert world.server(world.ids[0])["applicationID"] == application
    assert world.mgn.list_applications(filters={"applicationIDs": [application]})["items"][0]["waveID"] == wave


def test_groups_are_updated_and_archived(simulate: Any, refused: Any) -> None:
    """§grouping [model]: Update, Archive, Unarchive."""
    world = simulate()
    application, wave = shop(world)
    assert world.mgn.update_application(applicationID=application, name="store")["name"] == "store"
    assert world.mgn.update_wave(waveID=wave, description="d")["description"] == "d"
    assert world.mgn.archive_wave(waveID=wave)["isArchived"] is True
    refused(world.mgn.archive_wave, {"waveID": wave}, "ConflictException", "is archived already")
    assert world.mgn.list_waves(filters={"isArchived": False})["items"] == []
    assert world.mgn.unarchive_wave(waveID=wave)["isArchived"] is False


@pytest.mark.parametrize(
    ("quotas", "operation", "call"),
    [
        ({"active_applications": 1}, "create_application", {"name": "second"}),
        ({"servers_per_application": 3}, "associate_source_servers", {"sourceServerIDs": "LAST"}),
        ({"archived_applications": 1}, "archive_application", {}),
    ],
)
def test_grouping_quotas_are_402(simulate: Any, refused: Any, quotas: Any, operation: str, call: Any) -> None:
    """§quotas [docs GR-mgn]: 200 servers an application, 200 active applications, 10,000 archived."""
    world = simulate(*("READY_FOR_TEST",) * 4, quotas=quotas)
    first = world.mgn.create_application(name="first")["applicationID"]
    if operation != "create_application":
        call = {"applicationID": first, **call}
    if operation == "archive_application":
        world.mgn.archive_application(applicationID=first)
        call["applicationID"] = world.mgn.create_application(name="b")["applicationID"]
    if operation == "associate_source_servers":
        call["sourceServerIDs"] = world.ids
    error = refused(getattr(world.mgn, operation), call, "ServiceQuotaExceededException")
    assert error["quotaValue"] == next(iter(quotas.values()))


def test_default_grouping_quotas_are_the_published_ones(simulate: Any) -> None:
    """§quotas [docs GR-mgn]: the published numbers."""
    quotas = simulate().simulator.account.quotas
    assert (quotas.servers_per_application, quotas.applications_per_wave) == (200, 1000)
    assert (quotas.active_applications, quotas.active_waves) == (200, 200)
    assert (quotas.archived_applications, quotas.unarchived_servers, quotas.actions_per_owner) == (10_000, 4_000, 100)
