"""Metrics, alarms and notifications of the local engine."""

import json
from typing import TYPE_CHECKING, Any

from tests.engine.conftest import Queue, unique, until

if TYPE_CHECKING:
    from tests.engine.conftest import Aws

THRESHOLD = {"ComparisonOperator": "GreaterThanThreshold", "Threshold": 1, "EvaluationPeriods": 1}


def topic_into(aws: "Aws", queue: Queue, **attributes: str) -> str:
    sns = aws.client("sns")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn, Attributes=attributes)
    return str(topic)


def state_of(aws: "Aws", name: str) -> str:
    found = aws.client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    return str((found["MetricAlarms"] + found["CompositeAlarms"])[0]["StateValue"])


def put_alarm(aws: "Aws", **settings: Any) -> str:
    name = unique("alarm")
    aws.client("cloudwatch").put_metric_alarm(AlarmName=name, **{**THRESHOLD, **settings})
    return name


def metric(namespace: str, name: str, **dimensions: str) -> dict[str, Any]:
    pairs = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    return {"Namespace": namespace, "MetricName": name, "Dimensions": pairs}


def test_topic_delivers_by_its_filter(aws: "Aws") -> None:
    queue = aws.queue()
    topic = topic_into(aws, queue, FilterPolicy='{"kind": ["wanted"]}')
    aws.client("sns").publish(TopicArn=topic, Message="other")
    attributes = {"kind": {"DataType": "String", "StringValue": "wanted"}}
    aws.client("sns").publish(TopicArn=topic, Message="this", MessageAttributes=attributes)
    assert [json.loads(message["Body"])["Message"] for message in aws.receive(queue)] == ["this"]


def test_alarm_tells_its_topic(aws: "Aws") -> None:
    queue, namespace = aws.queue(), unique("namespace")
    name = put_alarm(aws, Period=60, Statistic="Sum", AlarmActions=[topic_into(aws, queue)], **metric(namespace, "m"))
    aws.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "m", "Value": 5}])
    until(lambda: state_of(aws, name) == "ALARM")
    assert len(aws.receive(queue)) == 1


def test_alarm_watches_its_own_dimensions(aws: "Aws") -> None:
    namespace = unique("namespace")
    mine = put_alarm(aws, Period=60, Statistic="Sum", **metric(namespace, "m", queue="mine"))
    theirs = put_alarm(aws, Period=60, Statistic="Sum", **metric(namespace, "m", queue="theirs"))
    datum = {"MetricName": "m", "Value": 5, "Dimensions": [{"Name": "queue", "Value": "mine"}]}
    aws.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[datum])
    assert (state_of(aws, mine), state_of(aws, theirs)) == ("ALARM", "INSUFFICIENT_DATA")


def test_alarm_without_data_treats_it_as_told(aws: "Aws") -> None:
    nothing = metric(unique("namespace"), "m")
    names = [
        put_alarm(aws, Period=60, Statistic="Sum", TreatMissingData=t, **nothing) for t in ("notBreaching", "breaching")
    ]
    assert [state_of(aws, name) for name in names] == ["OK", "ALARM"]


def test_composite_alarm_follows_its_children(aws: "Aws") -> None:
    child = put_alarm(aws, Period=60, Statistic="Sum", TreatMissingData="breaching", **metric(unique("n"), "m"))
    properties = {"AlarmRule": f'ALARM("{child}")', "AlarmName": unique("composite")}
    aws.stack({"Any": {"Type": "AWS::CloudWatch::CompositeAlarm", "Properties": properties}})
    assert state_of(aws, properties["AlarmName"]) == "ALARM"
    aws.client("cloudwatch").set_alarm_state(AlarmName=child, StateValue="OK", StateReason="test")
    until(lambda: state_of(aws, properties["AlarmName"]) == "OK")


def test_alarm_on_an_expression_can_be_deployed(aws: "Aws") -> None:
    namespace, name = unique("namespace"), unique("rate")

    def query(id_: str) -> dict[str, Any]:
        stat = {"Metric": {"Namespace": namespace, "MetricName": id_}, "Stat": "Sum", "Period": 300}
        return {"Id": id_, "MetricStat": stat, "ReturnData": False}

    rate = {"Id": "rate", "Expression": "IF(calls > 0, errors / calls * 100, 0)"}
    properties = {**THRESHOLD, "AlarmName": name, "Metrics": [query("errors"), query("calls"), rate]}
    assert (
        aws.stack({"Rate": {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}})["status"] == "CREATE_COMPLETE"
    )
    data = [{"MetricName": "errors", "Value": 1}, {"MetricName": "calls", "Value": 50}]
    aws.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data)
    until(lambda: state_of(aws, name) == "ALARM")


def test_metrics_embedded_in_a_log_are_published(aws: "Aws") -> None:
    namespace = unique("embedded")
    directive = {"Namespace": namespace, "Dimensions": [["stage"]], "Metrics": [{"Name": "count", "Unit": "Count"}]}
    line = json.dumps({"_aws": {"Timestamp": 1, "CloudWatchMetrics": [directive]}, "stage": "test", "count": [1, 2]})
    aws.invoke(aws.function(f"def handler(event, context): print({line!r})"))
    (found,) = aws.client("cloudwatch").list_metrics(Namespace=namespace)["Metrics"]
    assert (found["MetricName"], found["Dimensions"]) == ("count", [{"Name": "stage", "Value": "test"}])


def test_queue_depth_raises_an_alarm(aws: "Aws") -> None:
    queue = aws.queue()
    watched = metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", QueueName=queue.arn.split(":")[-1])
    name = put_alarm(aws, Period=60, Statistic="Maximum", **watched)
    for _ in range(2):
        aws.client("sqs").send_message(QueueUrl=queue.url, MessageBody="x")
    until(lambda: state_of(aws, name) == "ALARM")


def test_failed_execution_raises_an_alarm(aws: "Aws") -> None:
    machine = aws.machine({"StartAt": "No", "States": {"No": {"Type": "Fail"}}})
    name = put_alarm(
        aws, Period=60, Statistic="Sum", **metric("AWS/States", "ExecutionsFailed", StateMachineArn=machine)
    )
    for _ in range(2):
        aws.end_of(aws.start(machine))
    until(lambda: state_of(aws, name) == "ALARM")


def test_functions_invoked_by_state_machines_count(aws: "Aws") -> None:
    function = aws.function("def handler(event, context): pass")
    aws.run({"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": function, "End": True}}})
    dimension = [{"Name": "FunctionName", "Value": function.split(":")[-1]}]
    found = aws.client("cloudwatch").list_metrics(Namespace="AWS/Lambda", Dimensions=dimension)
    assert "Invocations" in {metric["MetricName"] for metric in found["Metrics"]}


def test_deliveries_of_rules_count(aws: "Aws") -> None:
    events, name = aws.client("events"), unique("rule")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": aws.queue().arn}])
    events.put_events(Entries=[{"Source": name, "DetailType": "x", "Detail": "{}"}])
    dimension = [{"Name": "RuleName", "Value": name}]
    found = aws.client("cloudwatch").list_metrics(Namespace="AWS/Events", Dimensions=dimension)
    assert {metric["MetricName"] for metric in found["Metrics"]} == {"MatchedEvents", "TriggeredRules", "Invocations"}
