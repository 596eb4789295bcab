"""`migrate callback-key`."""

import pytest

from runtime.adapters.messages.signatures import receiver_key
from tests.cli.deployed_stage import SECRET, Stage, run

URL = "https://cmdb.example.com/hooks/migrations?team=9"
KEY = receiver_key(SECRET, URL)


def test_key_of_a_receiver_is_printed_alone(stage: Stage) -> None:
    ran = run("callback-key", URL)
    assert (ran.code, ran.out) == (0, f"{KEY}\n")


def test_key_is_printed_as_json_with_the_receiver_it_is_for(stage: Stage) -> None:
    assert run("callback-key", URL, "--json").json == {"receiver": "https://cmdb.example.com", "key": KEY}


@pytest.mark.parametrize("url", ["cmdb.example.com", "ftp://cmdb.example.com", "https://cmdb.example.com:99999/"])
def test_what_is_no_web_address_is_refused_saying_how_one_looks(stage: Stage, url: str) -> None:
    ran = run("callback-key", url)
    assert ran.code == 2
    assert "https://cmdb.example.com/hooks" in ran.err
