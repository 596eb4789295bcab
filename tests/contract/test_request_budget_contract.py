"""What every RequestBudget does: the fake, and the count in the state table on moto's DynamoDB."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from botocore.stub import Stubber
from moto import mock_aws

from runtime.adapters.aws import clients
from runtime.adapters.servers.mgn import MgnMigrationService
from runtime.adapters.state.request_budget import KEPT, DynamoDbRequestBudget, limit_requests
from runtime.errors import ServiceUnavailableError, ThrottledError
from runtime.handlers.wiring import AwsPorts, Wiring
from runtime.logic.ports import RequestBudget
from runtime.models.request import Phase
from runtime.models.scope import Scope
from simulator.engine import Simulator
from simulator.inprocess import intercept
from simulator.model.settings.faults import CallFault
from simulator.scenario import Scenario, ServerSpec
from tests.builders import SCOPE, TARGET_SCOPE, server_id
from tests.contract.aws import aws
from tests.contract.rivals import at_once
from tests.contract.state_table import TABLE_NAME, make_state_table
from tests.fakes import FakeRequestBudget

START = 1_767_225_600.25
PER_SECOND = 10


class Clock:
    """Moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = START
        self.invocation = 1

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


Environment = Callable[[Clock], RequestBudget]
"""Makes the budget of one more Lambda environment, which has a clock of its own."""


def on_dynamodb(
    clock: Clock, *, scope: Scope = SCOPE, per_second: int = PER_SECOND, shards: int = 1, chance: Random | None = None
) -> DynamoDbRequestBudget:
    return DynamoDbRequestBudget(
        aws("dynamodb"),
        TABLE_NAME,
        scope,
        per_second=per_second,
        shards=shards,
        invocation=lambda: clock.invocation,
        clock=clock,
        sleep=clock.sleep,
        share=chance.random if chance else lambda: 0.5,
    )


@pytest.fixture(params=["fake", "dynamodb"])
def environment(request: pytest.FixtureRequest) -> Iterator[Environment]:
    if request.param == "fake":
        used: Counter[int] = Counter()
        yield lambda clock: FakeRequestBudget(PER_SECOND, clock, clock.sleep, lambda: clock.invocation, used)
        return
    with mock_aws():
        make_state_table()
        yield on_dynamodb


def sent_by(budget: RequestBudget, clock: Clock, requests: int) -> Counter[int]:
    """How many of so many requests of one invocation went out in each second."""
    seconds: Counter[int] = Counter()
    for _ in range(requests):
        budget.take()
        seconds[int(clock() - START + 0.25)] += 1
    return seconds


def test_requests_within_the_budget_go_out_at_once(environment: Environment) -> None:
    clock = Clock()
    assert sent_by(environment(clock), clock, PER_SECOND) == {0: PER_SECOND}
    assert clock() == START


def test_invocation_that_has_begun_goes_on_in_the_next_second(environment: Environment) -> None:
    clock = Clock()
    assert sent_by(environment(clock), clock, 25) == {0: 10, 1: 10, 2: 5}


def test_i12_invocation_that_finds_the_second_full_never_waits(environment: Environment) -> None:
    others, clock = Clock(), Clock()
    sent_by(environment(others), others, PER_SECOND)
    with pytest.raises(ThrottledError):
        environment(clock).take()
    assert clock() == START


def test_next_invocation_of_an_environment_has_not_begun(environment: Environment) -> None:
    clock = Clock()
    budget = environment(clock)
    sent_by(budget, clock, PER_SECOND)
    clock.invocation += 1
    with pytest.raises(ThrottledError):
        budget.take()
    assert clock() == START


def test_second_in_which_nothing_was_sent_saves_nothing_for_the_next(environment: Environment) -> None:
    clock = Clock()
    budget = environment(clock)
    budget.take()
    clock.sleep(100)
    assert sent_by(budget, clock, 11) == {100: 10, 101: 1}


def test_two_environments_share_one_budget(environment: Environment) -> None:
    clocks = (Clock(), Clock())
    budgets = [environment(clock) for clock in clocks]
    seconds: Counter[int] = Counter()
    for _ in range(15):
        for budget, clock in zip(budgets, clocks, strict=True):
            seconds += sent_by(budget, clock, 1)
    assert seconds == {0: 10, 1: 10, 2: 10}


def test_nobody_waits_for_longer_than_until_the_next_second(environment: Environment) -> None:
    crowd = [Clock() for _ in range(PER_SECOND)]
    budgets = [environment(clock) for clock in crowd]
    for _ in range(2):
        for budget in budgets:
            budget.take()
    # A present second that is full, and a next one that is: whoever is still in the present one is refused.
    late = Clock()
    with pytest.raises(ThrottledError):
        environment(late).take()
    assert all(clock() < START + 2 for clock in crowd)


def test_of_many_at_once_no_more_go_out_than_the_budget_has(environment: Environment) -> None:
    clocks = [Clock() for _ in range(30)]
    sent: list[bool] = []

    def taking(budget: RequestBudget) -> Callable[[], None]:
        def take() -> None:
            with suppress(ThrottledError):
                budget.take()
                sent.append(True)

        return take

    at_once([taking(environment(clock)) for clock in clocks])
    assert len(sent) == PER_SECOND
    assert {clock() for clock in clocks} == {START}


@pytest.fixture
def table() -> Iterator[Any]:
    with mock_aws():
        yield make_state_table()


def test_accounts_and_regions_have_budgets_of_their_own(table: Any) -> None:
    clock = Clock()
    for scope in (SCOPE, TARGET_SCOPE):
        assert sent_by(on_dynamodb(clock, scope=scope), clock, PER_SECOND) == {0: PER_SECOND}


def test_who_may_use_the_whole_budget_finds_what_the_others_had_to_leave(table: Any) -> None:
    step, dispatcher = Clock(), Clock()
    sent_by(on_dynamodb(step, per_second=8), step, 8)
    with pytest.raises(ThrottledError):
        on_dynamodb(Clock(), per_second=8).take()
    assert sent_by(on_dynamodb(dispatcher, per_second=10), dispatcher, 2) == {0: 2}


def crowd_of_shards(people: int, chance: Random, *, per_second: int, sent: Counter[str], who: str) -> None:
    """Have so many environments ask for one request each in the same second."""
    for _ in range(people):
        with suppress(ThrottledError):
            on_dynamodb(Clock(), per_second=per_second, shards=4, chance=chance).take()
            sent[who] += 1


def test_shards_together_grant_what_a_second_has_and_leave_the_dispatcher_its_part_of_each(table: Any) -> None:
    sent: Counter[str] = Counter()
    chance = Random(7)
    crowd_of_shards(100, chance, per_second=16, sent=sent, who="step")
    crowd_of_shards(4, chance, per_second=20, sent=sent, who="dispatcher")
    assert sent["step"] == 16
    assert sent["dispatcher"] >= 3
    counts = {item["pk"]["S"]: int(item["used"]["N"]) for item in table.scan(TableName=TABLE_NAME)["Items"]}
    assert len(counts) == 4
    assert max(counts.values()) <= 5


def test_crowd_that_finds_a_second_full_writes_a_part_of_itself_to_each_shard(table: Any) -> None:
    budget = on_dynamodb(Clock(), per_second=0, shards=4)
    with Stubber(budget._table._client) as stubber:
        for _ in range(2):
            stubber.add_client_error("update_item", "ConditionalCheckFailedException")
        # Once is enough for an environment, however often it is asked in that second.
        for _ in range(3):
            with pytest.raises(ThrottledError):
                budget.take()
        stubber.assert_no_pending_responses()


def test_waiting_requests_spread_over_their_second(table: Any) -> None:
    clock = Clock()
    sent_by(on_dynamodb(clock), clock, PER_SECOND + 1)
    assert clock() == int(START) + 1.5


def test_counts_go_away_by_themselves(table: Any) -> None:
    on_dynamodb(Clock()).take()
    (item,) = table.scan(TableName=TABLE_NAME)["Items"]
    assert int(item["expiresAt"]["N"]) == int(START) + KEPT


@pytest.mark.parametrize(
    ("code", "status"),
    [("ProvisionedThroughputExceededException", 400), ("InternalServerError", 500), ("AccessDeniedException", 400)],
)
def test_i12_request_that_cannot_be_counted_is_throttled_and_not_granted(code: str, status: int) -> None:
    clock = Clock()
    with Stubber(aws("dynamodb")) as stubber:
        stubber.add_client_error("update_item", code, http_status_code=status)
        with pytest.raises(ThrottledError):
            on_dynamodb(clock).take()
        stubber.assert_no_pending_responses()
    assert clock() == START


class TestOnTheClientsOfMgn:
    """The hook that has every request counted."""

    @pytest.fixture
    def simulator(self) -> Iterator[Simulator]:
        clients._client.cache_clear()
        with intercept(Simulator(Scenario(servers=(ServerSpec(name="ready", id=server_id(1)),)))) as simulator:
            yield simulator
        clients._client.cache_clear()

    def test_every_attempt_of_a_request_counts(self, simulator: Simulator) -> None:
        client, taken = clients.client("mgn"), []
        limit_requests(client, lambda: taken.append(1))
        simulator.inject(CallFault(operations=("DescribeSourceServers",), outcome="unavailable", calls=(1,)))
        MgnMigrationService(client, clients.once_client("mgn")).servers([server_id(1)])
        assert len(taken) == 2

    def test_hook_set_twice_counts_once(self, simulator: Simulator) -> None:
        client, taken = clients.client("mgn"), []
        for _ in range(2):
            limit_requests(client, lambda: taken.append(1))
        MgnMigrationService(client, clients.once_client("mgn")).servers([server_id(1)])
        assert len(taken) == 1

    def test_i3_launch_the_budget_has_no_room_for_is_throttled_and_never_sent(self, simulator: Simulator) -> None:
        once = clients.once_client("mgn")

        def refuse() -> None:
            raise ThrottledError("booked")

        limit_requests(once, refuse)
        with pytest.raises(ThrottledError):
            MgnMigrationService(clients.client("mgn"), once).start_launch(Phase.TEST, [server_id(1)], {})
        assert not list(simulator.log(kind="call"))

    def test_ports_count_what_reads_launches_and_configures(self, simulator: Simulator) -> None:
        with mock_aws():
            table = make_state_table()
            ports = AwsPorts(Wiring(state_table=TABLE_NAME), SCOPE)
            ports.mgn.servers([server_id(1)])
            ports.mgn.start_launch(Phase.TEST, [server_id(1)], {})
            simulator.inject(CallFault(operations=("GetLaunchConfiguration",), outcome="unavailable"))
            with pytest.raises(ServiceUnavailableError):
                ports.launch_settings.current(server_id(1))
            counted = sum(int(item["used"]["N"]) for item in table.scan(TableName=TABLE_NAME)["Items"])
        assert counted == len(list(simulator.log(kind="call"))) == 2 + clients.SHARED_ATTEMPTS
