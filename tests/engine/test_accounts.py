"""Several accounts and Regions on one engine."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.conftest import OTHER_ACCOUNT, OTHER_REGION, Queue, unique, until

if TYPE_CHECKING:
    from tests.engine.conftest import Aws

HOME = "000000000000"
HOME_BUS = f"arn:aws:events:us-east-1:{HOME}:event-bus/default"
EXTERNAL_ID = "shibboleth"
ENTER = f"arn:aws:iam::{OTHER_ACCOUNT}:role/*"


def allow(action: str, resource: str = "*") -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}


def elsewhere(aws: "Aws", service: str) -> Any:
    """A client that may do anything in the other account and Region."""
    return aws.client(service, OTHER_ACCOUNT, region=OTHER_REGION)


def role_elsewhere(aws: "Aws", policy: dict[str, Any], trusts: str | None = None) -> str:
    """A role of the other account with this policy; it trusts the home account under the external id by default."""
    trust: dict[str, Any] = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    if trusts is None:
        trust["Principal"] = {"AWS": f"arn:aws:iam::{HOME}:root"}
        trust["Condition"] = {"StringEquals": {"sts:ExternalId": EXTERNAL_ID}}
    else:
        trust["Principal"] = {"Service": trusts}
    iam, name = elsewhere(aws, "iam"), unique("role")
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="policy", PolicyDocument=json.dumps(policy))
    return str(arn)


def assumed(sts: Any, role: str, **fields: str) -> dict[str, Any]:
    answer = sts.assume_role(RoleArn=role, RoleSessionName="session", **fields)
    credentials: dict[str, Any] = answer["Credentials"]
    return credentials


def session(aws: "Aws", service: str, policy: dict[str, Any]) -> Any:
    """A client with a role of the other account that may do this, in its Region, assumed from home."""
    return in_role(aws, service, role_elsewhere(aws, policy))


def in_role(aws: "Aws", service: str, role: str) -> Any:
    keys = assumed(aws.client("sts"), role, ExternalId=EXTERNAL_ID)
    return aws.client(service, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region=OTHER_REGION)


def path_seen(answer: Any) -> str:
    return str(json.loads(answer["items"][0]["arn"])["path"])


@pytest.mark.parametrize("given", [{}, {"ExternalId": "guess"}])
def test_role_lets_nobody_in_without_its_external_id(secured: "Aws", given: dict[str, str]) -> None:
    role, sts = role_elsewhere(secured, allow("*")), secured.user(allow("sts:AssumeRole", ENTER))("sts")
    assert assumed(sts, role, ExternalId=EXTERNAL_ID)
    with pytest.raises(ClientError, match="AccessDenied"):
        assumed(sts, role, **given)


def test_role_lets_in_the_account_it_trusts_only(secured: "Aws") -> None:
    stranger = secured.client("sts", "333333333333")
    with pytest.raises(ClientError, match="AccessDenied"):
        assumed(stranger, role_elsewhere(secured, allow("*")), ExternalId=EXTERNAL_ID)


def test_caller_needs_leave_of_its_own_account_for_that_role(secured: "Aws") -> None:
    role, other = (role_elsewhere(secured, allow("*")) for _ in range(2))
    sts = secured.user(allow("sts:AssumeRole", role))("sts")
    assert assumed(sts, role, ExternalId=EXTERNAL_ID)
    with pytest.raises(ClientError, match="AccessDenied"):
        assumed(sts, other, ExternalId=EXTERNAL_ID)


def test_role_lets_in_the_one_role_its_condition_names(secured: "Aws") -> None:
    trusted, other = (role_at_home(secured) for _ in range(2))
    iam, name = elsewhere(secured, "iam"), unique("role")
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"AWS": f"arn:aws:iam::{HOME}:root"},
        "Condition": {"ArnEquals": {"aws:PrincipalArn": trusted}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    assert assumed(as_role(secured, trusted), role)
    with pytest.raises(ClientError, match="AccessDenied"):
        assumed(as_role(secured, other), role)


def role_at_home(aws: "Aws") -> str:
    """A role of the home account that may enter the other."""
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{HOME}:root"}}
    iam, name = aws.client("iam"), unique("role")
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="policy", PolicyDocument=json.dumps(allow("sts:AssumeRole", ENTER)))
    return str(arn)


def as_role(aws: "Aws", role: str) -> Any:
    """STS as a session of a role of the home account sees it."""
    keys = assumed(aws.client("sts"), role)
    return aws.client("sts", keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def test_session_works_in_its_roles_account(secured: "Aws") -> None:
    ec2 = session(secured, "ec2", allow("ec2:*"))
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]
    assert vpc["OwnerId"] == OTHER_ACCOUNT
    with pytest.raises(ClientError, match="NotFound"):
        secured.client("ec2").describe_vpcs(VpcIds=[vpc["VpcId"]])


def test_session_may_do_what_its_role_may(secured: "Aws") -> None:
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        session(secured, "ec2", allow("ssm:*")).create_vpc(CidrBlock="10.0.0.0/16")


def test_mgn_call_reaches_the_simulator_of_its_account_and_region(aws: "Aws", secured: "Aws") -> None:
    for engine in (aws, secured):
        mgn = session(engine, "mgn", allow("mgn:DescribeSourceServers"))
        assert path_seen(mgn.describe_source_servers(filters={})) == "/elsewhere/DescribeSourceServers"
        assert path_seen(engine.client("mgn").describe_source_servers(filters={})) == "/DescribeSourceServers"


def test_mgn_call_is_authorised_on_resources_of_its_account_and_region(secured: "Aws") -> None:
    server = "s-00000000000000001"
    there = f"arn:aws:mgn:{OTHER_REGION}:{OTHER_ACCOUNT}:source-server/{server}"
    session(secured, "mgn", allow("mgn:FinalizeCutover", there)).finalize_cutover(sourceServerID=server)
    at_home = f"arn:aws:mgn:us-east-1:{HOME}:source-server/{server}"
    with pytest.raises(ClientError, match="AccessDenied"):
        session(secured, "mgn", allow("mgn:FinalizeCutover", at_home)).finalize_cutover(sourceServerID=server)


def test_mgn_call_where_no_simulator_is_fails(aws: "Aws") -> None:
    with pytest.raises(ClientError, match="names no MGN simulator"):
        aws.client("mgn", region=OTHER_REGION).describe_source_servers(filters={})


def test_simulator_of_another_account_publishes_mgn_events_there(aws: "Aws") -> None:
    entry = {"Source": "aws.mgn", "DetailType": "MGN Source Server Launch Result", "Detail": "{}"}
    assert elsewhere(aws, "events").put_events(Entries=[entry])["FailedEntryCount"] == 0
    with_role = session(aws, "events", allow("events:PutEvents"))
    assert with_role.put_events(Entries=[entry])["FailedEntryCount"] == 1


def rule_at_home(aws: "Aws", source: str) -> Queue:
    """Events of the source on the home's default bus, in a queue."""
    queue, events = aws.queue(), aws.client("events")
    name = unique("rule")
    rule = events.put_rule(Name=name, EventPattern=json.dumps({"source": [source]}))["RuleArn"]
    sender = {"Service": "events.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": sender, "Action": "sqs:SendMessage", "Resource": queue.arn}
    policy = {
        "Version": "2012-10-17",
        "Statement": [{**statement, "Condition": {"ArnEquals": {"aws:SourceArn": rule}}}],
    }
    aws.client("sqs").set_queue_attributes(QueueUrl=queue.url, Attributes={"Policy": json.dumps(policy)})
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": queue.arn}])
    return queue


def send_home(aws: "Aws", source: str, role: str) -> Any:
    """Have a rule of the other account and Region send events of the source home; a way to put one."""
    events, name = elsewhere(aws, "events"), unique("rule")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [source]}))
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": HOME_BUS, "RoleArn": role}])
    return lambda: events.put_events(Entries=[{"Source": source, "DetailType": "x", "Detail": '{"k": "v"}'}])


def bus_policy(aws: "Aws", account: str, **condition: dict[str, str]) -> dict[str, str]:
    """Let an account put events on the home's default bus, by CloudFormation."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": [f"arn:aws:iam::{account}:root"]},
        "Action": "events:PutEvents",
        "Resource": HOME_BUS,
        "Condition": {operator.replace("_", ":"): keys for operator, keys in condition.items()},
    }
    properties = {"StatementId": unique("leave"), "Statement": statement}
    return aws.stack({"Leave": {"Type": "AWS::Events::EventBusPolicy", "Properties": properties}})


def test_event_of_another_account_and_region_arrives_as_it_was(aws: "Aws") -> None:
    source = unique("source")
    queue = rule_at_home(aws, source)
    send_home(aws, source, role_elsewhere(aws, allow("events:PutEvents", HOME_BUS), "events.amazonaws.com"))()
    (message,) = aws.receive(queue)
    event = json.loads(message["Body"])
    assert (event["account"], event["region"], event["detail"]) == (OTHER_ACCOUNT, OTHER_REGION, {"k": "v"})


def test_bus_takes_events_of_accounts_its_policy_names_only(secured: "Aws") -> None:
    secured.client("events").remove_permission(RemoveAllPermissions=True)
    source = unique("source")
    queue = rule_at_home(secured, source)
    role = role_elsewhere(secured, allow("events:PutEvents", HOME_BUS), "events.amazonaws.com")
    put = send_home(secured, source, role)
    put()
    assert bus_policy(secured, "333333333333")["status"] == "CREATE_COMPLETE"
    put()
    assert secured.receive(queue, seconds=2) == []
    assert bus_policy(secured, OTHER_ACCOUNT)["status"] == "CREATE_COMPLETE"
    put()
    assert len(secured.receive(queue)) == 1


def test_bus_takes_only_events_that_the_condition_of_its_policy_names(secured: "Aws") -> None:
    secured.client("events").remove_permission(RemoveAllPermissions=True)
    source = unique("source")
    queue = rule_at_home(secured, source)
    put = send_home(secured, source, role_elsewhere(secured, allow("events:PutEvents"), "events.amazonaws.com"))
    bus_policy(secured, OTHER_ACCOUNT, StringEquals={"events:detail-type": "y"})
    bus_policy(secured, OTHER_ACCOUNT, ForAllValues_StringEquals={"events:source": "another"})
    put()
    assert secured.receive(queue, seconds=2) == []
    named = {"ForAllValues_StringEquals": {"events:source": source}, "StringEquals": {"events:detail-type": "x"}}
    bus_policy(secured, OTHER_ACCOUNT, **named)
    put()
    assert len(secured.receive(queue)) == 1


def test_bus_denies_a_source_to_all_but_the_roles_that_its_policy_excepts(secured: "Aws") -> None:
    events, name, ours = elsewhere(secured, "events"), unique("bus"), unique("source")
    bus = events.create_event_bus(Name=name)["EventBusArn"]
    publisher = role_elsewhere(secured, allow("events:PutEvents"))
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "events:PutEvents",
        "Resource": bus,
        "Condition": {
            "ForAnyValue:StringEquals": {"events:source": ours},
            "ArnNotEquals": {"aws:PrincipalArn": [publisher]},
        },
    }
    properties = {"EventBusName": name, "StatementId": "only-publishers", "Statement": statement}
    template = {"Resources": {"Deny": {"Type": "AWS::Events::EventBusPolicy", "Properties": properties}}}
    elsewhere(secured, "cloudformation").create_stack(StackName=unique("stack"), TemplateBody=json.dumps(template))
    until(lambda: "Policy" in events.describe_event_bus(Name=name))

    def entries(*sources: str) -> list[dict[str, str]]:
        return [{"EventBusName": name, "Source": each, "DetailType": "x", "Detail": "{}"} for each in sources]

    in_role(secured, "events", publisher).put_events(Entries=entries(ours))
    other = session(secured, "events", allow("events:PutEvents"))
    other.put_events(Entries=entries("another"))
    with pytest.raises(ClientError, match="AccessDenied"):
        other.put_events(Entries=entries("another", ours))


def test_rule_needs_a_role_that_may_put_events_on_the_other_bus(secured: "Aws") -> None:
    bus_policy(secured, OTHER_ACCOUNT)
    source = unique("source")
    queue = rule_at_home(secured, source)
    send_home(secured, source, role_elsewhere(secured, allow("events:PutRule"), "events.amazonaws.com"))()
    assert secured.receive(queue, seconds=2) == []


def test_statement_of_a_bus_goes_with_its_stack(aws: "Aws") -> None:
    formation, events, name = aws.client("cloudformation"), aws.client("events"), unique("stack")
    bus = events.create_event_bus(Name=unique("bus"))["EventBusArn"].rsplit("/", 1)[1]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "events:PutEvents", "Resource": HOME_BUS}
    properties = {"EventBusName": bus, "StatementId": "leave", "Statement": statement}
    resources = {"Leave": {"Type": "AWS::Events::EventBusPolicy", "Properties": properties}}
    formation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))
    until(lambda: "Policy" in events.describe_event_bus(Name=bus))
    (kept,) = json.loads(events.describe_event_bus(Name=bus)["Policy"])["Statement"]
    assert kept == {"Sid": "leave", **statement}
    formation.delete_stack(StackName=name)
    until(lambda: "Policy" not in events.describe_event_bus(Name=bus))
