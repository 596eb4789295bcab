"""What differs between stages, read from `context.stages` in cdk.json."""

import platform
import sys
from typing import Annotated, Literal, Self

from aws_cdk import Environment, RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Node
from pydantic import BaseModel, ConfigDict, Field, model_validator

from migration_constructs import Target
from runtime.models.base import AccountId, Region
from runtime.models.functions.catalogue import DISPATCH_LAUNCHES, STEPS, SWEEP
from runtime.models.functions.environment import BeginsPerSender, Budgets, DecisionRules, Targets
from runtime.models.functions.function import Function
from runtime.models.functions.permissions import Named
from runtime.models.request import DocumentName
from runtime.models.scope import Scope

HOST = "host"
DEFAULT_STAGE = "dev"
UNRESERVED = 100
"""Lambda keeps them: https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html"""
LOCAL_ACCOUNT = "000000000000"
"""The local cloud's; no account of AWS has this id."""


KeyArn = Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$")]


def region_of(arn: str) -> str:
    """The Region an ARN names."""
    return arn.split(":")[3]


class Settings(BaseModel):
    """Frozen and closed: a misspelt setting stops the synthesis."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkSettings(Settings):
    """An existing network for the functions; named in full, because nothing is looked up at synthesis."""

    vpc_id: str = Field(description="The VPC.")
    availability_zones: tuple[str, ...] = Field(description="Zones of the private subnets, in the same order.")
    private_subnet_ids: tuple[str, ...] = Field(description="Subnets with a way to AWS: NAT or VPC endpoints.")
    security_group_ids: tuple[str, ...] = Field(description="Security groups of the functions.")


class IngressSettings(Settings):
    """How fast requests are taken in."""

    batch_size: Annotated[int, Field(ge=1, le=10)] = Field(default=10, description="Messages per invocation.")
    max_concurrency: Annotated[int, Field(ge=2, le=1000)] = Field(default=10, description="Invocations at a time.")
    begins_per_sender: BeginsPerSender = 200
    timeout_seconds: Annotated[int, Field(ge=1, le=900)] = Field(
        default=30, description="Of one invocation; the queue's visibility timeout is six times this."
    )


class HttpSettings(Settings):
    """The HTTP door."""

    per_second: Annotated[int, Field(ge=1)] = Field(default=50, description="Requests let in a second, of all callers.")
    burst: Annotated[int, Field(ge=1)] = Field(default=100, description="Requests let in at once.")
    vpc_endpoint_ids: tuple[Annotated[str, Field(pattern=r"^vpce-[0-9a-f]{8,17}$")], ...] = Field(
        default=(), description="Interface endpoints of execute-api: the door is private, and opens through them only."
    )
    web_acl_arn: str | None = Field(default=None, description="AWS WAF's regional web ACL before the door.")
    sets_log_role: bool = Field(
        default=True,
        description="Set the role by which API Gateway writes logs, one for the account; false where there is one.",
    )


class ConcurrencySettings(Settings):
    """Invocations at a time kept for what brings migrations to their ends; it may not have more, either."""

    account: Annotated[int, Field(ge=1)] = Field(
        description="Invocations the account may run in this Region: `aws lambda get-account-settings`."
    )
    steps: Annotated[int, Field(ge=1)] = Field(default=25, description="For each function of the state machine.")


class PaceSettings(Settings):
    """How patiently the state machine repeats failed calls."""

    transient_seconds: Annotated[int, Field(ge=1)] = Field(default=3, description="First wait after a transient error.")


class TargetSettings(Settings):
    """Accounts and Regions requests may name besides the one the stage is deployed in."""

    home_account: AccountId = Field(description="The account the stage is deployed in.")
    home_region: Region = Field(description="The Region the stage is deployed in.")
    # IAM's limit is 64 characters, and the longest function and Region are added.
    role_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9+=,.@_-]{1,31}$")] = Field(
        description="Each target has roles of this name, each followed by its function and the target's Region."
    )
    external_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9+=,.@:/_-]+$", min_length=2, max_length=1224)] = Field(
        description="What the roles ask for before they let anyone in."
    )
    regions: dict[AccountId, Annotated[tuple[Region, ...], Field(min_length=1)]] = Field(
        description="The targets: Regions by account; other Regions of the stage's own account are targets, too."
    )
    ebs_key_arns: dict[AccountId, tuple[KeyArn, ...]] = Field(
        default={}, description="Customer keys of launched volumes, by target account."
    )

    @model_validator(mode="after")
    def _home_is_no_target(self) -> Self:
        # A target hands its events to the home's bus: at home they would go round in a circle.
        if Scope(self.home_account, self.home_region) in self.places:
            raise ValueError("regions: the stage's own account and Region is always served and is no target")
        return self

    @model_validator(mode="after")
    def _keys_are_of_targets(self) -> Self:
        for account, keys in self.ebs_key_arns.items():
            for key in keys:
                if region_of(key) not in self.regions.get(account, ()):
                    raise ValueError(
                        f"ebs_key_arns: {key} is of no Region of {account} that regions lists; name a key of each"
                    )
        return self

    @property
    def places(self) -> tuple[Scope, ...]:
        """Account and Region of each target."""
        return tuple(Scope(account, region) for account, regions in self.regions.items() for region in regions)

    def told(self, function: Function) -> Targets:
        """What a function is told."""
        role_name = f"{self.role_name}-{function.name}"
        return Targets(role_name=role_name, external_id=self.external_id, scopes=self.places)

    def role_in(self, region: str, function: Function) -> str:
        """The name of a function's role: IAM is global, so the roles of one account differ by their Region."""
        return f"{self.role_name}-{function.name}-{region}"


SIGNATURE_LIFE = 300
"""Seconds, "in most cases": https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html."""


class StageSettings(Settings):
    """Everything a stage decides."""

    stage: Annotated[str, Field(pattern="^[a-z][a-z0-9]{0,15}$")] = Field(description="Name of the stage.")
    python_version: str = Field(default="3.13", description="Of the Lambda runtime; `host`: that of this interpreter.")
    architecture: Literal["arm64", "x86_64", "host"] = Field(
        default="arm64", description="Of the functions; `host`: that of this machine, for engines that run code on it."
    )
    removal_policy: Literal["retain", "destroy"] = Field(
        description="What happens to data when a stack goes; `retain` also protects the stacks from termination."
    )
    deletion_protection: bool = Field(default=False, description="The state table refuses to be deleted.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="Of all functions.")
    log_retention_days: Literal[1, 7, 14, 30, 90, 180, 365, 731] = Field(description="Of all log groups.")
    sweep_minutes: Annotated[int, Field(ge=1)] = Field(default=1, description="Between two sweeps.")
    budgets: Budgets = Field(default=Budgets(), description="How long each wait may last.")
    decisions: DecisionRules = Field(default=DecisionRules(), description="What is asked of those who decide.")
    requests_by_bus: bool = Field(default=True, description="Requests are taken from the bus, too.")
    mgn_requests: Annotated[int, Field(ge=2)] = Field(
        default=20, description="Requests a second to MGN, of all functions together, in each account and Region."
    )
    documents: tuple[DocumentName, ...] = Field(
        default=(), description="SSM command documents requests may run: by name, those of other accounts by ARN."
    )
    ebs_key_arns: tuple[KeyArn, ...] = Field(
        default=(), description="Customer keys of launched volumes, named in MGN's replication settings; at home."
    )
    concurrency: ConcurrencySettings | None = Field(
        default=None, description="Reserve concurrency for steps, dispatcher and sweep, where the account can spare it."
    )
    pace: PaceSettings = Field(default=PaceSettings(), description="Retries of the state machine.")
    ingress: IngressSettings = Field(default=IngressSettings(), description="Intake of requests.")
    http: HttpSettings | None = Field(default=None, description="Open the HTTP door.")
    webhook_urls: tuple[str, ...] = Field(default=(), description="Receivers of every change of status.")
    allows_private_callbacks: bool = Field(
        default=False, description="Callbacks may go to private addresses; for receivers on the same machine only."
    )
    network: NetworkSettings | None = Field(default=None, description="Run the functions in this network.")
    targets: TargetSettings | None = Field(default=None, description="Other accounts and Regions to migrate into.")
    shares_mgn: bool = Field(
        default=False,
        description="Another stage migrates in the same accounts and Regions: no lock keeps the two from one server, "
        "and mgn_requests has to be set to this stage's part.",
    )

    @model_validator(mode="after")
    def _sharing_is_divided(self) -> Self:
        if self.shares_mgn and "mgn_requests" not in self.model_fields_set:
            raise ValueError(
                "shares_mgn: the stages of an account do not know of each other's requests to MGN; "
                "set mgn_requests to this stage's part of them"
            )
        return self

    @model_validator(mode="after")
    def _doubt_outlives_the_dispatcher(self) -> Self:
        # What is given up is launched anew: nobody may be left who could still send the first call (I3).
        lifetime = int(DISPATCH_LAUNCHES.timeout.total_seconds())
        if self.budgets.launch_doubt <= lifetime:
            raise ValueError(
                f"budgets.launch_doubt: {self.budgets.launch_doubt} s is not above the dispatcher's timeout of "
                f"{lifetime} s, so a batch could be given up with its call under way; set {lifetime + 1} or more"
            )
        return self

    @model_validator(mode="after")
    def _launches_are_repeated_only_when_the_first_request_is_dead(self) -> Self:
        if self.budgets.request_life < SIGNATURE_LIFE:
            raise ValueError(
                f"budgets.request_life: AWS takes a signed request for {SIGNATURE_LIFE} s, so a launch could be made "
                f"anew after {self.budgets.request_life} s with the first one under way; set {SIGNATURE_LIFE} or more"
            )
        return self

    @model_validator(mode="after")
    def _account_can_spare_the_concurrency(self) -> Self:
        wanted = sum(self.reserved_concurrency.values())
        if self.concurrency and wanted + UNRESERVED > self.concurrency.account:
            raise ValueError(
                f"concurrency: {wanted} invocations would be reserved of {self.concurrency.account}, and Lambda keeps "
                f"{UNRESERVED} for functions without a reservation; lower concurrency.steps, or have the quota raised"
            )
        return self

    @model_validator(mode="after")
    def _two_people_are_told_apart(self) -> Self:
        if not self.decisions.requester_may_approve and (self.decisions.by_bus or self.requests_by_bus):
            raise ValueError(
                "decisions.requester_may_approve: nobody vouches for who put something on the bus, so requester and "
                "approver can be told apart on the queues only; set requests_by_bus and decisions.by_bus to false"
            )
        return self

    @classmethod
    def from_context(cls, node: Node) -> Self:
        """The settings of the stage named by `-c stage=…`."""
        stage = node.try_get_context("stage") or DEFAULT_STAGE
        stages = node.get_context("stages")
        if stage not in stages:
            raise ValueError(f"no stage {stage!r} in context.stages, only {sorted(stages)}")
        return cls(stage=stage, **stages[stage])

    def check_account(self, account: str | None) -> None:
        """Refuse to be synthesized with credentials of an account that is neither the home nor a target."""
        # Whoever has credentials of AWS may synthesize for the local cloud, too.
        if account is None or self.targets is None or self.targets.home_account == LOCAL_ACCOUNT:
            return
        known = {self.targets.home_account, *self.targets.regions}
        if account not in known:
            raise ValueError(
                f"targets.home_account: stage {self.stage} is at home in {self.targets.home_account}, but the "
                f"credentials are of {account}, which is no target either; use credentials of one of {sorted(known)}"
            )

    @property
    def home(self) -> Environment | None:
        """Where the stage's own stacks go; without targets, wherever the credentials point to."""
        # Named, the CDK refuses to deploy these stacks with the credentials of a target.
        return Environment(account=self.targets.home_account, region=self.targets.home_region) if self.targets else None

    @property
    def dispatchers(self) -> int:
        """Wakes handled at a time.

        Two looks at one account and Region do no harm, they only read twice; SQS's own least is two. An account that
        does not answer holds one dispatcher, so each target adds one.
        """
        return 2 + (len(self.targets.places) if self.targets else 0)

    @property
    def reserved_concurrency(self) -> dict[Function, int]:
        """Invocations kept for a function, of those that have any."""
        if self.concurrency is None:
            return {}
        # A second sweep beside a slow one would only look twice.
        return dict.fromkeys(STEPS, self.concurrency.steps) | {DISPATCH_LAUNCHES: self.dispatchers, SWEEP: 1}

    @property
    def mgn_requests_of_steps(self) -> int:
        """What the steps may use up: a fifth is left to the dispatcher, however many migrations begin at once."""
        return max(1, self.mgn_requests * 4 // 5)

    @property
    def named(self) -> dict[Named, tuple[str, ...]]:
        """What permissions at home depend on."""
        return {Named.DOCUMENTS: self.documents, Named.EBS_KEYS: self.ebs_key_arns}

    def named_in(self, place: Scope) -> dict[Named, tuple[str, ...]]:
        """What permissions in a target depend on."""
        keys = self.targets.ebs_key_arns.get(place.account, ()) if self.targets else ()
        return {**self.named, Named.EBS_KEYS: tuple(key for key in keys if region_of(key) == place.region)}

    @property
    def mgn_request_shards(self) -> int:
        """Items of the count: a fifth of the requests of each is the dispatcher's, so none has less than five."""
        return max(1, min(4, self.mgn_requests // 5))

    @property
    def removal(self) -> RemovalPolicy:
        # What a first deployment made before it failed goes again: left behind, it would be in the way of the next one.
        return RemovalPolicy.DESTROY if self.removal_policy == "destroy" else RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE

    @property
    def keeps_stacks(self) -> bool:
        """Whether CloudFormation refuses to delete the stacks."""
        return self.removal_policy == "retain"

    @property
    def log_retention(self) -> logs.RetentionDays:
        return _RETENTIONS[self.log_retention_days]

    @property
    def lambda_runtime(self) -> lambda_.Runtime:
        return lambda_.Runtime(f"python{self._python}", lambda_.RuntimeFamily.PYTHON)

    @property
    def lambda_architecture(self) -> lambda_.Architecture:
        name = platform.machine() if self.architecture == HOST else self.architecture
        return lambda_.Architecture.ARM_64 if name in ("arm64", "aarch64") else lambda_.Architecture.X86_64

    @property
    def bundle_target(self) -> Target:
        """What the functions' code is built for."""
        machine = "aarch64" if self.architecture == "arm64" else "x86_64"
        return Target(self._python, None if self.architecture == HOST else f"{machine}-manylinux2014")

    @property
    def _python(self) -> str:
        host = f"{sys.version_info.major}.{sys.version_info.minor}"
        return host if self.python_version == HOST else self.python_version


_RETENTIONS = {
    1: logs.RetentionDays.ONE_DAY,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
    731: logs.RetentionDays.TWO_YEARS,
}
