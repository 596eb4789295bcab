"""validate_input: claim, check against live state, lock (I2)."""

from collections.abc import Callable
from datetime import datetime

import pytest

from runtime.errors import (
    MgnNotInitializedError,
    RecordChangedError,
    ServiceUnavailableError,
    TargetAccountError,
)
from runtime.logic.ingress import accept
from runtime.logic.signals import execution_ended
from runtime.logic.steps.validate_input import validate
from runtime.models.functions.environment import DecisionRules
from runtime.models.functions.steps import Plan, ValidateInput, Verdict
from runtime.models.mgn import Inventory, NetworkFacts, SourceServer
from runtime.models.record import JournalEntry, Lock, MigrationRecord
from runtime.models.request import Gate
from runtime.models.scope import Scope
from runtime.models.status import MigrationStatus
from tests.builders import (
    JOB_ID,
    OTHER_SERVER_ID,
    SCOPE,
    SECURITY_GROUP_ID,
    SERVER_ID,
    SUBNET_ID,
    TARGET_ACCOUNT,
    TARGET_REGION,
    TARGET_SCOPE,
    a_job,
    a_lock,
    a_record,
    a_request,
    a_server,
    an_entry,
)
from tests.fakes import FakeMgn, FakePorts
from tests.unit.runtime.stages import EXECUTION, a_step, a_world, accepted, the_record

TEST_SUBNET, TEST_GROUP = "subnet-99999999", "sg-99999999"
Journals = Callable[[FakePorts], list[str]]


def run(ports: FakePorts, execution: str = EXECUTION) -> Plan:
    return validate(a_step(ValidateInput, execution=execution), ports)


def test_success_flow_claims_locks_and_plans() -> None:
    ports = a_world()
    accepted(ports)
    plan = run(ports)
    record = the_record(ports)
    assert (plan.verdict, plan.runs_test, plan.cuts_over) == (Verdict.ACCEPTED, True, True)
    assert (record.status, record.execution, record.scope) == (MigrationStatus.VALIDATING, EXECUTION, SCOPE)
    assert (record.source_server_id, record.lifecycle_before) == (SERVER_ID, "READY_FOR_TEST")
    held = ports.migrations.lock_of(SCOPE, SERVER_ID)
    assert held is not None
    assert held.owner == "mig-1"


def test_plan_carries_what_the_request_asked_for() -> None:
    ports = a_world()
    accepted(ports, test=False, soak_seconds=60, approval={"cutover": True, "finalize": True})
    plan = run(ports)
    assert plan.to_json() == (
        '{"verdict":"accepted","runsTest":false,"cutsOver":true,"soaks":true,'
        '"approvesCutover":true,"approvesFinalize":true}'
    )


def test_i14_gate_that_the_stage_requires_cannot_be_left_out_by_a_request() -> None:
    ports = a_world()
    ports.decision_rules = DecisionRules(required_gates=(Gate.FINALIZE,))
    accepted(ports, test=False, approval={"cutover": True})
    plan = run(ports)
    assert (plan.approves_cutover, plan.approves_finalize) == (True, True)
    record = the_record(ports)
    assert (record.required_gates, record.gates) == ((Gate.FINALIZE,), (Gate.CUTOVER, Gate.FINALIZE))
    assert record.reason == f"resolved to {SERVER_ID}, READY_FOR_TEST; the stage requires approval of finalize"
    assert not record.request.approval.finalize


@pytest.mark.parametrize("required", [(), (Gate.CUTOVER, Gate.FINALIZE)])
def test_i13_gates_stay_as_they_were_when_the_route_was_chosen(required: tuple[Gate, ...]) -> None:
    ports = a_world()
    ports.decision_rules = DecisionRules(required_gates=(Gate.CUTOVER,))
    accepted(ports)
    chosen = run(ports)
    # When the stage is deployed with other rules, and the step runs again
    ports.decision_rules = DecisionRules(required_gates=required)
    assert run(ports) == chosen
    assert the_record(ports).gates == (Gate.CUTOVER,)


@pytest.mark.parametrize(("seconds", "soaks"), [(0, False), (1, True)])
def test_plan_soaks_for_any_time_at_all(seconds: int, soaks: bool) -> None:
    ports = a_world()
    accepted(ports, soak_seconds=seconds)
    assert run(ports).soaks is soaks


def test_test_mode_does_not_cut_over() -> None:
    ports = a_world()
    accepted(ports, mode="test")
    plan = run(ports)
    assert (plan.runs_test, plan.cuts_over) == (True, False)


def test_second_execution_of_one_migration_is_a_duplicate_and_changes_nothing() -> None:
    ports = a_world()
    accepted(ports)
    run(ports)
    before = the_record(ports)
    assert run(ports, execution="another").verdict is Verdict.DUPLICATE
    assert the_record(ports) == before


def test_step_run_again_gives_the_same_plan_and_writes_nothing() -> None:
    ports = a_world()
    accepted(ports)
    first = run(ports)
    before = ports.migrations.journal("mig-1")
    assert run(ports) == first
    assert ports.migrations.journal("mig-1") == before


def test_migration_whose_server_was_resolved_is_not_checked_again_when_its_step_runs_again() -> None:
    # Given a step that died after it had written which server it is about
    ports = a_world()
    accepted(ports)
    first = run(ports)
    # When by now it would be refused
    ports.mgn.started.append(a_job())
    assert run(ports) == first
    assert the_record(ports).status is MigrationStatus.VALIDATING
    assert ports.migrations.locks[SCOPE, SERVER_ID].owner == "mig-1"


def list_read_earlier(ports: FakePorts, *servers: SourceServer) -> None:
    """Have MGN's list of servers kept from when it had these."""
    listed_now = ports.mgn.active_servers

    def active_servers(*, since: datetime | None = None) -> Inventory:
        return listed_now() if since == the_record(ports).created_at else Inventory(servers)

    ports.mgn.active_servers = active_servers  # type: ignore[method-assign]


def test_server_that_came_after_the_list_was_read_is_found_by_its_name() -> None:
    ports = a_world()
    list_read_earlier(ports)
    accepted(ports)
    assert run(ports).verdict is Verdict.ACCEPTED
    assert the_record(ports).source_server_id == SERVER_ID


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (a_server(state="CUTTING_OVER"), "is CUTTING_OVER; it must be one of"),
        (a_server(is_archived=True), "is archived; reinstall the agent"),
    ],
)
def test_server_that_changed_after_the_list_was_read_is_judged_as_it_is_now(now: SourceServer, reason: str) -> None:
    ports = a_world(now)
    list_read_earlier(ports, a_server())
    accepted(ports)
    assert run(ports).verdict is Verdict.REJECTED
    assert reason in the_record(ports).reason


NODE = "mi-0123456789abcdef0"
COMMAND = {"instance_id": NODE, "document": "AWS-RunShellScript"}
CHECK = {"type": "ssm", "document": "Ours-Probe"}


def with_commands(ports: FakePorts, *documents: str, node_is: str | None = SERVER_ID) -> Plan:
    """Validate a request with a command on its source and one on its target, on a stage with these documents."""
    ports.documents = documents
    ports.instances.tagged |= {NODE: node_is} if node_is else {}
    accepted(ports, pre_migration_command=COMMAND, checks=[{"type": "tcp", "port": 1}, CHECK])
    return run(ports)


def test_command_on_the_tagged_source_with_documents_of_the_stage_is_accepted() -> None:
    ports = a_world()
    assert with_commands(ports, "AWS-RunShellScript", "Ours-Probe").verdict is Verdict.ACCEPTED


def test_stage_runs_no_document_that_it_does_not_list() -> None:
    ports = a_world()
    assert with_commands(ports).verdict is Verdict.REJECTED
    assert the_record(ports).reason.split("; ")[::2] == [
        "preMigrationCommand.document: AWS-RunShellScript is not among the documents of this stage (it has none)",
        "checks[1].document: Ours-Probe is not among the documents of this stage (it has none)",
    ]


def test_node_that_does_not_say_it_is_the_source_server_gets_no_command_and_the_next_step_is_named() -> None:
    ports = a_world()
    assert with_commands(ports, "AWS-RunShellScript", node_is=None).verdict is Verdict.REJECTED
    reason = the_record(ports).reason
    assert "checks[1].document: Ours-Probe is not among the documents of this stage (AWS-RunShellScript)" in reason
    assert (
        f"preMigrationCommand.instanceId: {NODE} is not known to be {SERVER_ID} (it has no tag migration-source-server)"
        f"; correct it, or have its owner run: aws ssm add-tags-to-resource --resource-type ManagedInstance "
        f"--resource-id {NODE} --tags Key=migration-source-server,Value={SERVER_ID}"
    ) in reason
    assert ports.migrations.lock_of(SCOPE, SERVER_ID) is None


def test_node_of_another_server_gets_no_command() -> None:
    ports = a_world()
    with_commands(ports, "AWS-RunShellScript", "Ours-Probe", node_is=OTHER_SERVER_ID)
    assert f"(its tag migration-source-server says {OTHER_SERVER_ID})" in the_record(ports).reason


def test_ec2_node_is_tagged_where_ec2_keeps_its_tags() -> None:
    ports = a_world()
    ports.documents = ("AWS-RunShellScript",)
    accepted(ports, pre_migration_command={**COMMAND, "instance_id": "i-0123456789abcdef0"})
    run(ports)
    tag = f"Key=migration-source-server,Value={SERVER_ID}"
    assert f"aws ec2 create-tags --resources i-0123456789abcdef0 --tags {tag}" in the_record(ports).reason


KEY = "arn:aws:kms:us-east-1:111122223333:key/1"


def test_server_under_a_key_the_pipeline_may_use_is_accepted() -> None:
    ports = a_world()
    ports.launch_settings.encrypt(SERVER_ID, KEY)
    ports.ebs_keys = (KEY,)
    accepted(ports)
    assert run(ports).verdict is Verdict.ACCEPTED


def test_server_under_another_key_is_rejected_before_its_launch_fails() -> None:
    ports = a_world()
    ports.launch_settings.encrypt(SERVER_ID, KEY)
    accepted(ports)
    assert run(ports).verdict is Verdict.REJECTED
    reason = the_record(ports).reason
    assert f"ebsEncryptionKeyArn: the volumes of {SERVER_ID} are under {KEY}, which is not among the keys" in reason
    assert "have it added to ebs_key_arns in the stage's settings" in reason
    assert ports.migrations.lock_of(SCOPE, SERVER_ID) is None


def test_account_that_denies_the_replication_settings_is_named() -> None:
    ports = a_world()
    ports.launch_settings.ebs_key = denied  # type: ignore[method-assign]
    accepted(ports)
    assert run(ports).verdict is Verdict.REJECTED
    assert the_record(ports).reason == "not authorized to perform mgn:GetReplicationConfiguration"


def denied(source_server_id: str) -> str | None:
    raise TargetAccountError("not authorized to perform mgn:GetReplicationConfiguration")


def test_network_of_the_test_launch_is_looked_for_beside_that_of_the_cutover() -> None:
    ports = a_world()
    ports.network.known = NetworkFacts(
        vpc_by_subnet={SUBNET_ID: "vpc-a", TEST_SUBNET: "vpc-b"},
        vpc_by_security_group={SECURITY_GROUP_ID: "vpc-a", TEST_GROUP: "vpc-b"},
        known_instance_types=("m5.large",),
    )
    accepted(ports, launch={"test_subnet_id": TEST_SUBNET, "test_security_group_ids": [TEST_GROUP]})
    assert run(ports).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("named", [{"instance_type": "m5.large"}, {"subnet_id": SUBNET_ID}])
def test_request_that_names_only_a_type_or_only_a_subnet_has_it_looked_for(named: dict[str, str]) -> None:
    ports = a_world()
    accepted(ports, **{"instance_type": None, "subnet_id": None, "security_group_ids": None, **named})
    assert run(ports).verdict is Verdict.ACCEPTED


def test_all_broken_rules_are_reported_at_once() -> None:
    ports = a_world(a_server(state="TESTING", replication="PAUSED"))
    ports.network.known = NetworkFacts()
    window = {"not_before": "2026-01-01T00:00:00Z", "not_after": "2026-01-02T00:00:00Z"}
    accepted(ports, window=window)
    assert run(ports).verdict is Verdict.REJECTED
    reason = the_record(ports).reason
    assert all(word in reason for word in ("window:", "subnetId:", "security group", "instanceType:", "TESTING"))
    assert "replication is PAUSED" in reason


@pytest.mark.parametrize(
    ("servers", "reason"),
    [
        ([], "no active MGN source server matches"),
        ([a_server(), a_server(OTHER_SERVER_ID)], "matches 2 source servers"),
        ([a_server(is_archived=True)], "no active MGN source server matches"),
        ([a_server(state="DISCONNECTED")], "no active MGN source server matches"),
    ],
)
def test_server_that_cannot_be_resolved_is_rejected_without_a_lock(servers: list[object], reason: str) -> None:
    ports = FakePorts(FakeMgn(*servers))  # type: ignore[arg-type]
    accepted(ports)
    assert run(ports).verdict is Verdict.REJECTED
    assert reason in the_record(ports).reason
    assert ports.migrations.locks == {}


def test_archived_twin_of_the_same_name_is_ignored() -> None:
    ports = FakePorts(FakeMgn(a_server(OTHER_SERVER_ID, is_archived=True), a_server()))
    accepted(ports)
    assert run(ports).verdict is Verdict.ACCEPTED
    assert the_record(ports).source_server_id == SERVER_ID


def test_server_id_in_the_request_wins_over_the_name() -> None:
    ports = FakePorts(FakeMgn(a_server(), a_server(OTHER_SERVER_ID)))
    accepted(ports, source_server_id=OTHER_SERVER_ID)
    run(ports)
    assert the_record(ports).source_server_id == OTHER_SERVER_ID
    assert "active_servers" not in ports.mgn.calls


def test_disconnected_server_named_by_id_is_rejected() -> None:
    ports = a_world(a_server(state="DISCONNECTED"))
    accepted(ports, source_server_id=SERVER_ID)
    run(ports)
    assert "is disconnected" in the_record(ports).reason


def locked_by_another(status: MigrationStatus, source_server_id: str | None) -> FakePorts:
    ports = a_world()
    owner = a_record("mig-2", status=status, source_server_id=source_server_id)
    ports.migrations.append(owner, an_entry(owner))
    ports.migrations.lock(a_lock(owner="mig-2"))
    accepted(ports)
    return ports


@pytest.mark.parametrize(
    ("status", "named"),
    [
        (MigrationStatus.VALIDATING, None),
        (MigrationStatus.PREPARING, SERVER_ID),
        (MigrationStatus.ROLLING_BACK, None),
        (MigrationStatus.FROZEN, SERVER_ID),
    ],
)
def test_i2_server_locked_by_another_migration_is_rejected_and_stays_theirs(
    status: MigrationStatus, named: str | None
) -> None:
    ports = locked_by_another(status, named)
    assert run(ports).verdict is Verdict.REJECTED
    assert "belongs to migration mig-2" in the_record(ports).reason
    assert ports.migrations.locks[SCOPE, SERVER_ID].owner == "mig-2"


@pytest.mark.parametrize(
    ("status", "named"),
    [
        (MigrationStatus.ROLLED_BACK, None),
        (MigrationStatus.CANCELLED, None),
        (MigrationStatus.REJECTED, None),
        (MigrationStatus.COMPLETED, SERVER_ID),
        (MigrationStatus.FROZEN, None),
    ],
)
def test_i2_lock_its_owner_left_behind_is_taken_over_and_the_journal_says_so(
    status: MigrationStatus, named: str | None
) -> None:
    ports = locked_by_another(status, named)
    assert run(ports).verdict is Verdict.ACCEPTED
    assert ports.migrations.locks[SCOPE, SERVER_ID].owner == "mig-1"
    took_over = f"took over the lock of mig-2 ({status}), claimed, since 2026-01-05T12:00:00+00:00"
    assert took_over in the_record(ports).reason


def test_i2_lock_whose_owner_has_expired_is_taken_over() -> None:
    ports = a_world()
    ports.migrations.lock(a_lock(owner="mig-2"))
    accepted(ports)
    assert run(ports).verdict is Verdict.ACCEPTED
    assert "took over the lock of mig-2 (expired)" in the_record(ports).reason


def test_i2_of_two_that_take_a_lock_over_the_slower_one_is_rejected() -> None:
    ports = locked_by_another(MigrationStatus.ROLLED_BACK, None)
    rival = a_record("mig-3", status=MigrationStatus.VALIDATING)
    ports.migrations.append(rival, an_entry(rival))
    drop = ports.migrations.unlock

    def taken_over_meanwhile(lock: Lock) -> None:
        drop(lock)
        ports.migrations.lock(a_lock(owner="mig-3"))

    ports.migrations.unlock = taken_over_meanwhile  # type: ignore[method-assign]
    assert run(ports).verdict is Verdict.REJECTED
    assert ports.migrations.locks[SCOPE, SERVER_ID].owner == "mig-3"


def test_i2_server_of_an_execution_that_died_before_it_journaled_its_lock_can_be_migrated_again() -> None:
    # Given an execution that is stopped between taking the lock and noting it
    ports = a_world()
    accepted(ports)
    keep = ports.migrations.append

    def stopped(record: MigrationRecord, entry: JournalEntry, *, unlock: Lock | None = None) -> None:
        if entry.facts.source_server_id:
            raise ServiceUnavailableError("stopped")
        keep(record, entry, unlock=unlock)

    ports.migrations.append = stopped  # type: ignore[method-assign]
    with pytest.raises(ServiceUnavailableError):
        run(ports)
    ports.migrations.append = keep  # type: ignore[method-assign]
    execution_ended(ports, "mig-1", EXECUTION, "ABORTED")
    # When the server is sent again
    accept(ports, a_request("mig-2", correlation_id="cor-mig-2"))
    plan = validate(a_step(ValidateInput, migration_id="mig-2", execution="second"), ports)
    # Then nobody has to release what no migration holds
    assert plan.verdict is Verdict.ACCEPTED
    assert ports.migrations.locks[SCOPE, SERVER_ID].owner == "mig-2"


def test_server_in_somebodys_active_job_is_rejected_and_unlocked() -> None:
    ports = a_world()
    ports.mgn.started.append(a_job())
    accepted(ports)
    assert run(ports).verdict is Verdict.REJECTED
    assert JOB_ID in the_record(ports).reason
    assert ports.migrations.locks == {}


def test_region_where_mgn_was_never_initialized_is_rejected_with_the_other_rules() -> None:
    ports = a_world()
    ports.mgn.failures["active_servers"] = [MgnNotInitializedError("UninitializedAccountException")]
    accepted(ports, instance_type="m5.metal")
    assert run(ports).verdict is Verdict.REJECTED
    assert "UninitializedAccountException" in the_record(ports).reason
    assert "m5.metal" in the_record(ports).reason


def test_rejected_migration_stays_rejected_when_its_step_runs_again() -> None:
    ports = FakePorts(FakeMgn())
    accepted(ports)
    run(ports)
    assert run(ports).verdict is Verdict.REJECTED
    assert [entry.to_status for entry in ports.migrations.journal("mig-1")] == ["RECEIVED", "VALIDATING", "REJECTED"]


def test_migration_the_table_does_not_show_yet_is_tried_again() -> None:
    with pytest.raises(RecordChangedError, match="mig-1"):
        run(a_world())


def test_i2_mgn_failing_during_validation_leaves_no_lock_behind() -> None:
    ports = a_world()
    ports.mgn.failures["jobs_since"] = [ServiceUnavailableError("500")]
    accepted(ports)
    with pytest.raises(ServiceUnavailableError):
        run(ports)
    assert ports.migrations.locks == {}


def test_i2_of_two_migrations_of_one_server_one_is_rejected() -> None:
    ports = a_world()
    for name in ("mig-1", "mig-2"):
        accept(ports, a_request(name, correlation_id=f"cor-{name}"))
    plans = [
        validate(a_step(ValidateInput, migration_id=name, execution=name), ports).verdict for name in ("mig-1", "mig-2")
    ]
    assert plans == [Verdict.ACCEPTED, Verdict.REJECTED]
    second: MigrationRecord = the_record(ports, "mig-2")
    assert "belongs to migration mig-1" in second.reason


def two_accounts() -> FakePorts:
    """The same server id in the pipeline's own account and Region and in a target."""
    ports = FakePorts(FakeMgn(a_server()), targets=(TARGET_SCOPE,))
    ports.at(TARGET_SCOPE).mgn.add(a_server())
    return ports


def test_request_for_a_target_is_checked_and_locked_there() -> None:
    ports = two_accounts()
    accepted(ports, target_account=TARGET_ACCOUNT, target_region=TARGET_REGION)
    assert run(ports).verdict is Verdict.ACCEPTED
    assert the_record(ports).scope == TARGET_SCOPE
    assert ports.mgn.calls == []
    assert list(ports.migrations.locks) == [(TARGET_SCOPE, SERVER_ID)]


@pytest.mark.parametrize(
    ("named", "scope"),
    [
        ({}, SCOPE),
        ({"target_account": "111122223333", "target_region": "us-east-1"}, SCOPE),
        ({"target_region": "eu-west-1"}, Scope("111122223333", "eu-west-1")),
        ({"target_account": TARGET_ACCOUNT}, Scope(TARGET_ACCOUNT, "us-east-1")),
    ],
)
def test_absent_account_or_region_is_the_pipelines_own(named: dict[str, str], scope: Scope) -> None:
    ports = FakePorts(FakeMgn(a_server()), targets=(scope,))
    accepted(ports, **named)
    run(ports)
    assert the_record(ports).scope == scope


def test_account_that_is_no_target_is_rejected_with_the_other_rules_and_never_called() -> None:
    ports = a_world()
    window = {"not_before": "2026-01-01T00:00:00Z", "not_after": "2026-01-02T00:00:00Z"}
    accepted(ports, target_account=TARGET_ACCOUNT, window=window)
    assert run(ports).verdict is Verdict.REJECTED
    assert "window:" in the_record(ports).reason
    assert f"{TARGET_ACCOUNT} us-east-1 is no target of this deployment" in the_record(ports).reason
    assert ports.at(Scope(TARGET_ACCOUNT, "us-east-1")).mgn.calls == []


def test_account_that_refuses_its_role_is_rejected_with_what_to_do() -> None:
    ports = two_accounts()
    refusal = TargetAccountError("targetAccount: 222233334444 refuses its role")
    ports.at(TARGET_SCOPE).mgn.failures["active_servers"] = [refusal]
    accepted(ports, target_account=TARGET_ACCOUNT, target_region=TARGET_REGION, instance_type="m5.metal")
    assert run(ports).verdict is Verdict.REJECTED
    assert "refuses its role" in the_record(ports).reason


def test_region_without_mgn_is_named() -> None:
    ports = two_accounts()
    ports.at(TARGET_SCOPE).mgn.failures["active_servers"] = [MgnNotInitializedError("Uninitialized")]
    accepted(ports, target_account=TARGET_ACCOUNT, target_region=TARGET_REGION)
    run(ports)
    assert "targetRegion: MGN is not initialized in eu-west-1 of account 222233334444" in the_record(ports).reason


def test_i2_server_id_locked_in_one_account_is_free_in_another() -> None:
    ports = two_accounts()
    ports.migrations.lock(a_lock(owner="mig-2"))
    accepted(ports, target_account=TARGET_ACCOUNT, target_region=TARGET_REGION)
    assert run(ports).verdict is Verdict.ACCEPTED
