"""Bad files are refused with line, field, value and fix, and nothing of them is sent."""

import json
from pathlib import Path

import pytest

from cli.exits import InvalidError
from cli.request_file import MAX_FILE_BYTES, raw_messages, read_text, valid_messages
from tests.cli.deployed_stage import a_message, run


def faults(text: str) -> str:
    with pytest.raises(InvalidError) as refused:
        valid_messages(text)
    return str(refused.value)


def test_one_request_a_list_and_json_lines_are_the_same() -> None:
    requests = [a_message("mig-1"), a_message("mig-2")]
    lines = "\n".join(json.dumps(request) for request in requests)
    as_list = [message.request for message in valid_messages(json.dumps(requests, indent=2))]
    assert as_list == [message.request for message in valid_messages(lines)]
    assert as_list[:1] == [message.request for message in valid_messages(json.dumps(requests[0]))]


def test_the_body_is_sent_as_it_stands_in_the_file() -> None:
    body = json.dumps(a_message(), indent=3)
    assert [message.body for message in valid_messages(f"[\n{body}\n]")] == [body]


def test_a_missing_field_names_the_line_its_request_starts_on() -> None:
    incomplete = a_message("mig-2")
    del incomplete["appName"]
    text = "\n".join([json.dumps(a_message("mig-1")), "", json.dumps(incomplete)])
    assert "line 3: appName: required and missing; add it" in faults(text)


def test_a_wrong_value_names_its_own_line_the_value_and_what_is_expected() -> None:
    text = json.dumps([a_message("mig-1"), a_message("mig-2", subnetId="subnet-x")], indent=1)
    line = 1 + text[: text.index('"subnet-x"')].count("\n")
    found = faults(text)
    assert f"line {line}: subnetId: " in found
    assert "'subnet-x'" in found
    assert "^subnet-" in found


def test_a_wrong_value_inside_a_list_names_its_own_line() -> None:
    checks = [{"type": "tcp", "port": 22}, {"type": "tcp", "port": 99_999}]
    text = json.dumps(a_message(checks=checks), indent=1)
    line = 1 + text[: text.index("99999")].count("\n")
    assert f"line {line}: checks.1.tcp.port: " in faults(text)


def test_every_fault_of_every_request_is_reported() -> None:
    text = "\n".join(json.dumps(a_message(f"mig-{n}", wave=None, source="")) for n in range(3))
    assert faults(text).count("line ") == 6


def test_an_unknown_field_gets_the_name_it_may_have_meant() -> None:
    found = faults(json.dumps(a_message(callbackURL="https://example.com")))
    assert "callbackURL: unknown field" in found
    assert "did you mean callbackUrl?" in found


def test_a_rule_between_fields_is_reported() -> None:
    assert "test: false contradicts mode: test" in faults(json.dumps(a_message(mode="test", test=False)))


def test_a_repeated_id_names_both_lines() -> None:
    text = "\n".join([json.dumps(a_message()), json.dumps(a_message(wave=2))])
    assert "line 2: migrationId: 'mig-1' is on line 1 already" in faults(text)


def test_a_repeated_id_is_refused_on_one_line_too_and_when_nothing_would_be_sent() -> None:
    ran = run("submit", "-", "--dry-run", stdin=json.dumps([a_message(), a_message()]))
    assert ran.code == 3
    assert "line 1: migrationId: 'mig-1' is on line 1 already; give each request its own" in ran.err


def test_a_member_that_stands_there_twice_names_its_line() -> None:
    text = json.dumps(a_message(), indent=1).replace('"appName"', '"wave": 2,\n"appName"')
    assert "line 3: wave: stands there more than once; keep one of them" in faults(text)


def test_a_name_in_snake_case_gets_the_one_it_is_written_with() -> None:
    found = faults(json.dumps(a_message(callback_url="https://example.com")))
    assert "callback_url: unknown field; remove it or correct its name, callbackUrl for example" in found
    assert "did you mean" not in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "line 1: column 2: not JSON"),
        ('{"migrationId": "a"}\n{"migrationId": }', "line 2: column 17: not JSON"),
        ('[{"a": 1} {"b": 2}]', "line 1: column 11: not JSON (a comma or ] is missing)"),
        ('[{"a": 1},\n]', "not JSON (a comma before the closing bracket)"),
        ('{"a": 1},\n{"b": 2}', "put several requests in a list, or each on its own line"),
        ("migrate everything", "line 1: column 1: not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("5", "line 1: body: "),
        ('"{}"', "line 1: body: "),
        ("", "there is no request in it"),
        ("[]", "there is no request in it"),
        (" \n\t\r\n", "there is no request in it"),
    ],
    ids=lambda value: value[:12],
)
def test_what_is_no_request_is_refused(text: str, expected: str) -> None:
    assert expected in faults(text)


def test_a_request_that_is_too_large_is_refused() -> None:
    assert "bytes; at most 65536 are accepted" in faults(json.dumps(a_message(tags={"a": "b" * 70_000})))


def test_the_report_of_many_faults_ends() -> None:
    found = faults("\n".join('{"a": 1}' for _ in range(500)))
    assert len(found.splitlines()) < 50
    assert " more" in found.splitlines()[-1]


@pytest.mark.parametrize("data", [b"\x00\xff\xfe binary", "{}".encode("utf-16")])
def test_binary_is_refused(folder: Path, data: bytes) -> None:
    (folder / "requests").write_bytes(data)
    with pytest.raises(InvalidError, match="line 1: not UTF-8 text"):
        read_text("requests")


def test_a_byte_order_mark_is_no_part_of_the_request(folder: Path) -> None:
    (folder / "requests").write_text(json.dumps(a_message()), encoding="utf-8-sig")
    assert valid_messages(read_text("requests"))


def test_a_huge_file_is_refused_unread(folder: Path) -> None:
    with (folder / "huge").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(InvalidError, match="larger than 64 MiB: send it in several files"):
        read_text("huge")


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_what_cannot_be_read_is_refused(name: str) -> None:
    with pytest.raises(InvalidError, match="cannot be read"):
        read_text(name)


def test_raw_text_is_sent_line_by_line_unless_it_is_json() -> None:
    assert [message.body for message in raw_messages('{"a": 1}\n\nnot json')] == ['{"a": 1}', "not json"]
    assert [message.body for message in raw_messages('[{"a": 1}, 2]')] == ['{"a": 1}', "2"]


def test_faults_end_the_command_with_3_before_anything_is_looked_up() -> None:
    ran = run("submit", "-", stdin="{}")
    assert ran.code == 3
    assert "nothing was sent" in ran.err
    assert ran.out == ""
