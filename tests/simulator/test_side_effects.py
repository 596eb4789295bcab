"""Side effects on worker threads and real loopback addresses."""

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError

from simulator import Scenario, Simulator
from simulator.effects.bus import BotoBus, EventRefusedError
from simulator.effects.compute import BotoCompute, Serving
from simulator.effects.lanes import InlineLanes, ThreadLanes
from simulator.effects.listeners import AddressPool, Listeners
from simulator.http.serving import listen
from simulator.model.account.ports import NativeEvent
from simulator.model.account.server import Application
from simulator.scenario import ServerSpec

EVENT = NativeEvent("MGN Source Server Launch Result", 0.0, "arn", {"state": "TEST_LAUNCH_SUCCEEDED"})


class SlowEc2:
    """An EC2 client that takes its time and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.gate = threading.Event()
        self._numbers = itertools.count(1)

    def create_launch_template(self, **asked: Any) -> Any:
        return {"LaunchTemplate": {"LaunchTemplateId": f"lt-{next(self._numbers):017d}"}}

    def describe_launch_template_versions(self, **asked: Any) -> Any:
        data = {"InstanceType": "t3.medium", "NetworkInterfaces": [{"SubnetId": "subnet-1", "Groups": ["sg-1"]}]}
        return {"LaunchTemplateVersions": [{"VersionNumber": 1, "LaunchTemplateData": data}]}

    def run_instances(self, **asked: Any) -> Any:
        self.gate.wait(10)
        self.asked.append(("run", asked))
        return {"Instances": [{"InstanceId": f"i-{next(self._numbers):017x}"}]}

    def delete_launch_template(self, **asked: Any) -> None:
        self.asked.append(("delete template", asked))

    def create_tags(self, **asked: Any) -> None:
        self.asked.append(("tag", asked))

    def terminate_instances(self, **asked: Any) -> None:
        self.asked.append(("terminate", asked))


@pytest.fixture
def free_port() -> int:
    with contextlib.closing(listen("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


@pytest.fixture
def serving() -> Iterator[Serving]:
    made = Serving(AddressPool("127.77.0.0/28"), Listeners())
    yield made
    made.listeners.close_all()


@pytest.fixture
def lanes() -> Iterator[ThreadLanes]:
    made = ThreadLanes(2)
    yield made
    made.close()


def until(simulator: Simulator, done: Any) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline, "took too long"
        time.sleep(0.01)
        simulator.run_due()


def test_server_is_launched_only_once_the_instance_is_known(lanes: ThreadLanes) -> None:
    ec2: Any = SlowEc2()
    simulator = Simulator(Scenario(servers=(ServerSpec(name="a"),)), compute=lambda _: BotoCompute(ec2, lanes))
    job = simulator.call("StartTest", sourceServerIDs=list(simulator.account.servers))["job"]["jobID"]
    simulator.advance(10_000)
    participant = simulator.call("DescribeJobs")["items"][0]["participatingServers"][0]
    assert participant["launchStatus"] == "IN_PROGRESS"
    ec2.gate.set()
    until(simulator, lambda: not simulator.account.active_jobs)
    participant = simulator.call("DescribeJobs", filters={"jobIDs": [job]})["items"][0]["participatingServers"][0]
    assert (participant["launchStatus"], participant["launchedEc2InstanceID"][:2]) == ("LAUNCHED", "i-")


def test_reset_clears_a_launch_still_under_way(lanes: ThreadLanes) -> None:
    ec2: Any = SlowEc2()
    simulator = Simulator(Scenario(servers=(ServerSpec(name="a"),)), compute=lambda _: BotoCompute(ec2, lanes))
    simulator.call("StartTest", sourceServerIDs=list(simulator.account.servers))
    simulator.advance(1000)
    before = simulator.compute
    simulator.reset()
    ec2.gate.set()
    until(simulator, lambda: [asked for asked, _ in ec2.asked] == ["run", "terminate", "delete template"])
    until(simulator, lambda: [each.state for each in before.instances.values()] == ["terminated"])


def test_what_the_template_says_is_passed_explicitly(lanes: ThreadLanes) -> None:
    ec2: Any = SlowEc2()
    ec2.gate.set()
    simulator = Simulator(Scenario(servers=(ServerSpec(name="a"),)), compute=lambda _: BotoCompute(ec2, lanes))
    simulator.call("StartTest", sourceServerIDs=list(simulator.account.servers))
    simulator.advance(1000)
    until(simulator, lambda: not simulator.account.active_jobs)
    asked = ec2.asked[0][1]
    assert (asked["InstanceType"], asked["SubnetId"], asked["SecurityGroupIds"]) == ("t3.medium", "subnet-1", ["sg-1"])


def test_booted_instance_serves_its_application_until_terminated(serving: Serving, free_port: int) -> None:
    ec2: Any = SlowEc2()
    ec2.gate.set()
    spec = ServerSpec.model_validate(
        {"name": "a", "application": {"port": free_port, "path": "/health", "status": 503}}
    )
    simulator = Simulator(Scenario(servers=(spec,)), compute=lambda _: BotoCompute(ec2, InlineLanes(), serving))
    server = next(iter(simulator.account.servers))
    simulator.call("StartTest", sourceServerIDs=[server])
    simulator.finish_jobs()
    address = ec2.asked[0][1]["PrivateIpAddress"]
    assert address.startswith("127.77.0.")
    with pytest.raises(OSError, match="refused"):
        urlopen(f"http://{address}:{free_port}/health", timeout=60)
    simulator.advance(121)
    with pytest.raises(HTTPError) as caught:
        urlopen(f"http://{address}:{free_port}/health", timeout=60)
    assert caught.value.code == 503
    simulator.call("ChangeServerLifeCycleState", sourceServerID=server, lifeCycle={"state": "READY_FOR_TEST"})
    simulator.call("TerminateTargetInstances", sourceServerIDs=[server])
    simulator.finish_jobs()
    with pytest.raises(OSError, match="refused"):
        urlopen(f"http://{address}:{free_port}/health", timeout=60)


def test_application_answers_404_elsewhere(serving: Serving, free_port: int) -> None:
    address = serving.addresses.take()
    serving.listeners.open("i-1", address, Application(free_port, "/health"))
    with urlopen(f"http://{address}:{free_port}/health?full=1", timeout=60) as answer:
        assert (answer.status, answer.read()) == (200, b"ok\n")
    with pytest.raises(HTTPError) as caught:
        urlopen(f"http://{address}:{free_port}/", timeout=60)
    assert caught.value.code == 404


def test_addresses_are_used_once_and_given_back() -> None:
    pool = AddressPool("127.77.0.0/29")
    taken = [pool.take() for _ in range(6)]
    assert len(set(taken)) == 6
    with pytest.raises(RuntimeError, match="no free address"):
        pool.take()
    pool.release(taken[2])
    assert pool.take() == taken[2]


def test_too_small_a_pool_is_refused() -> None:
    with pytest.raises(ValueError, match="at least four addresses"):
        AddressPool("127.0.0.1/32")


def test_work_of_one_key_keeps_its_order(lanes: ThreadLanes) -> None:
    done: list[int] = []
    for number in range(50):
        lanes.submit("one", lambda number=number: done.append(number))  # type: ignore[misc]
    finished = threading.Event()
    lanes.submit("one", finished.set)
    assert finished.wait(5)
    assert done == list(range(50))


def test_failing_work_does_not_stop_its_lane(lanes: ThreadLanes, caplog: pytest.LogCaptureFixture) -> None:
    finished = threading.Event()
    lanes.submit("one", lambda: 1 / 0)  # type: ignore[arg-type]
    lanes.submit("one", finished.set)
    assert finished.wait(5)
    assert "ZeroDivisionError" in caplog.text


def test_refused_event_is_an_error() -> None:
    class RefusingBus:
        def put_events(self, **_: Any) -> Any:
            return {"FailedEntryCount": 1, "Entries": [{"ErrorMessage": "Not authorized for the source."}]}

    refusing: Any = RefusingBus()
    with pytest.raises(EventRefusedError, match="Not authorized"):
        BotoBus(refusing)._put(EVENT)


def test_ec2_error_fails_the_server(lanes: ThreadLanes) -> None:
    class FullEc2(SlowEc2):
        def run_instances(self, **asked: Any) -> Any:
            raise ClientError({"Error": {"Code": "InsufficientInstanceCapacity", "Message": "full"}}, "RunInstances")

    ec2: Any = FullEc2()
    simulator = Simulator(Scenario(servers=(ServerSpec(name="a"),)), compute=lambda _: BotoCompute(ec2, lanes))
    simulator.call("StartTest", sourceServerIDs=list(simulator.account.servers))
    simulator.advance(1000)
    until(simulator, lambda: not simulator.account.active_jobs)
    assert simulator.call("DescribeJobs")["items"][0]["participatingServers"][0]["launchStatus"] == "FAILED"
