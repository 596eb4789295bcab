"""Business rules and preflight, each by its name."""

from datetime import timedelta
from typing import Any

import pytest

from runtime.logic.steps.rules import (
    broken_launch_rules,
    broken_ownership_rules,
    broken_server_rules,
    broken_target_rules,
    broken_window_rules,
)
from runtime.models.functions.environment import Budgets
from runtime.models.mgn import NetworkFacts
from runtime.models.request import Window
from runtime.models.scope import Scope
from tests.builders import (
    JOB_ID,
    NOON,
    OTHER_SERVER_ID,
    SCOPE,
    SECURITY_GROUP_ID,
    SERVER_ID,
    SUBNET_ID,
    TARGET_SCOPE,
    a_job,
    a_lock,
    a_request,
    a_server,
)

TEST_SUBNET, TEST_GROUP = "subnet-99999999", "sg-99999999"
FACTS = NetworkFacts(
    vpc_by_subnet={SUBNET_ID: "vpc-a", TEST_SUBNET: "vpc-b"},
    vpc_by_security_group={SECURITY_GROUP_ID: "vpc-a", TEST_GROUP: "vpc-b"},
    known_instance_types=("m5.large",),
)


def test_healthy_server_breaks_no_rule() -> None:
    assert broken_server_rules(a_request(), [a_server()]) == ()


def test_server_unknown_to_mgn_says_what_was_looked_for() -> None:
    (rule,) = broken_server_rules(a_request(), [])
    assert "no active MGN source server matches 'billing-web-01'" in rule


def test_name_of_several_servers_lists_them() -> None:
    (rule,) = broken_server_rules(a_request(), [a_server(OTHER_SERVER_ID), a_server()])
    assert f"({SERVER_ID}, {OTHER_SERVER_ID})" in rule
    assert "sourceServerId" in rule


@pytest.mark.parametrize(
    ("changes", "word"), [({"is_archived": True}, "archived"), ({"state": "DISCONNECTED"}, "disconnected")]
)
def test_server_that_left_mgn_is_named_so(changes: dict[str, Any], word: str) -> None:
    (rule,) = broken_server_rules(a_request(), [a_server(**changes)])
    assert f"is {word}; reinstall the agent" in rule


@pytest.mark.parametrize("state", ["TESTING", "CUTTING_OVER", "STOPPED", "DISCOVERED", "SOMETHING_NEW"])
def test_lifecycle_that_does_not_fit_is_refused(state: str) -> None:
    (rule,) = broken_server_rules(a_request(), [a_server(state=state)])
    assert rule.startswith(f"{SERVER_ID} is {state}; it must be one of NOT_READY")


def test_server_whose_cutover_is_final_is_told_as_such() -> None:
    (rule,) = broken_server_rules(a_request(), [a_server(state="CUTOVER")])
    assert rule.startswith(f"{SERVER_ID} is CUTOVER: its cutover is final, so there is nothing left to migrate")


@pytest.mark.parametrize("state", ["NOT_READY", "READY_FOR_TEST", "READY_FOR_CUTOVER"])
def test_lifecycle_before_a_launch_is_accepted(state: str) -> None:
    assert broken_server_rules(a_request(), [a_server(state=state)]) == ()


@pytest.mark.parametrize("replication", ["STOPPED", "DISCONNECTED", "PAUSED"])
def test_replication_that_will_not_come_back_by_itself_is_refused(replication: str) -> None:
    assert f"replication is {replication}" in broken_server_rules(a_request(), [a_server(replication=replication)])[0]


@pytest.mark.parametrize("replication", ["STALLED", "INITIAL_SYNC", "RESCAN", "BACKLOG"])
def test_replication_that_may_heal_is_waited_for(replication: str) -> None:
    assert broken_server_rules(a_request(), [a_server(replication=replication)]) == ()


def test_i2_server_of_another_migration_is_refused() -> None:
    (rule,) = broken_ownership_rules(a_request(), a_server(), a_lock(owner="mig-2"), [])
    assert "belongs to migration mig-2 since 2026-01-05T12:00:00+00:00" in rule


def test_server_in_an_active_job_is_refused_and_the_job_named() -> None:
    (rule,) = broken_ownership_rules(a_request(), a_server(), a_lock(), [a_job()])
    assert f"active MGN job {JOB_ID}" in rule


def test_launch_settings_that_exist_and_agree_break_no_rule() -> None:
    launch = {"test_subnet_id": TEST_SUBNET, "test_security_group_ids": [TEST_GROUP]}
    assert broken_launch_rules(a_request(launch=launch), FACTS) == ()


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"subnet_id": "subnet-00000000"}, "subnetId: subnet-00000000 does not exist"),
        ({"security_group_ids": ["sg-00000000"]}, "security group sg-00000000 does not exist"),
        ({"security_group_ids": [TEST_GROUP]}, f"{TEST_GROUP} is not in the VPC of {SUBNET_ID} (vpc-a)"),
        ({"subnet_id": None}, "securityGroupIds need a subnetId"),
        ({"instance_type": "m5.huge"}, "instanceType: m5.huge is not offered in this Region"),
        (
            {"launch": {"test_subnet_id": "subnet-00000000", "test_security_group_ids": [TEST_GROUP]}},
            "launch.testSubnetId: subnet-00000000 does not exist",
        ),
        ({"launch": {"test_security_group_ids": [TEST_GROUP]}}, f"{TEST_GROUP} is not in the VPC of {SUBNET_ID}"),
        ({"launch": {"test_subnet_id": TEST_SUBNET}}, f"{SECURITY_GROUP_ID} is not in the VPC of {TEST_SUBNET}"),
    ],
)
def test_launch_setting_that_cannot_work_is_refused(changes: dict[str, Any], rule: str) -> None:
    (broken,) = broken_launch_rules(a_request(**changes), FACTS)
    assert rule in broken


def test_launch_settings_left_out_break_no_rule() -> None:
    request = a_request(subnet_id=None, security_group_ids=None, instance_type=None)
    assert broken_launch_rules(request, NetworkFacts()) == ()


def a_window(starts: float, ends: float) -> Window:
    return Window(not_before=NOON + timedelta(seconds=starts), not_after=NOON + timedelta(seconds=ends))


@pytest.mark.parametrize(
    ("starts", "ends", "left"), [(-7_200, -3_600, "0 s"), (-3_600, 1_799, "1799 s"), (3_600, 4_600, "1000 s")]
)
def test_window_that_is_past_or_too_short_is_refused(starts: float, ends: float, left: str) -> None:
    request = a_request(window=a_window(starts, ends))
    (rule,) = broken_window_rules(request, now=NOON, budgets=Budgets())
    assert rule.startswith(f"window: {left} are left until notAfter")


@pytest.mark.parametrize(("starts", "ends"), [(-3_600, 1_800), (0, 1_800), (86_400, 90_000)])
def test_window_long_enough_is_accepted(starts: float, ends: float) -> None:
    assert broken_window_rules(a_request(window=a_window(starts, ends)), now=NOON, budgets=Budgets()) == ()


def test_window_ends_within_nine_months_well_before_the_year_an_execution_may_last() -> None:
    farthest = 270 * 86_400
    assert broken_window_rules(a_request(window=a_window(0, farthest)), now=NOON, budgets=Budgets()) == ()
    (rule,) = broken_window_rules(a_request(window=a_window(0, farthest + 1)), now=NOON, budgets=Budgets())
    assert rule == "window.notAfter: 2026-10-02T12:00:01+00:00 is more than 270 days ahead"


def test_request_without_a_window_breaks_no_window_rule() -> None:
    assert broken_window_rules(a_request(), now=NOON, budgets=Budgets()) == ()


def test_account_and_region_must_be_home_or_a_target() -> None:
    assert (
        broken_target_rules(SCOPE, (SCOPE, TARGET_SCOPE))
        == broken_target_rules(TARGET_SCOPE, (SCOPE, TARGET_SCOPE))
        == ()
    )
    (rule,) = broken_target_rules(Scope("222233334444", "eu-north-1"), (SCOPE, TARGET_SCOPE))
    assert rule.startswith("targetAccount, targetRegion: 222233334444 eu-north-1 is no target of this deployment")
    assert "222233334444 eu-west-1" in rule
