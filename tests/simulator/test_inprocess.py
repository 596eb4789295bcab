"""Answering boto3 inside the process: attaching, timeouts, moto beside it."""

from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from moto import mock_aws

from simulator import Scenario, Simulator
from simulator.effects import inline_effects
from simulator.inprocess import attach, intercept
from simulator.scenario import ServerSpec

KEYS = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
ONCE = Config(retries={"total_max_attempts": 1})


def client(**extra: Any) -> Any:
    make: Any = boto3.session.Session().client
    return make("mgn", **KEYS, **extra)


def test_session_attached_once_serves_all_its_clients(mgn_simulator: Simulator) -> None:
    session = boto3.session.Session()
    attach(session, mgn_simulator)
    make: Any = session.client
    made = make("mgn", **KEYS)
    assert len(made.describe_source_servers()["items"]) == 3


def test_botocore_session_can_be_attached(mgn_simulator: Simulator) -> None:
    session = botocore.session.get_session()
    attach(session, mgn_simulator)
    make: Any = session.create_client
    made = make("mgn", **KEYS)
    assert len(made.describe_source_servers()["items"]) == 3


def test_something_else_cannot_be_attached(mgn_simulator: Simulator) -> None:
    with pytest.raises(TypeError, match="boto3 client or session"):
        attach(object(), mgn_simulator)


def test_clients_made_in_the_block_are_intercepted(mgn_simulator: Simulator) -> None:
    with intercept(mgn_simulator):
        assert len(client().describe_source_servers()["items"]) == 3


def test_default_session_is_intercepted_and_given_back(mgn_simulator: Simulator) -> None:
    before = boto3.DEFAULT_SESSION
    with intercept(mgn_simulator):
        make: Any = boto3.client
        assert len(make("mgn", **KEYS).describe_source_servers()["items"]) == 3
    assert boto3.DEFAULT_SESSION is before


@pytest.mark.parametrize(
    ("outcome", "error"), [("timeout_before", ConnectionClosedError), ("timeout_after", ReadTimeoutError)]
)
def test_timeout_raises_what_botocore_raises(mgn_simulator: Simulator, outcome: str, error: type[Exception]) -> None:
    mgn_simulator.inject({"kind": "call", "operations": ["StartTest"], "outcome": outcome})
    mgn: Any = client(config=ONCE)
    attach(mgn, mgn_simulator)
    with pytest.raises(error):
        mgn.start_test(sourceServerIDs=list(mgn_simulator.account.servers))
    assert len(mgn_simulator.account.jobs) == (1 if outcome == "timeout_after" else 0)


def test_retry_of_an_unheard_start_meets_its_own_job(mgn_simulator: Simulator) -> None:
    mgn_simulator.inject({"kind": "call", "operations": ["StartTest"], "outcome": "timeout_after", "calls": [1]})
    mgn: Any = client(config=Config(retries={"total_max_attempts": 3, "mode": "standard"}))
    attach(mgn, mgn_simulator)
    with pytest.raises(mgn.exceptions.ConflictException):
        mgn.start_test(sourceServerIDs=list(mgn_simulator.account.servers))
    assert [entry["outcome"] for entry in mgn_simulator.log(kind="call")] == ["timeout_after", "ConflictException"]


def test_throttled_call_is_retried_by_botocore(mgn_simulator: Simulator) -> None:
    mgn_simulator.inject({"kind": "call", "outcome": "throttle", "calls": [1]})
    mgn: Any = client(config=Config(retries={"total_max_attempts": 2, "mode": "standard"}))
    attach(mgn, mgn_simulator)
    answer = mgn.describe_source_servers()
    assert (len(answer["items"]), answer["ResponseMetadata"]["RetryAttempts"]) == (3, 1)


@pytest.fixture(scope="module")
def session() -> boto3.session.Session:
    """One session for all tests here: it keeps the service models, which take long to load."""
    return boto3.session.Session()


@pytest.fixture
def ec2_world(session: boto3.session.Session) -> Any:
    """A simulator whose instances live in moto, with clients of both."""
    with mock_aws():
        effects = inline_effects(session)
        spec = ServerSpec(name="web", count=2, tags={"team": "web"})
        simulator = Simulator(Scenario(servers=(spec,)), compute=effects.compute, bus=effects.bus)
        make: Any = session.client
        mgn = make("mgn", **KEYS)
        attach(mgn, simulator)
        yield simulator, mgn, make("ec2", **KEYS)


def instances(ec2: Any) -> list[Any]:
    return [each for reservation in ec2.describe_instances()["Reservations"] for each in reservation["Instances"]]


def test_launch_in_moto_follows_the_default_template_version(ec2_world: Any) -> None:
    simulator, mgn, ec2 = ec2_world
    server = next(iter(simulator.account.servers))
    mgn.update_launch_configuration(sourceServerID=server, targetInstanceTypeRightSizingMethod="NONE")
    template = mgn.get_launch_configuration(sourceServerID=server)["ec2LaunchTemplateID"]
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    group = ec2.create_security_group(GroupName="g", Description="g")["GroupId"]
    nic = {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group]}
    data = {"InstanceType": "m5.xlarge", "NetworkInterfaces": [nic]}
    number = ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData=data)
    version = number["LaunchTemplateVersion"]["VersionNumber"]
    ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion=str(version))
    mgn.start_test(sourceServerIDs=[server])
    simulator.finish_jobs()
    launched = instances(ec2)[0]
    assert (launched["InstanceType"], launched["SubnetId"]) == ("m5.xlarge", subnet)
    assert [each["GroupId"] for each in launched["SecurityGroups"]] == [group]


def test_basic_right_sizing_writes_a_new_default_version_in_moto(ec2_world: Any) -> None:
    simulator, mgn, ec2 = ec2_world
    server = next(iter(simulator.account.servers))
    template = mgn.get_launch_configuration(sourceServerID=server)["ec2LaunchTemplateID"]
    ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData={"InstanceType": "c5.large"})
    ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion="2")
    mgn.start_test(sourceServerIDs=[server])
    simulator.finish_jobs()
    versions = ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=["$Default"])
    assert versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]["InstanceType"] == "t3.medium"


def test_instance_in_moto_shows_its_boot_in_its_tags(ec2_world: Any) -> None:
    simulator, mgn, ec2 = ec2_world
    server = next(iter(simulator.account.servers))
    mgn.start_test(sourceServerIDs=[server])
    simulator.finish_jobs()
    assert _tag(instances(ec2)[0], "mgn-simulator:status") == "initializing"
    simulator.advance(121)
    assert _tag(instances(ec2)[0], "mgn-simulator:status") == "ok"
    assert _tag(instances(ec2)[0], "mgn-simulator:ssm") == "online"
    assert _tag(instances(ec2)[0], "AWSApplicationMigrationServiceSourceServerID") == server


def _tag(instance: Any, key: str) -> str:
    return str({tag["Key"]: tag["Value"] for tag in instance["Tags"]}[key])


def test_cutover_terminates_the_test_instance_in_moto(ec2_world: Any) -> None:
    simulator, mgn, ec2 = ec2_world
    server = next(iter(simulator.account.servers))
    mgn.start_test(sourceServerIDs=[server])
    simulator.finish_jobs()
    mgn.change_server_life_cycle_state(sourceServerID=server, lifeCycle={"state": "READY_FOR_CUTOVER"})
    mgn.start_cutover(sourceServerIDs=[server])
    simulator.finish_jobs()
    assert sorted(each["State"]["Name"] for each in instances(ec2)) == ["running", "terminated"]


def test_protected_instance_in_moto_fails_its_termination(ec2_world: Any) -> None:
    simulator, mgn, ec2 = ec2_world
    server = next(iter(simulator.account.servers))
    mgn.start_test(sourceServerIDs=[server])
    simulator.finish_jobs()
    ec2.modify_instance_attribute(InstanceId=instances(ec2)[0]["InstanceId"], DisableApiTermination={"Value": True})
    mgn.change_server_life_cycle_state(sourceServerID=server, lifeCycle={"state": "READY_FOR_TEST"})
    job = mgn.terminate_target_instances(sourceServerIDs=[server])["job"]["jobID"]
    simulator.finish_jobs()
    ended = mgn.describe_jobs(filters={"jobIDs": [job]})["items"][0]
    assert ended["participatingServers"][0]["launchStatus"] == "FAILED"


def test_launch_that_ec2_refuses_fails_with_its_error(ec2_world: Any) -> None:
    simulator, mgn, ec2 = ec2_world
    server = next(iter(simulator.account.servers))
    mgn.update_launch_configuration(sourceServerID=server, copyPrivateIp=True)
    mgn.update_launch_configuration(sourceServerID=server, targetInstanceTypeRightSizingMethod="NONE")
    template = mgn.get_launch_configuration(sourceServerID=server)["ec2LaunchTemplateID"]
    nic = {"DeviceIndex": 0, "SubnetId": "subnet-0123456789abcdef0"}
    ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData={"NetworkInterfaces": [nic]})
    ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion="2")
    job = mgn.start_test(sourceServerIDs=[server])["job"]["jobID"]
    simulator.finish_jobs()
    last = mgn.describe_job_log_items(jobID=job)["items"][-2]
    assert last["event"] == "LAUNCH_FAILED"
    assert "InvalidSubnetID.NotFound" in last["eventData"]["rawError"]


def test_stopped_disposition_stops_the_instance_in_moto(ec2_world: Any) -> None:
    simulator, mgn, ec2 = ec2_world
    server = next(iter(simulator.account.servers))
    mgn.update_launch_configuration(sourceServerID=server, launchDisposition="STOPPED")
    mgn.start_test(sourceServerIDs=[server])
    simulator.finish_jobs()
    assert instances(ec2)[0]["State"]["Name"] == "stopped"


def test_reset_clears_what_is_left_in_moto(ec2_world: Any) -> None:
    simulator, mgn, ec2 = ec2_world
    mgn.start_test(sourceServerIDs=list(simulator.account.servers))
    simulator.finish_jobs()
    simulator.reset()
    assert {each["State"]["Name"] for each in instances(ec2)} == {"terminated"}
    assert len(ec2.describe_launch_templates()["LaunchTemplates"]) == 2


def test_reset_clears_what_no_server_knows_any_more(ec2_world: Any) -> None:
    simulator, mgn, ec2 = ec2_world
    simulator.inject({"kind": "launch", "at": "cleanup"})
    orphaned, deleted = simulator.account.servers
    for _ in range(2):
        mgn.start_test(sourceServerIDs=[orphaned, deleted])
        simulator.finish_jobs()
    mgn.disconnect_from_service(sourceServerID=deleted)
    mgn.delete_source_server(sourceServerID=deleted)
    assert len(instances(ec2)) == 4
    simulator.reset()
    assert {each["State"]["Name"] for each in instances(ec2)} == {"terminated"}
    assert len(ec2.describe_launch_templates()["LaunchTemplates"]) == 2


def test_reset_tells_of_an_instance_it_must_leave(ec2_world: Any, caplog: pytest.LogCaptureFixture) -> None:
    simulator, mgn, ec2 = ec2_world
    mgn.start_test(sourceServerIDs=[next(iter(simulator.account.servers))])
    simulator.finish_jobs()
    left = instances(ec2)[0]["InstanceId"]
    ec2.modify_instance_attribute(InstanceId=left, DisableApiTermination={"Value": True})
    simulator.reset()
    assert f"{left} is left: " in caplog.text


def test_state_shows_instances_in_moto_as_far_as_the_simulator_knows(ec2_world: Any) -> None:
    simulator, mgn, ec2 = ec2_world
    server = next(iter(simulator.account.servers))
    mgn.start_test(sourceServerIDs=[server])
    simulator.finish_jobs()
    simulator.advance(121)
    mgn.change_server_life_cycle_state(sourceServerID=server, lifeCycle={"state": "READY_FOR_CUTOVER"})
    mgn.start_cutover(sourceServerIDs=[server])
    simulator.finish_jobs()
    shown = [(each["state"], each["status"], each["ssm"]) for each in simulator.state()["instances"]]
    assert shown == [("terminated", "ok", "online"), ("running", "initializing", "offline")]
    assert [each["instanceID"] for each in simulator.state()["instances"]] == [e["InstanceId"] for e in instances(ec2)]


def test_second_simulator_on_the_same_engine_starts_clean(ec2_world: Any, session: boto3.session.Session) -> None:
    simulator, _, ec2 = ec2_world
    effects = inline_effects(session)
    Simulator(simulator.scenario, compute=effects.compute, bus=effects.bus)
    assert len(ec2.describe_launch_templates()["LaunchTemplates"]) == 2


def test_import_and_export_go_through_s3_in_moto(session: boto3.session.Session) -> None:
    with mock_aws():
        effects = inline_effects(session)
        spec = ServerSpec(name="a", user_provided_id="vm-1")
        simulator = Simulator(Scenario(servers=(spec,)), objects=effects.objects)
        make: Any = session.client
        s3 = make("s3", **KEYS)
        s3.create_bucket(Bucket="lists")
        simulator.call("StartExport", s3Bucket="lists", s3Key="out.csv")
        simulator.advance(60)
        assert b"vm-1" in s3.get_object(Bucket="lists", Key="out.csv")["Body"].read()
        simulator.call("StartImport", s3BucketSource={"s3Bucket": "lists", "s3Key": "missing.csv"})
        simulator.advance(60)
        assert simulator.call("ListImports")["items"][0]["status"] == "FAILED"
