"""Requests from files of any format: bad ones are told with file, line, column and fix, and nothing is sent."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.exits import InvalidError, UsageError
from cli.reading.files import MAX_FILE_BYTES, read_text
from cli.reading.requests import Message, option_defaults, raw_messages, valid_messages
from tests.cli.deployed_stage import a_message, run

Write = Callable[..., str]


@pytest.fixture
def write(folder: Path) -> Write:
    """Write a file of requests; its name."""

    def write(text: str, name: str = "requests.json") -> str:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return name

    return write


@pytest.fixture
def faults(write: Write) -> Callable[..., str]:
    """What is wrong with a text."""

    def faults(text: str, name: str = "requests.json", *defaults: str) -> str:
        with pytest.raises(InvalidError) as refused:
            valid_messages([write(text, name)], option_defaults(defaults))
        return str(refused.value)

    return faults


@pytest.fixture
def messages(write: Write) -> Callable[..., list[Message]]:
    """The messages of a text."""
    return lambda text, name="requests.json", *defaults: valid_messages([write(text, name)], option_defaults(defaults))


def test_one_request_a_list_and_json_lines_are_the_same(messages: Callable[..., list[Message]]) -> None:
    requests = [a_message("mig-1"), a_message("mig-2")]
    lines = "\n".join(json.dumps(request) for request in requests)
    as_list = [message.request for message in messages(json.dumps(requests, indent=2))]
    assert as_list == [message.request for message in messages(lines)]
    assert as_list[:1] == [message.request for message in messages(json.dumps(requests[0]))]


def test_the_body_is_sent_as_it_stands_in_the_file(messages: Callable[..., list[Message]]) -> None:
    body = json.dumps(a_message(), indent=3)
    assert [message.body for message in messages(f"[\n{body}\n]")] == [body]


def test_a_missing_field_names_the_line_its_request_starts_on(faults: Callable[..., str]) -> None:
    incomplete = a_message("mig-2")
    del incomplete["appName"]
    text = "\n".join([json.dumps(a_message("mig-1")), "", json.dumps(incomplete)])
    assert "requests.json:3:1: appName: required and missing; add it" in faults(text)


def test_a_wrong_value_names_its_own_line_the_value_and_what_is_expected(faults: Callable[..., str]) -> None:
    text = json.dumps([a_message("mig-1"), a_message("mig-2", subnetId="subnet-x")], indent=1)
    line = 1 + text[: text.index('"subnet-x"')].count("\n")
    found = faults(text)
    assert f"requests.json:{line}:3: subnetId: " in found
    assert "'subnet-x'" in found
    assert "^subnet-" in found


def test_a_wrong_value_inside_a_list_names_its_own_line(faults: Callable[..., str]) -> None:
    checks = [{"type": "tcp", "port": 22}, {"type": "tcp", "port": 99_999}]
    text = json.dumps(a_message(checks=checks), indent=1)
    line = 1 + text[: text.index("99999")].count("\n")
    assert f"requests.json:{line}:4: checks.1.tcp.port: " in faults(text)


def test_every_fault_of_every_request_is_reported(faults: Callable[..., str]) -> None:
    text = "\n".join(json.dumps(a_message(f"mig-{n}", wave=None, source="")) for n in range(3))
    assert faults(text).count("requests.json:") == 6


def test_an_unknown_field_gets_the_name_it_may_have_meant(faults: Callable[..., str]) -> None:
    found = faults(json.dumps(a_message(callbackURL="https://example.com")))
    assert "callbackURL: unknown field" in found
    assert "did you mean callbackUrl?" in found


def test_a_rule_between_fields_is_reported(faults: Callable[..., str]) -> None:
    assert "test: false contradicts mode: test" in faults(json.dumps(a_message(mode="test", test=False)))


def test_a_repeated_id_names_both_lines(faults: Callable[..., str]) -> None:
    text = "\n".join([json.dumps(a_message()), json.dumps(a_message(wave=2))])
    assert "requests.json:2:1: migrationId: 'mig-1' is on line 1 already" in faults(text)


def test_a_repeated_id_is_refused_on_one_line_too_and_when_nothing_would_be_sent() -> None:
    ran = run("submit", "-", "--dry-run", stdin=json.dumps([a_message(), a_message()]))
    assert ran.code == 3
    assert "stdin:1:1: migrationId: 'mig-1' is on line 1 already; give each request its own" in ran.err


def test_a_member_that_stands_there_twice_names_its_line(faults: Callable[..., str]) -> None:
    text = json.dumps(a_message(), indent=1).replace('"appName"', '"wave": 2,\n"appName"')
    assert "requests.json:3:2: wave: stands there more than once; keep one of them" in faults(text)


def test_a_name_in_snake_case_gets_the_one_it_is_written_with(faults: Callable[..., str]) -> None:
    found = faults(json.dumps(a_message(callback_url="https://example.com")))
    assert "callback_url: unknown field; remove it or correct its name, callbackUrl for example" in found
    assert "did you mean" not in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "requests.json:1:2: not JSON"),
        ('{"migrationId": "a"}\n{"migrationId": }', "requests.json:2:17: not JSON"),
        ('[{"a": 1} {"b": 2}]', "requests.json:1:11: not JSON (a comma or ] is missing)"),
        ('[{"a": 1},\n]', "not JSON (a comma before the closing bracket)"),
        ('{"a": 1},\n{"b": 2}', "put several requests in a list, or each on its own line"),
        ("migrate everything", "requests.json:1:1: not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("5", "requests.json:1:1: body: "),
        ('"{}"', "requests.json:1:1: body: "),
        ("", "there is no request in it"),
        ("[]", "there is no request in it"),
        (" \n\t\r\n", "there is no request in it"),
    ],
    ids=lambda value: value[:12],
)
def test_what_is_no_request_is_refused(faults: Callable[..., str], text: str, expected: str) -> None:
    assert expected in faults(text)


def test_a_request_that_is_too_large_is_refused(faults: Callable[..., str]) -> None:
    assert "bytes; at most 65536 are accepted" in faults(json.dumps(a_message(tags={"a": "b" * 70_000})))


def test_the_report_of_many_faults_ends(faults: Callable[..., str]) -> None:
    found = faults("\n".join('{"a": 1}' for _ in range(500)))
    assert len(found.splitlines()) < 50
    assert " more" in found.splitlines()[-1]


@pytest.mark.parametrize("data", [b"\x00\xff\xfe binary", "{}".encode("utf-16")])
def test_binary_is_refused(folder: Path, data: bytes) -> None:
    (folder / "requests").write_bytes(data)
    with pytest.raises(InvalidError, match="requests:1: not UTF-8 text"):
        read_text("requests")


def test_a_byte_order_mark_is_no_part_of_the_request(messages: Callable[..., list[Message]], folder: Path) -> None:
    (folder / "requests").write_text(json.dumps(a_message()), encoding="utf-8-sig")
    assert messages(read_text("requests"))


def test_a_huge_file_is_refused_unread(folder: Path) -> None:
    with (folder / "huge").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(InvalidError, match="larger than 64 MiB: send it in several files"):
        read_text("huge")


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_what_cannot_be_read_is_refused(name: str) -> None:
    with pytest.raises(InvalidError, match="cannot be read"):
        read_text(name)


def test_raw_text_is_sent_line_by_line_unless_it_is_json(write: Write) -> None:
    lines, whole = write('{"a": 1}\n\nnot json', "a"), write('[{"a": 1}, 2]', "b")
    assert [message.body for message in raw_messages([lines])] == ['{"a": 1}', "not json"]
    assert [message.body for message in raw_messages([whole])] == ['{"a": 1}', "2"]


def test_faults_end_the_command_with_3_before_anything_is_looked_up() -> None:
    ran = run("submit", "-", stdin="{}")
    assert ran.code == 3
    assert "nothing was sent" in ran.err
    assert ran.out == ""


YAML = """
# a wave
defaults: &common
  appName: billing
  source: vmware
  environment: production
  wave: 7
  approval: {cutover: true}
requests:
  - migrationId: mig-1
    sourceVmId: web-1
    window: {notBefore: 2027-01-09T20:00:00Z, notAfter: 2027-01-10T04:00:00Z}
  - migrationId: mig-2
    sourceVmId: yes
    wave: 8
    approval:
      finalize: true
"""


def test_yaml_has_defaults_and_its_words_stay_words(messages: Callable[..., list[Message]]) -> None:
    first, second = (message.request for message in messages(YAML, "wave.yaml"))
    assert first is not None
    assert second is not None
    assert (first.wave, first.app_name, first.approval.cutover) == ("7", "billing", True)
    assert first.window is not None
    assert (second.wave, second.source_vm_id) == ("8", "yes")
    assert (second.approval.cutover, second.approval.finalize) == (True, True)


def test_json_has_defaults_too(messages: Callable[..., list[Message]]) -> None:
    own = {"migrationId": "mig-1", "sourceVmId": "web-1"}
    common = {name: value for name, value in a_message().items() if name not in own}
    [message] = messages(json.dumps({"defaults": common, "requests": [own]}))
    assert message.request is not None
    assert message.request.app_name == "billing"


def test_documents_of_a_yaml_stream_and_lists_are_requests(messages: Callable[..., list[Message]]) -> None:
    one = "\n".join(f"{name}: {json.dumps(value)}" for name, value in a_message("mig-1").items())
    listed = json.dumps([a_message("mig-2"), a_message("mig-3")])
    assert len(messages(f"{one}\n---\n{listed}\n", "wave.yml")) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (YAML.replace("wave: 8", "wave: []"), "wave.yaml:15:5: wave: "),
        (YAML.replace("wave: 7", "wave: [7]"), "wave.yaml:7:3: wave: "),
        (YAML.replace("finalize: true", "finalise: true"), "wave.yaml:17:7: approval.finalise: unknown field"),
        (YAML.replace("wave: 8", "sourceVmId: web-9"), "wave.yaml:15:5: sourceVmId: stands there more than once"),
        (YAML.replace("finalize: true", "finalize: yes"), "wave.yaml:17:7: approval.finalize: "),
        ("a: [1,\nb", "wave.yaml:2:2: not YAML"),
        ("a: &x [*x]", "nested too deeply"),
        ("- migrate\n- everything", "wave.yaml:1:3: body: "),
        ("", "there is no request in it"),
    ],
    ids=lambda value: value[-30:],
)
def test_what_is_wrong_in_yaml_names_line_and_column(faults: Callable[..., str], text: str, expected: str) -> None:
    assert expected in faults(text, "wave.yaml")


def test_a_default_that_is_wrong_is_told_once(faults: Callable[..., str]) -> None:
    found = faults(YAML.replace("approval: {cutover: true}", "soakSeconds: soon"), "wave.yaml")
    assert found.count("wave.yaml:8:3: soakSeconds: ") == 1


CSV = """migrationId,sourceVmId,wave,approval.cutover,soakSeconds,securityGroupIds,subnetId,tags.cost.centre,checks
mig-1,web-1,7,TRUE,60,sg-11111111111111111; sg-22222222222222222,subnet-11111111111111111,4711,CHECKS

mig-2,web-2,7,,,,,,
""".replace("CHECKS", '"[{""type"": ""tcp"", ""port"": 22}]"')
NAMES = ("appName=billing", "source=vmware", "environment=production")


def test_table_has_a_request_a_row_and_cells_are_what_their_field_takes(
    messages: Callable[..., list[Message]],
) -> None:
    first, second = (message.request for message in messages(CSV, "wave.csv", *NAMES))
    assert first is not None
    assert second is not None
    assert (first.wave, first.approval.cutover, first.soak_seconds) == ("7", True, 60)
    assert first.security_group_ids == ("sg-11111111111111111", "sg-22222222222222222")
    assert first.tags == {"cost.centre": "4711"}
    assert first.checks[0].type == "tcp"
    assert (second.approval.cutover, second.subnet_id) == (False, None)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_table_of_another_separator_is_read(messages: Callable[..., list[Message]], separator: str) -> None:
    text = "migrationId,sourceVmId,wave\nmig-1,web-1,7\n".replace(",", separator)
    assert len(messages(text, "wave.csv", *NAMES)) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CSV.replace(",60,", ",soon,"), "wave.csv:2:E: soakSeconds: "),
        (CSV.replace("subnet-1", "net-1"), "wave.csv:2:G: subnetId: "),
        (CSV.replace("wave,", "waves,"), "wave.csv:1:C: waves: no request has such a field"),
        (CSV.replace("wave,", "waves,"), "did you mean wave?"),
        (CSV.replace("mig-2,web-2", "mig-2,"), "wave.csv:4:A: sourceVmId: required and missing"),
        (CSV.replace(",,,,,,\n", ",,,,,,,x\n"), "wave.csv:4:J: there are more cells than columns"),
        (CSV.replace("mig-2", "mig-1"), "wave.csv:4:1: migrationId: 'mig-1' is on line 2 already"),
        ("migrationId,wave,wave\n1,2,3", "wave.csv:1:C: wave: the column stands there more than once"),
    ],
    ids=lambda value: value[-40:],
)
def test_what_is_wrong_in_a_table_names_line_and_column(faults: Callable[..., str], text: str, expected: str) -> None:
    assert expected in faults(text, "wave.csv", *NAMES)


MGN = """mgn:account-id,mgn:region,mgn:wave:name,mgn:app:name,mgn:server:user-provided-id,mgn:server:platform,\
mgn:launch:nic:0:subnet-id,mgn:launch:nic:0:security-group-id:0,mgn:launch:nic:0:security-group-id:1,\
mgn:launch:instance-type,mgn:launch:tag:instance:team,mgn:launch:placement:tenancy
111122223333,eu-west-1,Wave 7,billing,VM 2001,linux,subnet-11111111111111111,sg-11111111111111111,\
sg-22222222222222222,m5.large,red,default
"""


def test_mgns_own_import_file_is_read(messages: Callable[..., list[Message]]) -> None:
    [message] = messages(MGN, "import.csv", "source=vmware", "environment=production")
    assert message.request is not None
    assert message.request.model_dump(mode="json", exclude_defaults=True) == {
        "migrationId": "Wave-7-VM-2001",
        "appName": "billing",
        "source": "vmware",
        "environment": "production",
        "wave": "Wave 7",
        "sourceVmId": "VM 2001",
        "instanceType": "m5.large",
        "subnetId": "subnet-11111111111111111",
        "securityGroupIds": ["sg-11111111111111111", "sg-22222222222222222"],
        "targetAccount": "111122223333",
        "targetRegion": "eu-west-1",
        "tags": {"team": "red"},
    }


def test_a_folder_is_the_files_in_it_whose_format_is_known(write: Write) -> None:
    write(json.dumps(a_message("mig-2")), "wave/b.json")
    write(json.dumps(a_message("mig-1")), "wave/a.yaml")
    write("no request", "wave/README.md")
    assert [(message.file, message.migration_id) for message in valid_messages(["wave"])] == [
        ("wave/a.yaml", "mig-1"),
        ("wave/b.json", "mig-2"),
    ]


def test_ids_that_two_files_have_name_both(write: Write) -> None:
    names = [write(json.dumps(a_message()), name) for name in ("a.json", "b.json")]
    with pytest.raises(InvalidError, match=r"b.json:1:1: migrationId: 'mig-1' is on line 1 of a.json already"):
        valid_messages(names)


def test_a_folder_without_files_of_requests_is_refused(folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(InvalidError, match="has no file of requests"):
        valid_messages(["empty"])


@pytest.mark.parametrize("text", [json.dumps(a_message()), YAML, f"migrationId,{','.join(a_message())}\n"[12:]])
def test_the_format_of_standard_input_is_seen(text: str) -> None:
    ran = run("submit", "-", "--dry-run", stdin=text)
    assert "not JSON" not in ran.err
    assert ran.code == (0 if "mig-1" in text else 3)


def test_own_fields_win_over_the_files_defaults_and_those_over_the_options(
    messages: Callable[..., list[Message]],
) -> None:
    first, second = (message.request for message in messages(YAML, "wave.yaml", "wave=9", "soakSeconds=60"))
    assert first is not None
    assert second is not None
    assert [(each.wave, each.soak_seconds) for each in (first, second)] == [("7", 60), ("8", 60)]


def test_an_option_that_is_wrong_is_told_as_one(faults: Callable[..., str]) -> None:
    assert "--default: soakSeconds: " in faults(json.dumps(a_message()), "a.json", "soakSeconds=soon")


def test_merging_hides_no_member_that_stands_there_twice(faults: Callable[..., str]) -> None:
    text = json.dumps(a_message(), indent=1).replace('"appName"', '"wave": 2,\n"appName"')
    assert "a.json:3:2: wave: stands there more than once" in faults(text, "a.json", "soakSeconds=60")


@pytest.mark.parametrize("option", ["waves=7", "wave", "approval.cut=true"])
def test_an_option_that_names_no_field_is_a_usage_error(option: str) -> None:
    with pytest.raises(UsageError, match="write FIELD=VALUE"):
        option_defaults([option])
