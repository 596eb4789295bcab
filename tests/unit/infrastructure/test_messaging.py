"""Queues, bus and the rules between them."""

import re

import pytest

from runtime.models.deployment import DEFAULT_BUS_RULES, rule_name
from runtime.models.events import REQUEST_DETAIL_TYPE, SOURCE, MigrationStatusChanged
from tests.unit.infrastructure.synthesis import (
    DELETION_POLICIES,
    Json,
    document,
    functions,
    key_of,
    plain,
    resources,
    template,
)

QUEUE = "AWS::SQS::Queue"
BUS_DEAD_LETTERS = "EventsDeadLetters"
FOURTEEN_DAYS = 14 * 86_400


def queues() -> dict[str, Json]:
    return resources("dev", "Messaging", QUEUE)


def queue(id_: str) -> Json:
    (found,) = (properties for name, properties in queues().items() if name.startswith(id_))
    return found


def rule(id_: str) -> Json:
    (found,) = (
        properties
        for name, properties in resources("dev", "Messaging", "AWS::Events::Rule").items()
        if name.startswith(id_)
    )
    return plain(found)  # type: ignore[no-any-return]


def test_every_queue_keeps_messages_fourteen_days() -> None:
    assert {properties["MessageRetentionPeriod"] for properties in queues().values()} == {FOURTEEN_DAYS}


def test_every_queue_but_the_buss_own_is_encrypted_with_the_stages_key() -> None:
    key = "${FnGetAttEncryptionKey3A692D6E"
    others = {name for name, each in queues().items() if not plain(each).get("KmsMasterKeyId", "").startswith(key)}
    assert others == {name for name in queues() if name.startswith(BUS_DEAD_LETTERS)}


def test_what_the_bus_cannot_do_with_its_key_is_kept_where_the_key_is_not_needed() -> None:
    bus = next(iter(resources("dev", "Messaging", "AWS::Events::EventBus").values()))
    assert plain(bus["DeadLetterConfig"]["Arn"]).startswith(f"${{{BUS_DEAD_LETTERS}")
    assert queue(BUS_DEAD_LETTERS)["SqsManagedSseEnabled"] is True


def test_dead_letters_of_the_bus_are_taken_from_it_alone() -> None:
    policies = resources("dev", "Messaging", "AWS::SQS::QueuePolicy").items()
    (policy,) = (properties for name, properties in policies if name.startswith(BUS_DEAD_LETTERS))
    (allowed,) = (s for s in plain(policy)["PolicyDocument"]["Statement"] if s["Effect"] == "Allow")
    (bus,) = resources("dev", "Messaging", "AWS::Events::EventBus")
    assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
    assert allowed["Condition"] == {"ArnEquals": {"aws:SourceArn": f"${{{bus}.Arn}}"}}


def test_every_queue_refuses_plain_http() -> None:
    policies = resources("dev", "Messaging", "AWS::SQS::QueuePolicy").values()
    refusing = [
        policy["Queues"][0]["Ref"]
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    ]
    assert sorted(refusing) == sorted(queues())


def test_request_goes_to_the_dead_letter_queue_after_three_receives() -> None:
    assert queue("RequestsQueue")["RedrivePolicy"]["maxReceiveCount"] == 3


@pytest.mark.parametrize("id_", ["DecisionsQueue", "CallbacksQueue", "WakesQueue"])
def test_message_of_our_own_goes_to_the_dead_letter_queue_after_five_receives(id_: str) -> None:
    assert queue(id_)["RedrivePolicy"]["maxReceiveCount"] == 5


@pytest.mark.parametrize(
    ("id_", "consumer"),
    [
        ("RequestsQueue", "ingress_handler"),
        ("DecisionsQueue", "signal_handler"),
        ("CallbacksQueue", "callback_handler"),
        ("WakesQueue", "dispatch_launches"),
    ],
)
def test_message_stays_invisible_for_six_timeouts_of_its_consumer(id_: str, consumer: str) -> None:
    assert queue(id_)["VisibilityTimeout"] == 6 * functions()[consumer]["Timeout"]


def test_bus_is_encrypted_with_the_stages_key() -> None:
    template("dev", "Messaging").has_resource_properties("AWS::Events::EventBus", {"KmsKeyIdentifier": key_of()})


def test_bus_is_archived_under_the_stages_key() -> None:
    template("dev", "Messaging").has_resource_properties(
        "AWS::Events::Archive",
        {"RetentionDays": 30, "KmsKeyIdentifier": key_of()},
    )


def test_requests_on_the_bus_reach_the_queue_as_producers_send_them() -> None:
    request = rule("RequestRule")
    assert request["EventPattern"]["detail-type"] == [REQUEST_DETAIL_TYPE]
    (target,) = request["Targets"]
    assert target["InputPath"] == "$.detail"


def test_pipelines_own_events_are_never_taken_as_requests() -> None:
    assert rule("RequestRule")["EventPattern"]["source"] == [{"anything-but": [SOURCE]}]


def test_status_changes_reach_the_callbacks_queue() -> None:
    assert rule("CallbackRule")["EventPattern"] == {
        "source": [SOURCE],
        "detail-type": [MigrationStatusChanged.detail_type],
    }


@pytest.mark.parametrize("id_", ["RequestRule", "CallbackRule"])
def test_undeliverable_event_is_kept(id_: str) -> None:
    (target,) = rule(id_)["Targets"]
    assert target["DeadLetterConfig"]["Arn"].startswith("${EventsUndelivered")


def admitted(queue_: str) -> list[Json]:
    """The conditions under which EventBridge may send to a queue."""
    (policy,) = (
        properties
        for properties in plain(resources("dev", "Messaging", "AWS::SQS::QueuePolicy")).values()
        if all(name.startswith(f"${{{queue_}") for name in properties["Queues"])
    )
    allowed = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
    assert all(s["Principal"] == {"Service": "events.amazonaws.com"} for s in allowed)
    return [s["Condition"] for s in allowed]


def test_undelivered_events_are_taken_from_our_rules_only() -> None:
    (condition,) = admitted("EventsUndelivered")
    here = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule"
    on_default_bus = [f"{here}/migration-dev-{rule}" for rule in ("mgn-events", "execution-failed", "sweep")]
    on_our_bus, *others = condition["ArnLike"]["aws:SourceArn"]
    assert re.fullmatch(re.escape(here) + r"/\$\{EventsBus\w+\}/\*", on_our_bus)
    assert others == on_default_bus
    assert condition["StringEquals"] == {"aws:SourceAccount": "${AWS::AccountId}"}


def test_rules_on_the_default_bus_have_the_names_their_queue_knows() -> None:
    rules = resources("dev", "Orchestration", "AWS::Events::Rule").values()
    named = {rule["Name"] for rule in rules if "EventBusName" not in rule}
    assert named == {rule_name("dev", rule) for rule in DEFAULT_BUS_RULES}


@pytest.mark.parametrize(("queue_", "rule_"), [("RequestsQueue", "RequestRule"), ("CallbacksQueue", "CallbackRule")])
def test_queue_takes_events_of_the_one_rule_that_fills_it(queue_: str, rule_: str) -> None:
    (condition,) = admitted(queue_)
    (named,) = condition["ArnEquals"].values()
    assert named.startswith(f"${{{rule_}")
    assert list(condition) == ["ArnEquals"]


@pytest.mark.parametrize(("stage", "policy"), DELETION_POLICIES.items())
def test_queues_outlive_the_stack_only_in_production(stage: str, policy: str) -> None:
    found = document(stage, "Messaging")["Resources"].values()
    assert {resource["DeletionPolicy"] for resource in found if resource["Type"] == QUEUE} == {policy}
