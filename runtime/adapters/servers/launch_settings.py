"""MGN launch configurations and EC2 launch templates behind the LaunchSettings port."""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from runtime.adapters.aws.faults import account_faults, code_of, mgn_faults
from runtime.adapters.servers.launch_template import Data, edited, has_test_network, with_network_of
from runtime.errors import DriftError, LaunchSettingsError, SourceServerGoneError
from runtime.models.mgn import LaunchTemplateRef
from runtime.models.request import MigrationRequest, Phase

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import LaunchTemplateVersionTypeDef
    from mypy_boto3_mgn import MgnClient
    from mypy_boto3_mgn.type_defs import LaunchConfigurationTypeDef

VERSION_GONE = "InvalidLaunchTemplateId.VersionNotFound"


class Ec2LaunchSettings:
    """A server's own launch template; MGN launches from its default version, not from its latest."""

    def __init__(self, mgn: "MgnClient", ec2: "EC2Client") -> None:
        self._mgn = mgn
        self._ec2 = ec2

    def current(self, source_server_id: str) -> LaunchTemplateRef:
        template_id = _template_of(self._configuration(source_server_id))
        return LaunchTemplateRef(launch_template_id=template_id, default_version=_default(self._versions(template_id)))

    def apply(
        self,
        request: MigrationRequest,
        source_server_id: str,
        phase: Phase,
        marker: str,
        *,
        before: LaunchTemplateRef | None = None,
    ) -> int:
        configuration = self._configuration(source_server_id)
        # Asked for by somebody, perhaps because two such machines must not run at once: not changed behind their back.
        if configuration.get("launchDisposition") == "STOPPED":
            raise LaunchSettingsError(
                f"{source_server_id} is set to stay stopped after its launch, so nothing of it could be verified; "
                "set its launchDisposition to STARTED in MGN's launch settings, or launch it by hand"
            )
        template_id = _template_of(configuration)
        self._configure(request, source_server_id)
        versions = self._versions(template_id)
        default = _default(versions)
        made = next((number for number, known in versions.items() if known.get("VersionDescription") == marker), None)
        if made is None:
            data: Any = versions[default]["LaunchTemplateData"]
            based: Any = data
            if phase is Phase.CUTOVER and before is not None and has_test_network(request):
                based = with_network_of(_data(versions, before.default_version), data)
            wanted = edited(based, request, phase)
            if wanted == data:
                return default
            made = self._new_version(template_id, default, wanted, marker)
        if made != default:
            self._make_default(template_id, made)
        return made

    def ebs_key(self, source_server_id: str) -> str | None:
        # Launched volumes take their key from the replication settings, whatever the template says (docs/mgn.md).
        with mgn_faults():
            configuration = self._mgn.get_replication_configuration(sourceServerID=source_server_id)
        return configuration.get("ebsEncryptionKeyArn") if configuration.get("ebsEncryption") == "CUSTOM" else None

    def restore(self, template: LaunchTemplateRef) -> None:
        try:
            self._make_default(template.launch_template_id, template.default_version)
        except ClientError as error:
            if code_of(error) == VERSION_GONE:
                raise _version_gone(template.default_version) from error
            # MGN deletes the template of a disconnected server: then there is nothing left to restore.
            if not _is_template_gone(error):
                raise

    def _configuration(self, source_server_id: str) -> "LaunchConfigurationTypeDef":
        with mgn_faults():
            return self._mgn.get_launch_configuration(sourceServerID=source_server_id)

    def _configure(self, request: MigrationRequest, source_server_id: str) -> None:
        changes = _changes(request)
        if changes:
            with mgn_faults():
                self._mgn.update_launch_configuration(sourceServerID=source_server_id, **changes)

    def _versions(self, template_id: str) -> "dict[int, LaunchTemplateVersionTypeDef]":
        try:
            with account_faults():
                pages = self._ec2.get_paginator("describe_launch_template_versions").paginate(
                    LaunchTemplateId=template_id
                )
                found = [version for page in pages for version in page["LaunchTemplateVersions"]]
        except ClientError as error:
            if _is_template_gone(error):
                raise SourceServerGoneError(f"launch template {template_id} does not exist") from error
            raise
        return {version["VersionNumber"]: version for version in found}

    def _new_version(self, template_id: str, source: int, data: Data, marker: str) -> int:
        accepted = _known_to(self._ec2.meta.service_model.shape_for("RequestLaunchTemplateData"), data)
        with account_faults():
            # EC2 fills members left out from the source version; not every engine does, so all of them are sent.
            response = self._ec2.create_launch_template_version(
                LaunchTemplateId=template_id,
                SourceVersion=str(source),
                VersionDescription=marker,
                LaunchTemplateData=accepted,
            )
        return response["LaunchTemplateVersion"]["VersionNumber"]

    def _make_default(self, template_id: str, version: int) -> None:
        with account_faults():
            self._ec2.modify_launch_template(LaunchTemplateId=template_id, DefaultVersion=str(version))


def _template_of(configuration: "LaunchConfigurationTypeDef") -> str:
    if template_id := configuration.get("ec2LaunchTemplateID"):
        return template_id
    raise SourceServerGoneError(f"{configuration.get('sourceServerID')} has no launch template: it is disconnected")


def _changes(request: MigrationRequest) -> dict[str, Any]:
    launch = request.launch
    wanted = {
        # With BASIC right-sizing MGN writes its own instance type over the template's (docs/mgn.md#launch-template).
        "targetInstanceTypeRightSizingMethod": None if request.instance_type is None else "NONE",
        "copyPrivateIp": launch.copy_private_ip,
        "copyTags": launch.copy_tags,
        "bootMode": launch.boot_mode,
        "licensing": None if launch.os_byol is None else {"osByol": launch.os_byol},
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _is_template_gone(error: ClientError) -> bool:
    # EC2 and the engines that play it differ in the rest: …Id.NotFound, …Id.NotFoundException, …Name.NotFoundException.
    return code_of(error).startswith(("InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateName.NotFound"))


def _default(versions: "dict[int, LaunchTemplateVersionTypeDef]") -> int:
    return next(number for number, version in versions.items() if version.get("DefaultVersion"))


def _data(versions: "dict[int, LaunchTemplateVersionTypeDef]", number: int) -> Data:
    if number not in versions:
        raise _version_gone(number)
    data: Any = versions[number]["LaunchTemplateData"]
    return dict(data)


def _version_gone(number: int) -> DriftError:
    return DriftError(f"version {number} of the launch template, the one before the migration, was deleted")


def _known_to(shape: Any, value: Any) -> Any:
    """The value without members the request shape lacks: EC2 answers a few that it does not take."""
    if shape.type_name == "structure":
        return {name: _known_to(shape.members[name], part) for name, part in value.items() if name in shape.members}
    if shape.type_name == "list":
        return [_known_to(shape.member, part) for part in value]
    return value
