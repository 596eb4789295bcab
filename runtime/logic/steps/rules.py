"""Business rules and preflight. Every broken rule is reported at once."""

from collections.abc import Sequence
from datetime import datetime

from runtime.errors import MgnNotInitializedError
from runtime.logic.lookups.readiness import is_gone
from runtime.models.functions.environment import Budgets
from runtime.models.mgn import SOURCE_SERVER_TAG, Job, LifeCycleState, NetworkFacts, SourceServer
from runtime.models.record import Lock
from runtime.models.request import FARTHEST_WINDOW, MigrationRequest, SsmCheck
from runtime.models.scope import Scope

_STARTABLE = (LifeCycleState.NOT_READY, LifeCycleState.READY_FOR_TEST, LifeCycleState.READY_FOR_CUTOVER)
_HOPELESS_REPLICATION = ("STOPPED", "DISCONNECTED", "PAUSED")


def broken_target_rules(scope: Scope, scopes: Sequence[Scope]) -> tuple[str, ...]:
    """What is wrong with the account and Region a request names."""
    if scope in scopes:
        return ()
    known = ", ".join(f"{other.account} {other.region}" for other in scopes)
    return (
        f"targetAccount, targetRegion: {scope.account} {scope.region} is no target of this deployment "
        f"(targets are {known}); "
        "correct the request, or have it added to the stage's targets",
    )


def uninitialized(scope: Scope, error: MgnNotInitializedError) -> str:
    """The rule a Region without MGN breaks."""
    return (
        f"targetRegion: MGN is not initialized in {scope.region} of account {scope.account}; "
        f"initialize it there ({error})"
    )


def broken_server_rules(request: MigrationRequest, matches: Sequence[SourceServer]) -> tuple[str, ...]:
    """What is wrong with the source server a request names."""
    named = request.source_server_id or request.source_vm_id
    if not matches:
        return (f"no active MGN source server matches {named!r}; install the agent or correct sourceVmId",)
    if len(matches) > 1:
        found = ", ".join(sorted(s.source_server_id for s in matches))
        return (f"{named!r} matches {len(matches)} source servers ({found}); name one with sourceServerId",)
    server = matches[0]
    if is_gone(server):
        what = "archived" if server.is_archived else "disconnected"
        return (f"{server.source_server_id} is {what}; reinstall the agent to migrate it again",)
    if server.state == LifeCycleState.CUTOVER:
        return (
            f"{server.source_server_id} is CUTOVER: its cutover is final, so there is nothing left to migrate; "
            "archive it in MGN, or reinstall its agent to migrate it anew",
        )
    broken = []
    if server.state not in _STARTABLE:
        broken.append(
            f"{server.source_server_id} is {server.state}; it must be one of {', '.join(_STARTABLE)}: "
            "revert or finish the launch that someone else began"
        )
    replication = server.data_replication_info.data_replication_state
    if replication in _HOPELESS_REPLICATION:
        broken.append(f"replication is {replication}; start it in MGN first")
    return tuple(broken)


def broken_ownership_rules(
    request: MigrationRequest, server: SourceServer, holder: Lock, active_jobs: Sequence[Job]
) -> tuple[str, ...]:
    """What is wrong with starting now: another migration, or somebody's MGN job."""
    broken = []
    if holder.owner != request.migration_id:
        broken.append(
            f"{server.source_server_id} belongs to migration {holder.owner} since {holder.since.isoformat()}; "
            "wait for its end, or release it if it is frozen"
        )
    broken += [
        f"{server.source_server_id} is in the active MGN job {job.job_id}; wait for its end" for job in active_jobs
    ]
    return tuple(broken)


def broken_launch_rules(request: MigrationRequest, facts: NetworkFacts) -> tuple[str, ...]:
    """What is wrong with the launch settings."""
    launch = request.launch
    groups, test_groups = request.security_group_ids or (), launch.test_security_group_ids or ()
    subnets = (("subnetId", request.subnet_id), ("launch.testSubnetId", launch.test_subnet_id))
    broken = [
        f"{field}: {subnet} does not exist in the target account and Region"
        for field, subnet in subnets
        if subnet and subnet not in facts.vpc_by_subnet
    ]
    broken += [
        f"security group {g} does not exist" for g in (*groups, *test_groups) if g not in facts.vpc_by_security_group
    ]
    # What the test leaves out it takes from the cutover.
    networks = ((request.subnet_id, groups), (launch.test_subnet_id or request.subnet_id, test_groups or groups))
    for subnet, placed in networks:
        vpc = facts.vpc_by_subnet.get(subnet or "")
        strangers = [g for g in placed if vpc and facts.vpc_by_security_group.get(g, vpc) != vpc]
        broken += [f"security group {g} is not in the VPC of {subnet} ({vpc})" for g in strangers]
    if request.security_group_ids and not request.subnet_id:
        broken.append("securityGroupIds need a subnetId, or MGN launches them into the default VPC")
    if request.instance_type and request.instance_type not in facts.known_instance_types:
        broken.append(f"instanceType: {request.instance_type} is not offered in this Region")
    return tuple(dict.fromkeys(broken))


def broken_document_rules(request: MigrationRequest, documents: Sequence[str]) -> tuple[str, ...]:
    """What is wrong with the SSM documents a request runs: they run as root, so the stage says which there are."""
    command = request.pre_migration_command
    named = [("preMigrationCommand.document", command.document)] if command else []
    named += [(f"checks[{n}].document", c.document) for n, c in enumerate(request.checks) if isinstance(c, SsmCheck)]
    return tuple(
        f"{field}: {document} is not among the documents of this stage ({', '.join(documents) or 'it has none'}); "
        "name one of them, or have it added to documents in the stage's settings"
        for field, document in named
        if document not in documents
    )


def broken_node_rules(request: MigrationRequest, server: SourceServer, named: str | None) -> tuple[str, ...]:
    """What is wrong with the node of the pre-migration command, whose tag names a server: it must be this one."""
    command = request.pre_migration_command
    if command is None or named == server.source_server_id:
        return ()
    node, tag = command.instance_id, f"Key={SOURCE_SERVER_TAG},Value={server.source_server_id}"
    if node.startswith("mi-"):
        fix = f"aws ssm add-tags-to-resource --resource-type ManagedInstance --resource-id {node} --tags {tag}"
    else:
        fix = f"aws ec2 create-tags --resources {node} --tags {tag}"
    said = f"its tag {SOURCE_SERVER_TAG} says {named}" if named else f"it has no tag {SOURCE_SERVER_TAG}"
    return (
        f"preMigrationCommand.instanceId: {node} is not known to be {server.source_server_id} ({said}); "
        f"correct it, or have its owner run: {fix}",
    )


def broken_key_rules(server: SourceServer, key: str | None, keys: Sequence[str]) -> tuple[str, ...]:
    """What is wrong with the customer key of a server's volumes: without it the launch fails after the conversion."""
    if key is None or key in keys:
        return ()
    return (
        f"ebsEncryptionKeyArn: the volumes of {server.source_server_id} are under {key}, which is not among the keys "
        f"the pipeline may use there ({', '.join(keys) or 'it has none'}); have it added to ebs_key_arns in the "
        "stage's settings, or change the server's replication settings in MGN",
    )


def broken_window_rules(request: MigrationRequest, *, now: datetime, budgets: Budgets) -> tuple[str, ...]:
    """What is wrong with the cutover window, seen from now."""
    if request.window is None:
        return ()
    if request.window.not_after > now + FARTHEST_WINDOW:
        return (
            f"window.notAfter: {request.window.not_after.isoformat()} is more than {FARTHEST_WINDOW.days} days ahead",
        )
    left = (request.window.not_after - max(now, request.window.not_before)).total_seconds()
    if left >= budgets.min_window:
        return ()
    return (
        f"window: {max(left, 0):.0f} s are left until notAfter {request.window.not_after.isoformat()}; "
        f"at least {budgets.min_window} s are needed",
    )
