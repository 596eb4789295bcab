"""What the local engine enforces of IAM."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.conftest import ANYTHING, Queue, unique

if TYPE_CHECKING:
    from tests.engine.conftest import Aws

EVENTS = {"Service": "events.amazonaws.com"}


def allow(action: Any, resource: Any = "*") -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}


def encrypted_queue(aws: "Aws") -> tuple[Queue, str]:
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    return aws.queue(KmsMasterKeyId=key), key


def rule_into(aws: "Aws", **target: Any) -> None:
    events, name = aws.client("events"), unique("rule")
    source = unique("source")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [source]}))
    events.put_targets(Rule=name, Targets=[{"Id": "1", **target}])
    events.put_events(Entries=[{"Source": source, "DetailType": "x", "Detail": "{}"}])


def dead_letter_code(aws: "Aws", dead: Queue) -> str:
    (message,) = aws.receive(dead)
    return str(message["MessageAttributes"]["ERROR_CODE"]["StringValue"])


def test_handler_has_only_the_permissions_of_its_role(secured: "Aws") -> None:
    source = """
import boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=event["url"], MessageBody="x")
"""
    queue = secured.queue()
    denied = secured.function(source, Role=secured.role(allow("sqs:ReceiveMessage")))
    assert "AccessDenied" in secured.invoke(denied, {"url": queue.url})["payload"]["errorMessage"]
    allowed = secured.function(source, Role=secured.role(allow("sqs:SendMessage", queue.arn)))
    assert secured.invoke(allowed, {"url": queue.url})["error"] is None


def test_answering_a_task_token_needs_all_resources(secured: "Aws") -> None:
    machine = "arn:aws:states:us-east-1:000000000000:stateMachine:any"
    with pytest.raises(ClientError, match="AccessDenied"):
        secured.user(allow("states:SendTaskSuccess", machine))("stepfunctions").send_task_success(
            taskToken="t", output="1"
        )
    with pytest.raises(ClientError, match="InvalidToken"):
        secured.user(allow("states:SendTaskSuccess"))("stepfunctions").send_task_success(taskToken="t", output="1")


def test_policy_that_enforces_tls_lets_local_callers_in(secured: "Aws") -> None:
    queue = secured.queue()
    statement = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "sqs:*",
        "Resource": queue.arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    secured.client("sqs").set_queue_attributes(QueueUrl=queue.url, Attributes={"Policy": policy})
    secured.user(allow("sqs:SendMessage"))("sqs").send_message(QueueUrl=queue.url, MessageBody="x")


def test_state_machine_does_only_what_its_role_may(secured: "Aws") -> None:
    queue = secured.queue()
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl": queue.url, "MessageBody": "x"},
        "End": True,
    }
    definition = {"StartAt": "Send", "States": {"Send": task}}
    assert secured.run(definition, role=secured.role(allow("sqs:SendMessage", queue.arn)))["status"] == "SUCCEEDED"
    denied = secured.run(definition, role=secured.role(allow("sqs:SendMessage", f"{queue.arn}-other")))
    assert denied["error"] == "States.Permissions"


def test_event_source_needs_permissions_of_the_function_on_its_queue_and_key(secured: "Aws") -> None:
    queue, _ = encrypted_queue(secured)
    poll = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    source = "def handler(event, context): pass"
    create = secured.client("lambda").create_event_source_mapping
    for actions, missing in ((poll[:1], "sqs:DeleteMessage"), (poll, "kms:Decrypt")):
        function = secured.function(source, Role=secured.role(allow(actions)))
        with pytest.raises(ClientError, match=missing):
            create(EventSourceArn=queue.arn, FunctionName=function)
    create(
        EventSourceArn=queue.arn,
        FunctionName=secured.function(source, Role=secured.role(allow([*poll, "kms:Decrypt"]))),
    )


def test_rule_needs_a_role_that_may_start_its_state_machine(secured: "Aws") -> None:
    machine = secured.machine({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    dead = secured.queue()
    role = secured.role(allow("states:StartExecution", f"{machine}-other"))
    rule_into(secured, Arn=machine, RoleArn=role, DeadLetterConfig={"Arn": dead.arn})
    assert dead_letter_code(secured, dead) == "NO_PERMISSIONS"
    rule_into(secured, Arn=machine, RoleArn=secured.role(allow("states:StartExecution", machine)))
    assert len(secured.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]) == 1


def test_rule_needs_the_queues_policy_and_its_keys_policy(secured: "Aws") -> None:
    queue, key = encrypted_queue(secured)
    dead = secured.queue()
    target = {"Arn": queue.arn, "DeadLetterConfig": {"Arn": dead.arn}}
    rule_into(secured, **target)
    assert dead_letter_code(secured, dead) == "NO_PERMISSIONS"

    send = {"Effect": "Allow", "Principal": EVENTS, "Action": "sqs:SendMessage", "Resource": queue.arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [send]})
    secured.client("sqs").set_queue_attributes(QueueUrl=queue.url, Attributes={"Policy": policy})
    rule_into(secured, **target)
    (message,) = secured.receive(dead)
    assert "kms:GenerateDataKey" in message["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"]

    root = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::000000000000:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    use = {**send, "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [root, use]})
    secured.client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    rule_into(secured, **target)
    assert len(secured.receive(queue)) == 1


def test_use_of_an_encrypted_queue_needs_its_key(secured: "Aws") -> None:
    queue, _ = encrypted_queue(secured)
    send = "sqs:SendMessage"
    with pytest.raises(ClientError, match="AccessDenied"):
        secured.user(allow(send))("sqs").send_message(QueueUrl=queue.url, MessageBody="x")
    user = secured.user(allow([send, "kms:GenerateDataKey", "kms:Decrypt"]))
    user("sqs").send_message(QueueUrl=queue.url, MessageBody="x")


def test_use_of_an_encrypted_table_needs_its_key(secured: "Aws") -> None:
    key = secured.client("kms").create_key()["KeyMetadata"]["Arn"]
    secured.client("dynamodb").create_table(
        TableName="sealed",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
    )
    read = {"TableName": "sealed", "Key": {"pk": {"S": "x"}}}
    with pytest.raises(ClientError, match="AccessDenied"):
        secured.user(allow("dynamodb:GetItem"))("dynamodb").get_item(**read)
    secured.user(allow(["dynamodb:GetItem", "kms:Decrypt"]))("dynamodb").get_item(**read)


def test_user_with_every_permission_may_do_everything(secured: "Aws") -> None:
    assert secured.user(ANYTHING)("sqs").list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_launch_template_is_changed_only_with_the_tag_the_policy_asks_for(secured: "Aws") -> None:
    ec2 = secured.client("ec2")
    policy = allow("ec2:CreateLaunchTemplateVersion", "arn:aws:ec2:us-east-1:000000000000:launch-template/*")
    policy["Statement"][0]["Condition"] = {"Null": {"aws:ResourceTag/Managed": "false"}}
    user = secured.user(policy)("ec2")
    data = {"InstanceType": "m5.large"}
    tags = [{"ResourceType": "launch-template", "Tags": [{"Key": "Managed", "Value": "yes"}]}]
    plain = ec2.create_launch_template(LaunchTemplateName=unique("plain"), LaunchTemplateData=data)
    managed = ec2.create_launch_template(
        LaunchTemplateName=unique("managed"), LaunchTemplateData=data, TagSpecifications=tags
    )
    change = {"LaunchTemplateData": data, "SourceVersion": "1"}
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        user.create_launch_template_version(LaunchTemplateId=plain["LaunchTemplate"]["LaunchTemplateId"], **change)
    user.create_launch_template_version(LaunchTemplateId=managed["LaunchTemplate"]["LaunchTemplateId"], **change)


def test_command_needs_its_document_and_its_machines(secured: "Aws") -> None:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "mgn-simulator:ssm", "Value": "online"}]}]
    run = secured.client("ec2").run_instances(
        ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1, TagSpecifications=tags
    )
    instance_id = run["Instances"][0]["InstanceId"]
    document = "arn:aws:ssm:us-east-1::document/AWS-RunShellScript"
    instances = "arn:aws:ec2:us-east-1:000000000000:instance/*"
    command = {"InstanceIds": [instance_id], "DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["x"]}}
    for resource in (document, instances):
        with pytest.raises(ClientError, match="AccessDenied"):
            secured.user(allow("ssm:SendCommand", resource))("ssm").send_command(**command)
    both = allow("ssm:SendCommand", [document, instances])
    secured.user(both)("ssm").send_command(**command)


def test_command_reaches_a_hybrid_node_only_with_the_tag_the_policy_asks_for(secured: "Aws") -> None:
    policy = allow("ssm:SendCommand", "arn:aws:ssm:us-east-1::document/AWS-RunShellScript")
    on_nodes = allow("ssm:SendCommand", "arn:aws:ssm:us-east-1:000000000000:managed-instance/*")["Statement"][0]
    policy["Statement"].append({**on_nodes, "Condition": {"Null": {"aws:ResourceTag/server": "false"}}})
    user, node = secured.user(policy)("ssm"), f"mi-{unique('node').encode().hex()[-17:]}"
    command = {"InstanceIds": [node], "DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["x"]}}
    with pytest.raises(ClientError, match="AccessDenied"):
        user.send_command(**command)
    tags = [{"Key": "server", "Value": "s-1"}]
    secured.client("ssm").add_tags_to_resource(ResourceType="ManagedInstance", ResourceId=node, Tags=tags)
    user.send_command(**command)


def test_what_was_asked_and_decided_is_told_once(secured: "Aws") -> None:
    queue = secured.queue()
    user = secured.user(allow("sqs:SendMessage", queue.arn))("sqs")
    for _ in range(2):
        user.send_message(QueueUrl=queue.url, MessageBody="x")
    with pytest.raises(ClientError, match="AccessDenied"):
        user.purge_queue(QueueUrl=queue.url)
    told = [json.loads(line) for line in (secured.folder / "decisions.jsonl").read_text().splitlines()]
    allowed = [each["action"] for each in told if each["resource"] == queue.arn and each["decision"] == "Allow"]
    assert allowed == ["sqs:SendMessage"]
    assert "sqs:PurgeQueue" in {each["action"] for each in told if each["resource"] == queue.arn}
