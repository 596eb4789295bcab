"""Which server a request means, and how MGN's durations are read."""

import pytest

from runtime.logic.lookups.matching import matching_servers
from runtime.logic.lookups.readiness import is_gone, lag_seconds
from runtime.models.mgn import Inventory
from tests.builders import OTHER_SERVER_ID, SERVER_ID, a_request, a_server

HINTS = {
    "identificationHints": {
        "hostname": "web-01",
        "fqdn": "web-01.corp.example.com",
        "vmWareUuid": "564D-ABCD",
        "awsInstanceID": "i-0123456789abcdef0",
    }
}


@pytest.mark.parametrize(
    "name",
    [
        SERVER_ID,
        "owner-17",
        "web-01",
        "WEB-01",
        "web-01.corp.example.com",
        "564d-abcd",
        "i-0123456789abcdef0",
    ],
)
def test_server_is_found_by_each_of_its_names(name: str) -> None:
    server = a_server(user_provided_id="owner-17", source_properties=HINTS)
    found = matching_servers(
        a_request(source_vm_id=name), Inventory([server, a_server(OTHER_SERVER_ID, hostname="other")])
    )
    assert [match.source_server_id for match in found] == [SERVER_ID]


def test_name_that_is_only_part_of_a_servers_name_matches_nothing() -> None:
    assert matching_servers(a_request(source_vm_id="billing-web"), Inventory([a_server()])) == ()


def test_server_id_in_the_request_is_the_only_name_that_counts() -> None:
    request = a_request(source_server_id=OTHER_SERVER_ID)
    found = matching_servers(request, Inventory([a_server(), a_server(OTHER_SERVER_ID, hostname="other")]))
    assert [match.source_server_id for match in found] == [OTHER_SERVER_ID]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("P0D", 0.0), ("PT0S", 0.0), ("PT10M", 600.0), ("PT16H20M38.697305S", 58_838.697305), (None, None), ("", None)],
)
def test_lag_is_read_from_iso_durations(text: str | None, seconds: float | None) -> None:
    assert lag_seconds(text) == seconds


def test_server_mgn_does_not_have_is_gone() -> None:
    assert is_gone(None)
