"""The migration request: SQS body, HTTP body and EventBridge detail are this one model."""

import hashlib
import json
import re
from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationInfo, model_validator

from runtime.models.base import AccountId, Label, Moment, Payload, Region
from runtime.models.text import STORED, OneLine

MAX_REQUEST_BYTES = 65_536
"""Below every hop: SQS 1 MiB, EventBridge entry and Step Functions 256 KiB, DynamoDB item 400 KB (kept twice)."""

DAY = 86_400
LONGEST_APPROVAL = 30 * DAY
LONGEST_SOAK = 7 * DAY
FARTHEST_WINDOW = timedelta(days=270)
"""Executions last a year at most, and approvals, a soak and an undo come before and after the window."""

_DATE_AND_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:")

# A length next to a wide class (\w, [^...]) stands beside its pattern: inside, the pattern compiles a copy for each.
MigrationId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,79}$")]
CorrelationId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")]
SourceServerId = Annotated[str, StringConstraints(pattern=r"^s-[0-9a-zA-Z]{17}$")]
SubnetId = Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-f]{8,17}$")]
SecurityGroupId = Annotated[str, StringConstraints(pattern=r"^sg-[0-9a-f]{8,17}$")]
InstanceType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}\.[a-z0-9-]{1,30}$")]
ManagedInstanceId = Annotated[str, StringConstraints(pattern=r"^(mi|i)-[0-9a-f]{8,17}$")]
DocumentName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_\-.:/]{3,128}$")]
Port = Annotated[int, Field(ge=1, le=65_535)]


def _not_reserved(key: str) -> str:
    if key.lower().startswith("aws:"):
        raise ValueError("tag keys starting with aws: are reserved by AWS; choose another prefix")
    return key


def _written_out(value: object, info: ValidationInfo) -> object:
    # pydantic takes a number, and text that is one, for seconds or milliseconds since 1970.
    if info.context is STORED or isinstance(value, datetime):
        return value
    if isinstance(value, str) and _DATE_AND_TIME.match(value):
        # Read here: what pydantic gets from a validator it no longer takes for JSON, and strictly there is no text for
        # a time then.
        with suppress(ValueError):
            return datetime.fromisoformat(value.upper())
    raise ValueError("write date, time and zone, like 2026-03-07T22:00:00Z")


def _deliverable(url: str, info: ValidationInfo) -> str:
    if info.context is STORED:
        return url
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # Without urlsplit's own words, which quote what may be a password.
        raise ValueError("has no usable host or port; write https://host:port/path with a port up to 65535") from None
    if not url.isascii() or not url.isprintable():
        raise ValueError("holds characters no URL has; write them in percent or punycode")
    if "@" in parts.netloc:
        raise ValueError("holds user info, which would be kept and shown; leave it out")
    if not parts.hostname or any(not label for label in parts.hostname.removesuffix(".").split(".")):
        raise ValueError("names no host; write https://host/path")
    if port == 0:
        raise ValueError("port 0 takes no connection; name another or none")
    return url


WrittenMoment = Annotated[Moment, BeforeValidator(_written_out, json_schema_input_type=Moment)]
CallbackUrl = Annotated[
    str, StringConstraints(pattern=r"^https?://[^\s@]+$", max_length=2008), OneLine(), AfterValidator(_deliverable)
]
TagKey = Annotated[
    str,
    StringConstraints(pattern=r"^[\w\s.:/=+\-@]+$", max_length=128),
    OneLine(),
    AfterValidator(_not_reserved),
]
TagValue = Annotated[str, StringConstraints(max_length=256), OneLine()]
ParameterName = Annotated[str, StringConstraints(min_length=1, max_length=64), OneLine()]
ParameterValue = Annotated[str, StringConstraints(max_length=1024)]
DocumentParameters = Annotated[
    dict[ParameterName, Annotated[tuple[ParameterValue, ...], Field(max_length=10)]], Field(max_length=20)
]


def _wave_as_text(value: object) -> object:
    # Earlier producers number their waves; newer ones name them.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Wave = Annotated[Label, BeforeValidator(_wave_as_text, json_schema_input_type=Label | int)]


class Mode(StrEnum):
    """How far a migration goes."""

    MIGRATE = "migrate"
    TEST = "test"


class Phase(StrEnum):
    """Which of MGN's two launches."""

    TEST = "test"
    CUTOVER = "cutover"


class Gate(StrEnum):
    """What a person approves."""

    CUTOVER = "cutover"
    FINALIZE = "finalize"


class TcpCheck(Payload):
    """The launched instance accepts a TCP connection."""

    type: Literal["tcp"]
    port: Port


class HttpCheck(Payload):
    """The launched instance answers an HTTP GET with the expected status."""

    type: Literal["http"]
    port: Port = 80
    path: Annotated[str, StringConstraints(pattern=r"^/[^\s]*$", max_length=512), OneLine()] = "/"
    scheme: Literal["http", "https"] = "http"
    expected_status: Annotated[int, Field(ge=100, le=599)] = 200


class SsmCheck(Payload):
    """An SSM command document succeeds on the launched instance."""

    type: Literal["ssm"]
    document: DocumentName
    parameters: DocumentParameters = Field(default_factory=dict)


Check = Annotated[TcpCheck | HttpCheck | SsmCheck, Field(discriminator="type")]


class Approval(Payload):
    """Which gates a person opens, and how long the migration waits for them."""

    cutover: bool = False
    finalize: bool = False
    timeout_seconds: Annotated[int, Field(ge=1, le=LONGEST_APPROVAL)] = 14 * DAY


class Window(Payload):
    """Cutover starts only inside `[notBefore, notAfter]`."""

    not_before: WrittenMoment
    not_after: WrittenMoment

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.not_after <= self.not_before:
            raise ValueError("window.notAfter must be later than window.notBefore")
        return self


class LaunchOverrides(Payload):
    """Launch settings beyond instance type and network; what is left out stays as MGN has it."""

    copy_private_ip: bool | None = None
    copy_tags: bool | None = None
    boot_mode: Literal["LEGACY_BIOS", "UEFI", "USE_SOURCE"] | None = None
    os_byol: bool | None = None
    test_subnet_id: SubnetId | None = None
    test_security_group_ids: Annotated[tuple[SecurityGroupId, ...], Field(min_length=1, max_length=16)] | None = None


class PreMigrationCommand(Payload):
    """An SSM command run once on the source (a managed node) before the first launch."""

    instance_id: ManagedInstanceId
    document: DocumentName
    parameters: DocumentParameters = Field(default_factory=dict)


class MigrationRequest(Payload):
    """One server to migrate. The fields up to `securityGroupIds` are the earlier producers' message."""

    migration_id: MigrationId = Field(description="Chosen by the sender; the same id is accepted once.")
    app_name: Label = Field(description="Application the server belongs to.")
    source: Label = Field(description="Where the server runs now: azure, vmware, onprem, …")
    target: Literal["aws"] = Field(default="aws", description="Where it goes.")
    environment: Label = Field(description="The application's own environment, for reports and tags.")
    wave: Wave = Field(description="Name or number of the migration wave.")
    source_vm_id: Label = Field(
        description="The owner's name of the machine: MGN id, user-provided id, host name, FQDN, UUID or instance id."
    )
    target_vm_name: Label | None = Field(default=None, description="Name tag of the launched instance.")
    instance_type: InstanceType | None = Field(default=None, description="EC2 instance type; else MGN's own choice.")
    subnet_id: SubnetId | None = Field(default=None, description="Subnet of the cutover instance.")
    security_group_ids: Annotated[tuple[SecurityGroupId, ...], Field(min_length=1, max_length=16)] | None = Field(
        default=None, description="Security groups of the cutover instance."
    )

    source_server_id: SourceServerId | None = Field(default=None, description="MGN source server id, when known.")
    target_account: AccountId | None = Field(
        default=None, description="AWS account MGN works in; else the one the pipeline runs in."
    )
    target_region: Region | None = Field(
        default=None, description="AWS Region MGN works in; else the one the pipeline runs in."
    )
    correlation_id: CorrelationId | None = Field(default=None, description="Carried through; generated when absent.")
    retry_of: MigrationId | None = Field(default=None, description="The migration whose server is tried again.")
    callback_url: CallbackUrl | None = Field(default=None, description="Each status change is POSTed here.")
    mode: Mode = Field(default=Mode.MIGRATE, description="`test` ends after a verified, cleaned-up test launch.")
    test: bool = Field(default=True, description="Run a test launch before the cutover.")
    checks: Annotated[tuple[Check, ...], Field(max_length=10)] = Field(
        default=(), description="Application checks after each launch."
    )
    approval: Approval = Field(default_factory=Approval)
    window: Window | None = None
    soak_seconds: Annotated[int, Field(ge=0, le=LONGEST_SOAK)] = Field(
        default=0, description="Seconds the cutover instance must stay healthy before it is finalized."
    )
    launch: LaunchOverrides = Field(default_factory=LaunchOverrides)
    pre_migration_command: PreMigrationCommand | None = None
    tags: Annotated[dict[TagKey, TagValue], Field(max_length=40)] = Field(
        default_factory=dict, description="Tags of the launched instance."
    )

    @model_validator(mode="after")
    def _test_mode_tests(self) -> Self:
        if self.mode is Mode.TEST and not self.test:
            raise ValueError("test: false contradicts mode: test; leave one of them out")
        return self

    @property
    def runs_test(self) -> bool:
        return self.test or self.mode is Mode.TEST

    def digest(self) -> str:
        """SHA-256 of the canonical form: equal digests are the same request."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()
