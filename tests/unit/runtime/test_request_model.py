"""The migration request: what is accepted, and the limits of every field."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from runtime.errors import RequestError
from runtime.logic.ingress import parse_request
from runtime.models.request import MAX_REQUEST_BYTES, MigrationRequest, Mode
from tests.builders import a_request

EARLIER: dict[str, Any] = {
    "migrationId": "mig-2024-001",
    "appName": "billing",
    "source": "azure",
    "target": "aws",
    "environment": "prod",
    "wave": 1,
    "sourceVmId": "vm-billing-01",
    "targetVmName": "billing-01",
    "instanceType": "t3.medium",
    "subnetId": "subnet-0a1b2c3d",
    "securityGroupIds": ["sg-0a1b2c3d"],
}


def refusal(**changes: Any) -> str:
    with pytest.raises(RequestError) as caught:
        parse_request(json.dumps({**EARLIER, **changes}))
    return str(caught.value)


def test_valid_payload_of_the_earlier_producers_is_accepted_as_it_is() -> None:
    request = parse_request(json.dumps(EARLIER))
    assert (request.migration_id, request.wave, request.mode) == ("mig-2024-001", "1", Mode.MIGRATE)
    assert request.security_group_ids == ("sg-0a1b2c3d",)
    assert request.runs_test


@pytest.mark.parametrize("field", ["migrationId", "appName", "source", "environment", "wave", "sourceVmId"])
def test_missing_field_is_named(field: str) -> None:
    with pytest.raises(RequestError, match=f"^{field}: required and missing; add it$"):
        parse_request(json.dumps({name: value for name, value in EARLIER.items() if name != field}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("migrationId", ""),
        ("migrationId", "-starts-with-a-dash"),
        ("migrationId", "a" * 81),
        ("migrationId", "has space"),
        ("migrationId", "line\n"),
        ("migrationId", "ünïcode"),
        ("migrationId", 17),
        ("appName", "   "),
        ("appName", "a" * 129),
        ("appName", ["billing"]),
        ("source", ""),
        ("target", "azure"),
        ("wave", True),
        ("wave", 1.5),
        ("wave", None),
        ("sourceVmId", "v" * 129),
        ("instanceType", "huge"),
        ("subnetId", "subnet-XYZ"),
        ("securityGroupIds", []),
        ("securityGroupIds", "sg-0a1b2c3d"),
        ("securityGroupIds", ["sg-0a1b2c3d"] * 17),
        ("sourceServerId", "s-short"),
        ("correlationId", "c" * 129),
        ("callbackUrl", "ftp://example.com"),
        ("callbackUrl", "https://user@example.com/"),
        ("callbackUrl", "https://example.com/" + "x" * 2000),
        ("mode", "both"),
        ("test", "perhaps"),
        ("checks", [{"type": "tcp", "port": 80}] * 11),
        ("checks", [{"type": "smoke"}]),
        ("checks", [{"type": "tcp", "port": 0}]),
        ("checks", [{"type": "tcp", "port": 65_536}]),
        ("checks", [{"type": "http", "port": 80, "path": "no-slash"}]),
        ("checks", [{"type": "http", "port": 80, "path": "/" + "x" * 512}]),
        ("checks", [{"type": "http", "expectedStatus": 600}]),
        ("checks", [{"type": "ssm", "document": "x"}]),
        ("approval", {"timeoutSeconds": 0}),
        ("approval", {"timeoutSeconds": 30 * 86_400 + 1}),
        ("approval", True),
        ("window", {"notBefore": "2026-01-05T12:00:00", "notAfter": "2026-01-05T14:00:00Z"}),
        ("window", {"notBefore": "2026-01-05T12:00:00Z", "notAfter": "2026-01-05T12:00:00Z"}),
        ("window", {"notBefore": "soon", "notAfter": "later"}),
        ("soakSeconds", -1),
        ("soakSeconds", 7 * 86_400 + 1),
        ("soakSeconds", 10**300),
        ("launch", {"bootMode": "BIOS"}),
        ("launch", {"testSubnetId": "subnet-"}),
        ("preMigrationCommand", {"instanceId": "vm-1", "document": "AWS-RunShellScript"}),
        ("tags", {"": "empty"}),
        ("tags", {"k" * 129: "v"}),
        ("tags", {"k;": "v"}),
        ("tags", {"aws:reserved": "x"}),
        ("tags", {"k": "v" * 257}),
        ("tags", {f"k{number}": "v" for number in range(41)}),
        ("tags", [["k", "v"]]),
    ],
)
def test_value_outside_its_limits_is_refused_naming_the_field(field: str, value: Any) -> None:
    assert refusal(**{field: value}).startswith(field)


@pytest.mark.parametrize(
    "hidden", ["\x00", "\x1b", "\n", "\r", "\t", "\x7f", "\x85", "\x9b", "\u2028", "\u202e", "\u2066"]
)
@pytest.mark.parametrize(
    ("field", "written"),
    [
        *((name, "be{}fore") for name in ("appName", "source", "environment", "wave", "sourceVmId", "targetVmName")),
        ("appName", "at its end{}"),
        ("tags", {"key{}": "value"}),
        ("tags", {"key": "value{}"}),
        ("callbackUrl", "https://example.com/{}"),
        ("checks", [{"type": "http", "path": "/{}"}]),
        ("checks", [{"type": "ssm", "document": "Doc", "parameters": {"name{}": []}}]),
    ],
)
def test_control_character_is_refused_by_the_fields_name_and_not_repeated(
    field: str, written: Any, hidden: str
) -> None:
    text = json.dumps({**EARLIER, field: written}).replace("{}", json.dumps(hidden)[1:-1])
    with pytest.raises(RequestError) as caught:
        parse_request(text)
    assert str(caught.value).startswith(field)
    assert str(caught.value).isprintable()


def test_control_character_is_named_with_what_to_do() -> None:
    assert refusal(appName="bill\x1b[2Jing") == (
        "appName: holds the control character U+001B; remove it; sent 'bill\\x1b[2Jing'"
    )


@pytest.mark.parametrize("name", ["חשבונות", "فواتير", "👩‍🚀", "naïve – “quoted”"])
def test_scripts_of_the_world_are_no_control_characters(name: str) -> None:
    assert parse_request(json.dumps({**EARLIER, "appName": name})).app_name == name


def test_parameters_of_a_document_may_have_several_lines() -> None:
    command = {"instanceId": "mi-0123456789abcdef0", "document": "AWS-RunShellScript"}
    body = json.dumps({**EARLIER, "preMigrationCommand": {**command, "parameters": {"commands": ["a\n\tb"]}}})
    assert parse_request(body).pre_migration_command is not None


@pytest.mark.parametrize(
    ("extra", "field"),
    [
        ('"migrationId": "mig-other"', "migrationId"),
        ('"approval": {"cutover": true}, "approval": {"cutover": false}', "approval"),
        ('"approval": {"cutover": true, "cutover": false}', "approval.cutover"),
        ('"approval": {"cutover": true, "cut\\u006fver": false}', "approval.cutover"),
        ('"checks": [{"type": "tcp", "port": 1, "port": 2}]', "checks.0.port"),
        (f'"soakSeconds": {"9" * 4_000}, "soakSeconds": 0', "soakSeconds"),
        ('"tags": {"a": "1", "a": "1"}', "tags.a"),
    ],
)
def test_member_that_stands_there_twice_is_refused_whichever_would_win(extra: str, field: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_request(f"{json.dumps(EARLIER)[:-1]}, {extra}}}")
    assert str(caught.value) == f"{field}: stands there more than once; keep one of them"


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("soakSeconds", True, "soakSeconds: Input should be a valid integer; sent true"),
        ("soakSeconds", "60", "soakSeconds: Input should be a valid integer; sent '60'"),
        ("soakSeconds", 60.0, "soakSeconds: Input should be a valid integer; sent 60.0"),
        ("test", 0, "test: Input should be a valid boolean; sent 0"),
        ("test", "no", "test: Input should be a valid boolean; sent 'no'"),
        ("approval", {"cutover": 1}, "approval.cutover: Input should be a valid boolean; sent 1"),
        ("checks", [{"type": "tcp", "port": True}], "checks.0.tcp.port: Input should be a valid integer; sent true"),
        ("launch", {"copyTags": "true"}, "launch.copyTags: Input should be a valid boolean; sent 'true'"),
        ("appName", 7, "appName: Input should be a valid string; sent 7"),
    ],
)
def test_value_of_another_type_is_not_turned_into_the_right_one(field: str, value: Any, expected: str) -> None:
    assert refusal(**{field: value}) == expected


@pytest.mark.parametrize(
    "moment", [1_772_920_800, 1_772_920_800.5, "1772920800", "2026-03-07", "2026-W10-6T12:00Z", True]
)
def test_time_that_is_not_written_out_is_refused(moment: Any) -> None:
    text = refusal(window={"notBefore": moment, "notAfter": "2026-03-08T04:00:00Z"})
    assert text.startswith("window.notBefore: write date, time and zone, like 2026-03-07T22:00:00Z; sent ")


@pytest.mark.parametrize("moment", ["2026-03-07T22:00:00Z", "2026-03-07t23:00:00.000+01:00", "2026-03-07 22:00z"])
def test_ways_to_write_a_time(moment: str) -> None:
    window = parse_request(
        json.dumps({**EARLIER, "window": {"notBefore": moment, "notAfter": "2026-03-08T04:00Z"}})
    ).window
    assert window is not None
    assert window.not_before == datetime(2026, 3, 7, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"app_name": "x"}, "app_name: unknown field; remove it or correct its name, appName for example"),
        ({"approval": {"timeout_seconds": 5}}, "approval.timeout_seconds: unknown field; "),
        ({"checks": [{"type": "http", "expected_status": 200}]}, "checks.0.http.expected_status: unknown field; "),
    ],
)
def test_name_in_snake_case_is_no_name(changes: dict[str, Any], expected: str) -> None:
    assert refusal(**changes).startswith(expected)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com:0/", "port 0 takes no connection"),
        ("https://example.com:99999/", "has no usable host or port"),
        ("https://ada:hush-hush/", "has no usable host or port"),
        ("https://[::1", "has no usable host or port"),
        ("https://[zz]/", "has no usable host or port"),
        ("https://ada:hush-hush@example.com/", "String should match pattern"),
        ("https://", "String should match pattern"),
        ("https:///path", "names no host"),
        ("https://:443/", "names no host"),
        ("https://example..com/", "names no host"),
        ("https://münchen.example/", "holds characters no URL has"),
        ("https://example.com/\u200b", "holds characters no URL has"),
    ],
)
def test_callback_url_to_which_nothing_can_be_delivered_is_refused(url: str, expected: str) -> None:
    text = refusal(callbackUrl=url)
    assert text.startswith(f"callbackUrl: {expected}")
    assert "hush" not in text


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/x?y=z", "https://[2001:db8::1]:65535", "https://cmdb.example.com./"]
)
def test_callback_url_that_may_be_delivered_is_accepted(url: str) -> None:
    assert parse_request(json.dumps({**EARLIER, "callbackUrl": url})).callback_url == url


@pytest.mark.parametrize("value", ["\x1b]0;title\x07", "\u202eevil", "a\nreason: accepted"])
def test_names_and_values_of_others_are_shown_without_their_control_characters(value: str) -> None:
    for text in (refusal(**{value: 1}), refusal(checks=[{"type": value}]), refusal(mode=value)):
        assert text.isprintable()


def test_name_of_a_kilobyte_is_cut_where_it_is_shown() -> None:
    assert len(refusal(**{"x" * 1_000: 1})) < 200


def test_all_wrong_fields_are_named_at_once() -> None:
    text = refusal(migrationId="", appName="", subnetId="x", soakSeconds=-1)
    assert all(field in text for field in ("migrationId", "appName", "subnetId", "soakSeconds"))


def test_many_wrong_fields_are_counted_beyond_the_first_eight() -> None:
    assert "and 12 more" in refusal(**{f"unknown{number}": 1 for number in range(20)})


def test_unknown_field_is_named_with_what_to_do() -> None:
    assert refusal(instnceType="m5.large").startswith("instnceType: unknown field; remove it or correct its name")


def test_unicode_names_and_tags_are_kept() -> None:
    request = parse_request(json.dumps({**EARLIER, "appName": "会計-Ümläut", "tags": {"Besitzerín": "日本"}}))
    assert (request.app_name, request.tags) == ("会計-Ümläut", {"Besitzerín": "日本"})


@pytest.mark.parametrize("body", ["", "migrate please", "{", '{"migrationId": }', "[" * 10_000, "\x00", "9" * 5_000])
def test_body_that_is_not_json_says_so(body: str) -> None:
    with pytest.raises(RequestError, match="body is not JSON"):
        parse_request(body)


@pytest.mark.parametrize("body", ["null", "[]", "[{}]", '"text"', "17", "true"])
def test_body_that_is_no_object_says_so(body: str) -> None:
    with pytest.raises(RequestError, match="body: "):
        parse_request(body)


def test_body_of_256_kib_is_refused_before_it_is_read() -> None:
    with pytest.raises(RequestError, match=f"at most {MAX_REQUEST_BYTES} are accepted"):
        parse_request(json.dumps({**EARLIER, "tags": {"k": "x" * 262_144}}))


def test_size_is_counted_in_bytes_not_characters() -> None:
    with pytest.raises(RequestError, match="bytes"):
        parse_request('"' + "é" * (MAX_REQUEST_BYTES // 2) + '"')


def test_test_mode_without_a_test_contradicts_itself() -> None:
    assert "test: false contradicts mode: test" in refusal(mode="test", test=False)


def test_request_survives_its_wire_form() -> None:
    request = a_request(tags={"a": "1"}, checks=[{"type": "ssm", "document": "Doc", "parameters": {"p": ["v"]}}])
    assert MigrationRequest.from_json(request.to_json()) == request
    assert MigrationRequest.from_json(request.to_json()).digest() == request.digest()


def test_digest_is_of_the_meaning_not_of_the_text() -> None:
    window = {"notBefore": "2026-01-05T12:00:00Z", "notAfter": "2026-01-05T14:00:00Z"}
    moved = {"notBefore": "2026-01-05T13:00:00+01:00", "notAfter": "2026-01-05T15:00:00+01:00"}
    first = parse_request(json.dumps({**EARLIER, "wave": 7, "window": window}))
    second = parse_request(json.dumps({**EARLIER, "wave": "7", "window": moved}, indent=2, sort_keys=True))
    assert first.digest() == second.digest()


def test_digest_does_not_depend_on_the_order_of_tags() -> None:
    assert a_request(tags={"a": "1", "b": "2"}).digest() == a_request(tags={"b": "2", "a": "1"}).digest()


def test_digest_tells_different_requests_apart() -> None:
    assert a_request(wave="1").digest() != a_request(wave="2").digest()


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00"])
def test_moment_that_leaves_the_calendar_in_utc_is_refused(moment: str) -> None:
    assert refusal(window={"notBefore": moment, "notAfter": moment}).startswith("window.not")


def test_target_account_and_region_are_read_from_the_wire() -> None:
    document = json.loads(a_request().to_json()) | {"targetAccount": "012345678901", "targetRegion": "us-gov-west-1"}
    request = parse_request(json.dumps(document))
    assert (request.target_account, request.target_region) == ("012345678901", "us-gov-west-1")
    assert (a_request().target_account, a_request().target_region) == (None, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"targetAccount": "1234"},
        {"targetAccount": 123456789012},
        {"targetAccount": "12345678901٢"},
        {"targetRegion": "eu-west"},
        {"targetRegion": "EU-WEST-1"},
        {"targetRegion": "eu-west-1#x"},
    ],
)
def test_what_is_no_account_or_region_is_refused(wrong: dict[str, Any]) -> None:
    assert refusal(**wrong).startswith(next(iter(wrong)))
