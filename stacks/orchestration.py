"""What takes a migration to its end: functions, state machine, and the rules that wake them."""

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from constructs import Construct
from pydantic.alias_generators import to_pascal

from migration_constructs import (
    FROM_OTHERS,
    Doorstep,
    EncryptionKey,
    HttpDoor,
    MigrationStateMachine,
    Pace,
    StateTable,
    acknowledge,
    acknowledge_wildcards,
)
from runtime.models.deployment import DEFAULT_BUS_RULES, Deployment, rule_name, stack_name
from runtime.models.envelopes import MGN_DETAIL_TYPES, MGN_SOURCE
from runtime.models.events import SOURCE, MigrationRequested, MigrationSignal
from runtime.models.functions.catalogue import (
    CALLBACK_HANDLER,
    DISPATCH_LAUNCHES,
    HTTP_HANDLER,
    INGRESS_HANDLER,
    PUBLISH_EVENTS,
    STEPS,
    SWEEP,
)
from runtime.models.functions.steps import AwaitSignal
from runtime.models.table import JOURNAL_PREFIX, SORT_KEY
from stacks.functions import PipelineFunctions
from stacks.messaging import MessagingStack
from stacks.settings import HttpSettings, StageSettings
from stacks.storage import StorageStack

UNHAPPY_ENDS = ["FAILED", "TIMED_OUT", "ABORTED"]
# A request or a decision must arrive; EventBridge's own longest.
DELIVERY_AGE, DELIVERY_ATTEMPTS = Duration.hours(24), 185
# One bad receiver holds up its own message only, and a flood of them leaves the account's concurrency to the pipeline.
TELLERS = 10
# SQS's own least: people decide, and a function takes ten decisions at once.
DECIDERS = 2
JOURNAL_BATCH = 25
JOURNAL_ATTEMPTS = 10


class OrchestrationStack(Stack):
    """Functions, state machine, event sources, rules and the outputs the CLI reads."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: StageSettings,
        encryption: EncryptionKey,
        storage: StorageStack,
        messaging: MessagingStack,
    ) -> None:
        super().__init__(
            scope,
            stack_name(settings.stage, "Orchestration"),
            env=settings.home,
            termination_protection=settings.keeps_stacks,
        )
        key = encryption.key_in(self)
        self.messaging, state = messaging, storage.state
        self.undelivered = messaging.bus.undelivered_in(self)
        self.functions = PipelineFunctions(
            self,
            "Functions",
            settings=settings,
            key=key,
            storage=storage,
            bus=messaging.bus,
            wakes=messaging.wakes,
            undelivered=messaging.bus.undelivered,
        )
        self.migration = MigrationStateMachine(
            self,
            "Migration",
            functions={step: self.functions[step].function for step in STEPS},
            budgets=settings.budgets,
            pace=Pace(
                transient=Duration.seconds(settings.pace.transient_seconds),
            ),
            key=key,
            log_retention=settings.log_retention,
            removal_policy=settings.removal,
        )
        self.migration.grant_describe_executions(self.functions[SWEEP].role, self.functions[SWEEP])
        messaging.bus.keep_source_to(self, self.functions.publishers)
        self._take_in(settings)
        self.http = self._open_door(settings.http, settings, key) if settings.http else None
        self._publish_journal(state)
        self._start_executions()
        self._wake(settings)
        self._tell(state)

    def _take_in(self, settings: StageSettings) -> None:
        self.functions[INGRESS_HANDLER].function.add_event_source(
            sources.SqsEventSource(
                self.messaging.requests.queue,
                batch_size=settings.ingress.batch_size,
                max_concurrency=settings.ingress.max_concurrency,
                report_batch_item_failures=True,
            )
        )
        self.functions[AwaitSignal.function].function.add_event_source(
            sources.SqsEventSource(
                self.messaging.decisions.queue, max_concurrency=DECIDERS, report_batch_item_failures=True
            )
        )
        self.functions[CALLBACK_HANDLER].function.add_event_source(
            sources.SqsEventSource(
                self.messaging.callbacks.queue,
                batch_size=1,
                max_concurrency=TELLERS,
                report_batch_item_failures=True,
            )
        )
        self.functions[DISPATCH_LAUNCHES].function.add_event_source(
            sources.SqsEventSource(
                self.messaging.wakes.queue,
                # A wake shares its invocation with no other.
                batch_size=1,
                max_concurrency=settings.dispatchers,
                report_batch_item_failures=True,
            )
        )

    def _open_door(self, http: HttpSettings, settings: StageSettings, key: kms.IKey) -> HttpDoor:
        return HttpDoor(
            self,
            "Http",
            name=f"migration-{settings.stage}",
            handler=self.functions[HTTP_HANDLER].function,
            doorstep=Doorstep(**http.model_dump()),
            key=key,
            log_retention=settings.log_retention,
            removal_policy=settings.removal,
        )

    def _publish_journal(self, state: StateTable) -> None:
        new_journal_entry = {
            "eventName": lambda_.FilterRule.is_equal("INSERT"),
            "dynamodb": {"Keys": {SORT_KEY: {"S": lambda_.FilterRule.begins_with(JOURNAL_PREFIX)}}},
        }
        self.functions[PUBLISH_EVENTS].function.add_event_source(
            sources.DynamoEventSource(
                state.table,
                starting_position=lambda_.StartingPosition.TRIM_HORIZON,
                batch_size=JOURNAL_BATCH,
                bisect_batch_on_error=True,
                filters=[lambda_.FilterCriteria.filter(new_journal_entry)],
                on_failure=sources.SqsDlq(self.messaging.bus.undelivered),
                parallelization_factor=2,
                report_batch_item_failures=True,
                retry_attempts=JOURNAL_ATTEMPTS,
            )
        )
        acknowledge_wildcards(
            self.functions[PUBLISH_EVENTS].role,
            {"Resource::*": "dynamodb:ListStreams supports no resource-level permissions."},
        )

    def _start_executions(self) -> None:
        rule = self._rule("MigrationRequested", [SOURCE], [MigrationRequested.detail_type])
        acknowledge(rule, {"@aws-cdk/aws-events:ruleUnresolvedEnvironment": "The alias is one of this stack."})
        rule.add_target(
            targets.SfnStateMachine(
                self.migration.live,
                role=self.migration.starter(rule),
                input=events.RuleTargetInput.from_event_path("$.detail"),
                dead_letter_queue=self.undelivered,
                max_event_age=DELIVERY_AGE,
                retry_attempts=DELIVERY_ATTEMPTS,
            )
        )

    def _wake(self, settings: StageSettings) -> None:
        mgn_events, execution_failed, sweeping = DEFAULT_BUS_RULES
        signal = targets.LambdaFunction(
            self.functions[AwaitSignal.function].function,
            dead_letter_queue=self.undelivered,
            max_event_age=DELIVERY_AGE,
            retry_attempts=DELIVERY_ATTEMPTS,
        )
        self._rule("MigrationSignal", FROM_OTHERS, [MigrationSignal.detail_type]).add_target(signal)
        events.Rule(
            self,
            "MgnEvents",
            rule_name=rule_name(settings.stage, mgn_events),
            event_pattern=events.EventPattern(source=[MGN_SOURCE], detail_type=MGN_DETAIL_TYPES),
            targets=[signal],
        )
        events.Rule(
            self,
            "ExecutionFailed",
            rule_name=rule_name(settings.stage, execution_failed),
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                # Of executions that an alias started, too: version and alias are members of their own.
                detail={"stateMachineArn": [self.migration.state_machine.state_machine_arn], "status": UNHAPPY_ENDS},
            ),
            targets=[signal],
        )
        sweep = targets.LambdaFunction(
            self.functions[SWEEP].function, dead_letter_queue=self.undelivered, retry_attempts=0
        )
        schedule = events.Schedule.rate(Duration.minutes(settings.sweep_minutes))
        events.Rule(self, "Sweep", rule_name=rule_name(settings.stage, sweeping), schedule=schedule, targets=[sweep])

    def _rule(self, id_: str, source: list[str], detail_types: list[str]) -> events.Rule:
        pattern = events.EventPattern(source=source, detail_type=detail_types)
        return events.Rule(self, id_, event_bus=self.messaging.bus.event_bus, event_pattern=pattern)

    def _tell(self, state: StateTable) -> None:
        deployment = Deployment(
            queue_url=self.messaging.requests.queue.queue_url,
            decisions_queue_url=self.messaging.decisions.queue.queue_url,
            dead_letter_queue_url=self.messaging.requests.dead_letter_queue.queue_url,
            event_bus_name=self.messaging.bus.event_bus.event_bus_name,
            state_table_name=state.table.table_name,
            state_machine_arn=self.migration.state_machine.state_machine_arn,
            callback_secret_arn=self.functions.callback_secret.secret_arn,
            http_url=self.http.api.url if self.http else None,
        )
        for field, value in deployment.model_dump(by_alias=False, exclude_none=True).items():
            CfnOutput(self, to_pascal(field), value=value)
