"""The state machine that takes one migration from its request to its one end."""

from collections.abc import Mapping
from datetime import timedelta
from typing import cast

from aws_cdk import ArnFormat, Aws, CfnElement, Duration, Fn, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct, IConstruct

from migration_constructs.acknowledgements import acknowledge_wildcards
from migration_constructs.steps import FAILURE, Pace, StepTasks, picked, wire_name
from runtime.models.functions.environment import Budgets
from runtime.models.functions.function import Function
from runtime.models.functions.steps import (
    AwaitSignal,
    FinalizeCutover,
    Plan,
    PrepareSource,
    Rollback,
    TriggerMigration,
    UndoGoal,
    ValidateInput,
    Verdict,
    VerifyMigration,
)
from runtime.models.limits import longest
from runtime.models.request import Gate, Phase
from runtime.models.waits import Outcome, Progress, WaitKind

# Step Functions ends executions after a year; a day earlier it is an event that is heard.
EXECUTION_TIMEOUT = Duration.days(364)
LIVE = "live"
"""The alias under which executions are started."""


class MigrationStateMachine(Construct):
    """One execution takes one server from validation to COMPLETED, ROLLED_BACK or FROZEN."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        functions: Mapping[Function, lambda_.IFunction],
        budgets: Budgets,
        pace: Pace,
        key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: RemovalPolicy,
    ) -> None:
        """`functions` are those that carry out the steps."""
        super().__init__(scope, id_)
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            comment="One server's migration through MGN",
            definition_body=sfn.DefinitionBody.from_chainable(_Definition(self, functions, budgets, pace).start()),
            timeout=EXECUTION_TIMEOUT,
            # Definition, history and with it the task tokens in the inputs of steps.
            encryption_configuration=sfn.CustomerManagedEncryptionConfiguration(key),
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=self._log_group(key, log_retention, removal_policy),
                level=sfn.LogLevel.ALL,
                # Inputs carry task tokens, which count as secrets.
                include_execution_data=False,
            ),
        )
        self.live = self._live()
        self._acknowledge(functions)

    def starter(self, scope: Construct) -> iam.IRole:
        """A role in which EventBridge may start executions of the live version."""
        role = iam.Role(scope, "StarterRole", assumed_by=iam.ServicePrincipal("events.amazonaws.com"))
        # A start by alias is authorised on the machine itself, not on the ARN of the alias, which a target of CDK would
        # grant: https://docs.aws.amazon.com/step-functions/latest/dg/auth-version-alias.html
        self.state_machine.grant_start_execution(role)
        return role.without_policy_updates()

    def grant_describe_executions(self, grantee: iam.IRole, policy_scope: Construct) -> iam.Grant:
        """Read the state of executions, by a policy of its own."""
        # In the role's default policy it would close a circle: function, policy, state machine, function.
        policy = iam.Policy(policy_scope, "DescribeExecutions", roles=[grantee])
        name = f"<{self._logical_id(self.state_machine)}.Name>"
        finding = f"Resource::arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:{name}:*"
        acknowledge_wildcards(policy, {finding: "Executions get their names when they start."})
        executions = Stack.of(self).format_arn(
            partition=Aws.PARTITION,
            region=Aws.REGION,
            account=Aws.ACCOUNT_ID,
            service="states",
            resource="execution",
            resource_name=f"{self.state_machine.state_machine_name}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        return iam.Grant.add_to_principal(
            grantee=policy, actions=["states:DescribeExecution"], resource_arns=[executions]
        )

    def _live(self) -> sfn.IStateMachine:
        """The alias that stands for the version of this deployment; earlier versions stay."""
        version = sfn.CfnStateMachineVersion(
            self,
            "Version",
            state_machine_arn=self.state_machine.state_machine_arn,
            # Another revision replaces the version.
            state_machine_revision_id=self.state_machine.state_machine_revision_id,
        )
        # In every stage: executions go on under them, and a deployment that is taken back needs them. They go with the
        # machine.
        version.apply_removal_policy(RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        alias = sfn.CfnStateMachineAlias(
            self,
            "Alias",
            name=LIVE,
            routing_configuration=[
                sfn.CfnStateMachineAlias.RoutingConfigurationVersionProperty(
                    state_machine_version_arn=version.attr_arn, weight=100
                )
            ],
        )
        return sfn.StateMachine.from_state_machine_arn(self, "Live", alias.attr_arn)

    def _log_group(self, key: kms.IKey, retention: logs.RetentionDays, removal_policy: RemovalPolicy) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            "Logs",
            # Other prefixes add to a resource policy of CloudWatch Logs that is soon full. With the stack's own id it
            # is no name that a deleted stack left taken.
            log_group_name=f"/aws/vendedlogs/states/{Stack.of(self).stack_name}-{_id_of_this_stack()}",
            encryption_key=key,
            retention=retention,
            removal_policy=removal_policy,
        )

    def _acknowledge(self, functions: Mapping[Function, lambda_.IFunction]) -> None:
        reasons = {"Resource::*": "X-Ray and log delivery support no resource-level permissions."}
        for function in functions.values():
            finding = f"Resource::<{self._logical_id(function)}.Arn>:*"
            reasons[finding] = "CDK's invoke grant covers the versions of the one function."
        acknowledge_wildcards(self.state_machine, reasons)

    def _logical_id(self, construct: IConstruct) -> str:
        return Stack.of(self).get_logical_id(cast(CfnElement, construct.node.default_child))


def _id_of_this_stack() -> str:
    """A part of the stack's ARN that no other stack has, nor this one after it was deleted and made again."""
    return Fn.select(2, Fn.split("/", Aws.STACK_ID))


class _Definition:
    """The states and the ways between them."""

    def __init__(
        self, scope: Construct, functions: Mapping[Function, lambda_.IFunction], budgets: Budgets, pace: Pace
    ) -> None:
        self.scope = scope
        self.budgets = budgets
        self.ended = sfn.Succeed(scope, "Ended")
        self.frozen = sfn.Fail(
            scope, "Frozen", error="MigrationFrozenError", cause="The undo could not finish; a person has to look."
        )
        self.tasks = StepTasks(scope=scope, functions=functions, pace=pace, on_failure=self.frozen)

    def start(self) -> sfn.IChainable:
        """The first state, with all others behind it."""
        tasks = self.tasks.failing_to(self._undo())
        plan = picked("$.Payload", Plan, *Plan.model_fields)
        validate = tasks.call("Validate", ValidateInput, result=plan, result_path="$.plan")
        replication = tasks.wait(
            "AwaitReplication",
            PrepareSource,
            at_most=self._longest(WaitKind.REPLICATION),
        )
        cutover = self._cutover(tasks)
        accepted = sfn.Condition.string_equals(_plan("verdict"), Verdict.ACCEPTED.value)
        validate.next(self._choice("Accepted?").when(accepted, replication).otherwise(self.ended))
        replication.next(
            self._choice("TestFirst?").when(_planned("runs_test"), self._test(tasks, cutover)).otherwise(cutover)
        )
        return validate

    def _test(self, tasks: StepTasks, cutover: sfn.IChainable) -> sfn.IChainable:
        clean_up = self._rounds("CleanUp", tasks, UndoGoal.CLEANED_UP)
        goes_on = self._choice("CutsOver?").when(_planned("cuts_over"), cutover).otherwise(clean_up)
        return self._launch(tasks, Phase.TEST, self._prepare(tasks, Phase.TEST), goes_on)

    def _cutover(self, tasks: StepTasks) -> sfn.IChainable:
        prepare = self._prepare(tasks, Phase.CUTOVER)
        approval = self._approval(tasks, "AwaitApproval", Gate.CUTOVER)
        window = tasks.wait("AwaitWindow", AwaitSignal, at_most=self._longest(WaitKind.WINDOW), kind=WaitKind.WINDOW)
        prepare.next(self._choice("ApproveCutover?").when(_planned("approves_cutover"), approval).otherwise(window))
        approval.next(window)
        self._launch(tasks, Phase.CUTOVER, window, self._finalize(tasks))
        return prepare

    def _finalize(self, tasks: StepTasks) -> sfn.IChainable:
        soak = tasks.wait("Soak", AwaitSignal, at_most=self._longest(WaitKind.SOAK), kind=WaitKind.SOAK)
        approval = self._approval(tasks, "AwaitFinalApproval", Gate.FINALIZE)
        finalize = tasks.call("Finalize", FinalizeCutover)
        approve = self._choice("ApproveFinalize?").when(_planned("approves_finalize"), approval).otherwise(finalize)
        soak.next(approve)
        approval.next(finalize)
        finalize.next(self.ended)
        return self._choice("Soaks?").when(_planned("soaks"), soak).otherwise(approve)

    def _prepare(self, tasks: StepTasks, phase: Phase) -> sfn.TaskStateBase:
        name = f"Prepare{phase.capitalize()}"
        return tasks.call(name, PrepareSource, pending=self._next_try(tasks, name), phase=phase)

    def _launch(self, tasks: StepTasks, phase: Phase, before: sfn.INextable, after: sfn.IChainable) -> sfn.IChainable:
        name = phase.capitalize()
        launch = tasks.wait(
            f"Launch{name}",
            TriggerMigration,
            at_most=self._longest(WaitKind.LAUNCH),
            phase=phase,
        )
        boot = tasks.wait(
            f"Boot{name}",
            VerifyMigration,
            at_most=self._longest(WaitKind.BOOT),
            phase=phase,
        )
        check = tasks.call(f"Check{name}", VerifyMigration, pending=self._next_try(tasks, f"Check{name}"), phase=phase)
        return before.next(launch).next(boot).next(check).next(after)

    def _next_try(self, tasks: StepTasks, of: str) -> sfn.TaskStateBase:
        return tasks.wait(f"{of}Again", AwaitSignal, at_most=self._longest(WaitKind.CHECK), kind=WaitKind.CHECK)

    def _approval(self, tasks: StepTasks, id_: str, gate: Gate) -> sfn.TaskStateBase:
        return tasks.wait(id_, AwaitSignal, at_most=self._longest(WaitKind.APPROVAL), kind=WaitKind.APPROVAL, gate=gate)

    def _undo(self) -> sfn.IChainable:
        failure = sfn.JsonPath.string_at(FAILURE)
        freeze = self.tasks.call("Freeze", Rollback, failure=failure)
        freeze.next(self.frozen)
        return self._rounds("Undo", self.tasks.failing_to(freeze), UndoGoal.ROLLED_BACK, failure=failure)

    def _rounds(self, id_: str, tasks: StepTasks, goal: UndoGoal, **fields: str) -> sfn.IChainable:
        # One round undoes one thing and waits for it; what is left to undo is read anew from MGN each time.
        round_ = tasks.wait(
            id_,
            Rollback,
            at_most=self._longest(WaitKind.UNDO),
            result=picked("$", Outcome, "progress"),
            result_path="$.undo",
            goal=goal,
            **fields,
        )
        progress = f"$.undo.{wire_name(Outcome, 'progress')}"
        outcome = self._choice(f"{id_}Done?")
        outcome.when(sfn.Condition.string_equals(progress, Progress.DONE.value), self.ended)
        outcome.when(sfn.Condition.string_equals(progress, Progress.AGAIN.value), round_)
        round_.next(outcome.otherwise(self.frozen))
        return round_

    def _longest(self, kind: WaitKind) -> timedelta:
        return longest(kind, self.budgets)

    def _choice(self, id_: str) -> sfn.Choice:
        return sfn.Choice(self.scope, id_)


def _plan(field: str) -> str:
    return f"$.plan.{wire_name(Plan, field)}"


def _planned(field: str) -> sfn.Condition:
    return sfn.Condition.boolean_equals(_plan(field), True)
