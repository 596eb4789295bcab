"""What functions may be allowed to do to MGN, EC2, SSM and Step Functions, as data: the constructs make IAM of it.

Table, bus and queues are granted by their constructs. Every wildcard carries its reason, which is also its
acknowledgement for cdk-nag.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from runtime.models.mgn import SOURCE_SERVER_TAG


class Named(StrEnum):
    """What a stage has to name before anything is permitted on it."""

    DOCUMENTS = "documents"
    EBS_KEYS = "ebs_keys"


@dataclass(frozen=True)
class Permission:
    """Actions on resources, whose ARNs have the fields partition, region and account."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    """EACH stands for each of those the stage names."""
    reason: str
    """Why the resources are no narrower."""
    conditions: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    needs: Named | None = None
    """Not given on a stage that names none of these."""


EACH = "{each}"


def given(permissions: Iterable[Permission], names: Mapping[Named, tuple[str, ...]]) -> Iterator[Permission]:
    """The permissions as a stage gives them that names these documents and keys."""
    for permission in permissions:
        if permission.needs is None:
            yield permission
        elif named := names.get(permission.needs):
            arns = tuple(_ARNS[permission.needs](name) for name in named)
            yield replace(
                permission,
                resources=tuple(
                    each for resource in permission.resources for each in (arns if resource == EACH else (resource,))
                ),
            )


def _document_arn(name: str) -> str:
    if name.startswith("arn:"):
        return name
    # Names that begin so are reserved for documents of AWS, which belong to no account.
    owner = "" if name.lower().startswith(("aws", "amazon", "amzn")) else "{account}"
    return f"arn:{{partition}}:ssm:{{region}}:{owner}:document/{name}"


_ARNS: dict[Named, Callable[[str], str]] = {Named.DOCUMENTS: _document_arn, Named.EBS_KEYS: str}


SOURCE_SERVERS = ("arn:{partition}:mgn:{region}:{account}:source-server/*",)
JOBS = ("arn:{partition}:mgn:{region}:{account}:job/*",)
LAUNCH_TEMPLATES = ("arn:{partition}:ec2:{region}:{account}:launch-template/*",)
INSTANCES = ("arn:{partition}:ec2:{region}:{account}:instance/*",)
HYBRID_NODES = ("arn:{partition}:ssm:{region}:{account}:managed-instance/*",)
MANAGED_NODES = (*INSTANCES, *HYBRID_NODES)
DOCUMENTS = ("arn:{partition}:ssm:{region}::document/*", "arn:{partition}:ssm:{region}:{account}:document/*")
AUTOMATION_EXECUTIONS = ("arn:{partition}:ssm:{region}:{account}:automation-execution/*",)
AUTOMATIONS = (
    "arn:{partition}:ssm:{region}::automation-definition/*",
    "arn:{partition}:ssm:{region}:{account}:automation-definition/*",
)
RUN_TIME_IDS = "Requests name the servers and MGN the jobs, templates and instances; none is known at deploy time."
NO_RESOURCE_TYPE = "The actions support no resource-level permissions."

MGN_TAG = "AWSApplicationMigrationServiceManaged"


def _has_tag(key: str) -> Mapping[str, Mapping[str, object]]:
    return {"Null": {f"aws:ResourceTag/{key}": "false"}}


MANAGED_BY_MGN = _has_tag(MGN_TAG)
MADE_BY_MGN = {"Null": {f"aws:RequestTag/{MGN_TAG}": "false"}}
# MGN launches and terminates with its caller's permissions: without them a launch fails per server, not per call.
VIA_MGN = {"ForAnyValue:StringEquals": {"aws:CalledVia": "mgn.amazonaws.com"}}
VIA_SSM = {"ForAnyValue:StringEquals": {"aws:CalledVia": "ssm.amazonaws.com"}}


def _tag_jobs_of(*calls: str) -> Permission:
    # MGN asks for TagResource whenever a launch or terminate call carries tags.
    return Permission(("mgn:TagResource",), JOBS, RUN_TIME_IDS, {"StringEquals": {"mgn:CreateAction": list(calls)}})


READ_SERVERS = Permission(("mgn:DescribeSourceServers",), ("*",), NO_RESOURCE_TYPE)
READ_MGN = Permission(("mgn:DescribeJobs", "mgn:DescribeSourceServers"), ("*",), NO_RESOURCE_TYPE)
READ_JOB_LOG = Permission(("mgn:DescribeJobLogItems",), JOBS, RUN_TIME_IDS)
READ_INSTANCES = Permission(
    ("ec2:DescribeInstances", "ec2:DescribeInstanceStatus", "ssm:DescribeInstanceInformation"), ("*",), NO_RESOURCE_TYPE
)
READ_NETWORK = Permission(
    ("ec2:DescribeInstanceTypeOfferings", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets"),
    ("*",),
    NO_RESOURCE_TYPE,
)
READ_REPLICATION_CONFIGURATION = Permission(("mgn:GetReplicationConfiguration",), SOURCE_SERVERS, RUN_TIME_IDS)
READ_LAUNCH_CONFIGURATION = Permission(("mgn:GetLaunchConfiguration",), SOURCE_SERVERS, RUN_TIME_IDS)
READ_LAUNCH_TEMPLATES = Permission(("ec2:DescribeLaunchTemplateVersions",), ("*",), NO_RESOURCE_TYPE)
RESUME_STEPS = Permission(
    ("states:SendTaskFailure", "states:SendTaskSuccess"),
    ("*",),
    "The actions support no resource-level permissions: the task token is the authority.",
)
READ_NODE_TAGS = (
    Permission(("ec2:DescribeTags",), ("*",), NO_RESOURCE_TYPE),
    Permission(("ssm:ListTagsForResource",), HYBRID_NODES, "Requests name the node."),
)


def _run_commands_on(nodes: tuple[str, ...], tag: str) -> tuple[Permission, ...]:
    # SSM asks for the document and for each machine; the tag is the machine's.
    return (
        Permission(("ssm:SendCommand",), (EACH,), "", needs=Named.DOCUMENTS),
        Permission(("ssm:SendCommand",), nodes, RUN_TIME_IDS, _has_tag(tag), needs=Named.DOCUMENTS),
        Permission(("ssm:GetCommandInvocation", "ssm:ListCommands"), ("*",), NO_RESOURCE_TYPE, needs=Named.DOCUMENTS),
    )


RUN_ON_SOURCE = _run_commands_on(MANAGED_NODES, SOURCE_SERVER_TAG)
RUN_ON_LAUNCHED = _run_commands_on(INSTANCES, MGN_TAG)
CHANGE_LIFECYCLE = Permission(("mgn:ChangeServerLifeCycleState",), SOURCE_SERVERS, RUN_TIME_IDS)


def _ec2(*types: str) -> tuple[str, ...]:
    # Images and snapshots belong to no account in their ARNs.
    accounts = {"image": "", "snapshot": ""}
    return tuple(f"arn:{{partition}}:ec2:{{region}}:{accounts.get(t, '{account}')}:{t}/*" for t in types)


def _by_mgn(actions: tuple[str, ...], *types: str, **only: Mapping[str, object]) -> Permission:
    """Through MGN, on these types of resources, under further conditions."""
    return Permission(actions, _ec2(*types), RUN_TIME_IDS, {**VIA_MGN, **only})


# After AWS's own AWSApplicationMigrationEC2Access: what MGN makes gets its tag, what it changes or ends has it.
_LAUNCH_RESOURCES = (
    _by_mgn(("ec2:CreateLaunchTemplate",), "launch-template", **MADE_BY_MGN),
    _by_mgn(
        (
            "ec2:CreateLaunchTemplateVersion",
            "ec2:DeleteLaunchTemplate",
            "ec2:DeleteLaunchTemplateVersions",
            "ec2:ModifyLaunchTemplate",
        ),
        "launch-template",
        **MANAGED_BY_MGN,
    ),
    _by_mgn(("ec2:CreateSecurityGroup",), "vpc"),
    _by_mgn(("ec2:CreateSecurityGroup",), "security-group", **MADE_BY_MGN),
    _by_mgn(
        ("ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress"),
        "security-group",
        **MANAGED_BY_MGN,
    ),
    _by_mgn(("ec2:CreateSnapshot",), "snapshot", **MADE_BY_MGN),
    _by_mgn(
        ("ec2:CreateSnapshot", "ec2:AttachVolume", "ec2:DeleteVolume", "ec2:ModifyVolume"), "volume", **MANAGED_BY_MGN
    ),
    _by_mgn(("ec2:CreateVolume", "ec2:DeleteSnapshot"), "snapshot", **MANAGED_BY_MGN),
    _by_mgn(("ec2:CreateVolume",), "volume", **MADE_BY_MGN),
    _by_mgn(("ec2:DetachVolume",), "volume"),
    _by_mgn(("ec2:RunInstances",), "instance", **MADE_BY_MGN),
    _by_mgn(
        ("ec2:RunInstances",), "image", "launch-template", "network-interface", "security-group", "subnet", "volume"
    ),
    _by_mgn(
        (
            "ec2:AttachVolume",
            "ec2:DetachVolume",
            "ec2:GetConsoleOutput",
            "ec2:GetConsoleScreenshot",
            "ec2:ModifyInstanceAttribute",
            "ec2:StartInstances",
            "ec2:StopInstances",
            "ec2:TerminateInstances",
        ),
        "instance",
        **MANAGED_BY_MGN,
    ),
    _by_mgn(
        ("ec2:CreateTags",),
        *("instance", "launch-template", "network-interface", "security-group", "snapshot", "volume"),
        StringEquals={
            "ec2:CreateAction": [
                "CreateLaunchTemplate",
                "CreateSecurityGroup",
                "CreateSnapshot",
                "CreateVolume",
                "RunInstances",
            ]
        },
    ),
    _by_mgn(("ec2:CreateTags",), "volume", **MANAGED_BY_MGN),
)
_POST_LAUNCH_ACTIONS = (
    Permission(
        ("ssm:DescribeDocument", "ssm:SendCommand", "ssm:StartAutomationExecution"),
        # An automation is started on its definition and on the execution that it becomes.
        (*DOCUMENTS, *AUTOMATIONS, *AUTOMATION_EXECUTIONS),
        "MGN runs the post-launch actions of a server in its caller's name.",
        VIA_MGN,
    ),
    Permission(("ssm:SendCommand",), INSTANCES, RUN_TIME_IDS, {**VIA_MGN, **MANAGED_BY_MGN}),
    Permission(("ssm:GetAutomationExecution",), AUTOMATION_EXECUTIONS, RUN_TIME_IDS, VIA_MGN),
    Permission(("ssm:DescribeInstanceInformation", "ssm:GetCommandInvocation"), ("*",), NO_RESOURCE_TYPE, VIA_MGN),
    # The parameters of an action are kept where MGN puts them, and an automation follows its own commands.
    Permission(
        ("ssm:GetParameters",),
        ("arn:{partition}:ssm:{region}:{account}:parameter/ManagedByAWSApplicationMigrationService-*",),
        "MGN chooses the names.",
        VIA_SSM,
    ),
    Permission(("ssm:ListCommandInvocations", "ssm:ListCommands"), ("*",), NO_RESOURCE_TYPE, VIA_SSM),
)
_VIA_EC2 = {"StringEquals": {"kms:ViaService": "ec2.{region}.amazonaws.com"}}
_USE_EBS_KEYS = (
    Permission(
        (
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:GenerateDataKeyWithoutPlaintext",
            "kms:ReEncryptFrom",
            "kms:ReEncryptTo",
        ),
        (EACH,),
        "",
        _VIA_EC2,
        needs=Named.EBS_KEYS,
    ),
    Permission(
        ("kms:CreateGrant",),
        (EACH,),
        "",
        {**_VIA_EC2, "Bool": {"kms:GrantIsForAWSResource": "true"}},
        needs=Named.EBS_KEYS,
    ),
)

LAUNCH = (
    Permission(("mgn:StartCutover", "mgn:StartTest"), SOURCE_SERVERS, RUN_TIME_IDS),
    _tag_jobs_of("StartTest", "StartCutover"),
    Permission(("mgn:ListTagsForResource",), ("*",), NO_RESOURCE_TYPE),
    Permission(
        (
            "ec2:DescribeAccountAttributes",
            "ec2:DescribeAvailabilityZones",
            "ec2:DescribeImages",
            "ec2:DescribeInstanceAttribute",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeLaunchTemplateVersions",
            "ec2:DescribeLaunchTemplates",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSnapshots",
            "ec2:DescribeSubnets",
            "ec2:DescribeVolumes",
            "ec2:GetEbsDefaultKmsKeyId",
            "ec2:GetEbsEncryptionByDefault",
            "ec2:GetSubnetCidrReservations",
            "ec2:ReportInstanceStatus",
        ),
        ("*",),
        NO_RESOURCE_TYPE,
        VIA_MGN,
    ),
    Permission(
        ("servicequotas:GetServiceQuota",),
        ("arn:{partition}:servicequotas:{region}:{account}:*",),
        "MGN chooses which quotas a launch depends on.",
        VIA_MGN,
    ),
    *_LAUNCH_RESOURCES,
    *_POST_LAUNCH_ACTIONS,
    *_USE_EBS_KEYS,
    Permission(
        ("iam:PassRole",),
        tuple(
            f"arn:{{partition}}:iam::{{account}}:role/service-role/AWSApplicationMigration{role}"
            for role in ("ConversionServerRole", "LaunchInstanceWithSsmRole", "LaunchInstanceWithDrsRole")
        ),
        "",
        {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    ),
)

TERMINATE = (
    Permission(("mgn:TerminateTargetInstances",), SOURCE_SERVERS, RUN_TIME_IDS),
    _tag_jobs_of("TerminateTargetInstances"),
    Permission(("ec2:DescribeVolumes",), ("*",), NO_RESOURCE_TYPE, VIA_MGN),
    _by_mgn(("ec2:TerminateInstances",), "instance", **MANAGED_BY_MGN),
    _by_mgn(("ec2:DeleteVolume",), "volume", **MANAGED_BY_MGN),
)
UPDATE_LAUNCH_SETTINGS = (
    Permission(("mgn:UpdateLaunchConfiguration",), SOURCE_SERVERS, RUN_TIME_IDS),
    Permission(
        ("ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"), LAUNCH_TEMPLATES, RUN_TIME_IDS, MANAGED_BY_MGN
    ),
)
RESTORE_LAUNCH_TEMPLATE = Permission(("ec2:ModifyLaunchTemplate",), LAUNCH_TEMPLATES, RUN_TIME_IDS, MANAGED_BY_MGN)
FINALIZE = Permission(("mgn:FinalizeCutover",), SOURCE_SERVERS, RUN_TIME_IDS)
