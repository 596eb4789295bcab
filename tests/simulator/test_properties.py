"""Random legal and illegal calls against the state model never break what must always hold."""

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from simulator import Scenario, Simulator
from simulator.memory import MemoryCompute
from simulator.model.forms.errors import MgnError
from simulator.model.settings.knobs import Knobs
from simulator.model.settings.quotas import Quotas
from simulator.model.settings.timings import Timings
from simulator.scenario import ServerSpec
from simulator.service_model import load_service_model

STATES = (*("READY_FOR_TEST",) * 4, "READY_FOR_CUTOVER", "CUTTING_OVER", "NOT_READY", "STOPPED")
# Each of the first three can be the one that refuses: three jobs of one server, one of three, two of two.
QUOTAS = Quotas(active_jobs=2, servers_per_job=2, servers_in_active_jobs=3, replicating_servers=7)
EDGES = {
    "StartTest": {("READY_FOR_TEST", "TESTING"), ("TESTING", "TESTING")},
    "StartCutover": {("READY_FOR_CUTOVER", "CUTTING_OVER"), ("CUTTING_OVER", "CUTTING_OVER")},
    "ChangeServerLifeCycleState": {
        ("READY_FOR_TEST", "READY_FOR_CUTOVER"),
        ("TESTING", "READY_FOR_CUTOVER"),
        ("TESTING", "READY_FOR_TEST"),
        ("READY_FOR_CUTOVER", "READY_FOR_TEST"),
        ("CUTTING_OVER", "READY_FOR_CUTOVER"),
        ("DISCONNECTED", "CUTOVER"),
    },
    "FinalizeCutover": {("CUTTING_OVER", "CUTOVER")},
    "replication": {("NOT_READY", "READY_FOR_TEST")},
    "failed launch": {("TESTING", "READY_FOR_TEST"), ("CUTTING_OVER", "READY_FOR_CUTOVER")},
    "StartReplication": {("STOPPED", "NOT_READY")},
}
FROM_ANY = {"DisconnectFromService": "DISCONNECTED", "StopReplication": "STOPPED"}
ONE_SERVER = (
    "FinalizeCutover", "DisconnectFromService", "MarkAsArchived", "DeleteSourceServer", "StartReplication",
    "StopReplication", "PauseReplication", "ResumeReplication", "RetryDataReplication",
)  # fmt: skip
FAULTS = (
    {"kind": "launch", "at": "snapshot"},
    {"kind": "launch", "at": "conversion", "attempts": [1]},
    {"kind": "launch", "at": "launch", "phase": "cutover"},
    {"kind": "launch", "at": "cleanup"},
    {"kind": "launch", "at": "terminate"},
    {"kind": "replication", "lasts_seconds": 500},
    {"kind": "replication", "state": "BACKLOG", "lasts_seconds": 100},
    {"kind": "events", "drop": 0.5, "duplicate": 0.5, "delay_seconds": [0, 900]},
)
one = st.integers(0, len(STATES) - 1)
some = st.lists(one, min_size=1, max_size=4)


class AnyCalls(RuleBasedStateMachine):
    """Calls in any order, with time moving on in between."""

    @initialize(
        seed=st.integers(0, 9),
        reverts=st.sampled_from(["stays", "reverts"]),
        batch=st.sampled_from(["reject_all", "skip_busy"]),
        busy=st.sampled_from(["refuse", "accept"]),
        completes=st.sampled_from(["after_launch", "after_actions"]),
    )
    def begin(self, seed: int, reverts: Any, batch: Any, busy: Any, completes: Any) -> None:
        knobs = Knobs(
            lifecycle_after_failed_launch=reverts,
            busy_batch=batch,
            busy_server_changes=busy,
            job_completes=completes,
            cutover_relaunch=True,
        )
        servers = tuple(
            ServerSpec.model_validate({"name": f"s{n}", "lifecycle": state, "actions": [{"name": "check"}]})
            for n, state in enumerate(STATES)
        )
        timings = Timings(jitter=0.3)
        self.simulator = Simulator(Scenario(seed=seed, knobs=knobs, quotas=QUOTAS, timings=timings, servers=servers))
        self.servers = dict(self.simulator.account.servers)  # The deleted ones too: their instances stay.
        self.ids = list(self.servers)
        self.states = {server_id: server.state for server_id, server in self.servers.items()}
        self.archived: set[str] = set()
        self.read_up_to = 0
        self.finished: dict[str, str] = {}
        self.failed_cleanups: set[str] = set()

    def call(self, operation: str, **parameters: Any) -> None:
        refusal = ""
        try:
            self.simulator.call(operation, **parameters)
        except MgnError as error:
            refusal = error.code
        assert not refusal or refusal in load_service_model().operations[operation].errors, (operation, refusal)

    @rule(operation=st.sampled_from(["StartTest", "StartCutover", "TerminateTargetInstances"]), which=some)
    def start(self, operation: str, which: list[int]) -> None:
        self.call(operation, sourceServerIDs=[self.ids[index] for index in which])

    @rule(groups=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), min_size=2, max_size=3))
    def crowd_in(self, groups: list[tuple[int, int]]) -> None:
        servers = self.simulator.account.servers.values()
        ready = [server.server_id for server in servers if server.state == "READY_FOR_TEST"]
        for first, count in groups:
            if chosen := ready[first : first + count]:
                self.call("StartTest", sourceServerIDs=chosen)

    @rule()
    def replicate_all(self) -> None:
        for server_id in self.ids:
            self.call("StartReplication", sourceServerID=server_id)

    @rule(which=one)
    def cut_over_and_finalize(self, which: int) -> None:
        server_id = self.ids[which]
        self.call("ChangeServerLifeCycleState", sourceServerID=server_id, lifeCycle={"state": "READY_FOR_CUTOVER"})
        self.call("StartCutover", sourceServerIDs=[server_id])
        self.simulator.finish_jobs()
        self.call("FinalizeCutover", sourceServerID=server_id)

    @rule(which=one, phase=st.sampled_from(["Test", "Cutover"]))
    def launch_revert_terminate(self, which: int, phase: str) -> None:
        server_id, ready = self.ids[which], {"state": f"READY_FOR_{phase.upper()}"}
        self.call(f"Start{phase}", sourceServerIDs=[server_id])
        self.simulator.finish_jobs()
        self.call("ChangeServerLifeCycleState", sourceServerID=server_id, lifeCycle=ready)
        self.call("TerminateTargetInstances", sourceServerIDs=[server_id])
        self.simulator.finish_jobs()

    @rule(operation=st.sampled_from(ONE_SERVER), which=one)
    def change_one(self, operation: str, which: int) -> None:
        self.call(operation, sourceServerID=self.ids[which])

    @rule(which=one, state=st.sampled_from(["READY_FOR_TEST", "READY_FOR_CUTOVER", "CUTOVER"]))
    def change_state(self, which: int, state: str) -> None:
        self.call("ChangeServerLifeCycleState", sourceServerID=self.ids[which], lifeCycle={"state": state})

    @rule(fault=st.sampled_from(FAULTS))
    def break_something(self, fault: dict[str, Any]) -> None:
        self.simulator.inject(fault)

    @rule()
    def mend(self) -> None:
        self.simulator.clear_faults()

    @rule(seconds=st.sampled_from([1, 30, 120, 600, 5000]))
    def wait(self, seconds: int) -> None:
        self.simulator.advance(seconds)

    @rule(count=st.integers(1, 15))
    def step(self, count: int) -> None:
        for _ in range(count):
            self.simulator.advance_to_next()

    @precondition(lambda self: self.simulator.account.jobs)
    @rule(which=st.integers(0, 100))
    def delete_job(self, which: int) -> None:
        jobs = list(self.simulator.account.jobs)
        self.call("DeleteJob", jobID=jobs[which % len(jobs)])

    @invariant()
    def no_server_is_in_two_jobs(self) -> None:
        jobs = self.simulator.account.active_jobs.values()
        members = Counter(p.server_id for job in jobs for p in job.participants.values() if not p.skipped)
        assert all(count == 1 for count in members.values()), members
        for job in jobs:
            assert all(p.skipped or self.servers[p.server_id].job_id == job.job_id for p in job.participants.values())

    @invariant()
    def quotas_hold(self) -> None:
        account = self.simulator.account
        assert len(account.active_jobs) <= QUOTAS.active_jobs
        assert account.servers_in_active_jobs() <= QUOTAS.servers_in_active_jobs
        assert all(job.size <= QUOTAS.servers_per_job for job in account.active_jobs.values())
        assert sum(s.replication.active for s in account.servers.values()) <= QUOTAS.replicating_servers

    @invariant()
    def running_instances_and_owners_belong_together(self) -> None:
        compute, account = self.simulator.compute, self.simulator.account
        assert isinstance(compute, MemoryCompute)
        # Kept here, as DeleteJob takes the log away and the instance stays.
        self.failed_cleanups |= {
            item.data["targetInstanceID"]
            for job in account.jobs.values()
            for item in job.log
            if item.event == "CLEANUP_FAIL"
        }
        busy = {server_id for job in account.active_jobs.values() for server_id in job.participants}
        idle = {server_id: server for server_id, server in self.servers.items() if server_id not in busy}
        owned = {server.launched.instance_id for server in idle.values() if server.launched is not None}
        running = {
            instance.instance_id
            for instance in compute.instances.values()
            if instance.state == "running" and instance.server_id in idle
        }
        assert owned <= running
        assert running <= owned | self.failed_cleanups

    @invariant()
    def terminated_instances_run_no_more(self) -> None:
        compute = self.simulator.compute
        assert isinstance(compute, MemoryCompute)
        for job in self.simulator.account.jobs.values():
            for each in job.participants.values():
                state = compute.instances[each.instance_id].state if each.instance_id else ""
                assert each.launch_status != "TERMINATED" or state in ("", "terminated")

    @invariant()
    def lifecycle_follows_known_edges(self) -> None:
        for entry in self.simulator.log(since=self.read_up_to):
            self.read_up_to = entry["number"]
            if entry["kind"] != "lifecycle" or not entry["state"]:
                continue
            server_id, after, by = entry["server"], entry["state"], entry["by"]
            before, self.states[server_id] = self.states[server_id], after
            if by == "MarkAsArchived":
                self.archived.add(server_id)
                assert before == after
            elif by in FROM_ANY:
                assert (after, before != "CUTOVER" or by == "StopReplication") == (FROM_ANY[by], True)
            else:
                assert (before, after) in EDGES[by], (before, after, by)
        for server_id, server in self.servers.items():
            assert (server.state, server.archived) == (self.states[server_id], server_id in self.archived)

    @invariant()
    def completed_jobs_are_complete_and_stay_so(self) -> None:
        assert self.simulator.account.active_jobs.keys() <= self.simulator.account.jobs.keys()
        for job in self.simulator.account.jobs.values():
            if job.active:
                assert job.job_id in self.simulator.account.active_jobs
                assert job.job_id not in self.finished
                continue
            assert job.job_id not in self.simulator.account.active_jobs
            assert (job.log[-1].event, job.ended_at is not None) == ("JOB_END", True)
            final = str({p.server_id: p.launch_status for p in job.participants.values()})
            assert self.finished.setdefault(job.job_id, final) == final
            for participant in job.participants.values():
                assert participant.skipped or participant.launch_status in ("LAUNCHED", "FAILED", "TERMINATED")
                assert (participant.launch_status != "LAUNCHED") or participant.instance_id

    @invariant()
    def lag_is_null_exactly_when_not_launchable(self) -> None:
        for item in self.simulator.call("DescribeSourceServers")["items"]:
            server = self.simulator.account.servers[item["sourceServerID"]]
            assert ("lagDuration" in item["dataReplicationInfo"]) == server.replication.launchable
            if item["lifeCycle"]["state"] in ("CUTOVER", "DISCONNECTED", "STOPPED"):
                assert not server.replication.launchable

    def teardown(self) -> None:
        if hasattr(self, "simulator"):
            self.simulator.advance(86_400)
            assert not self.simulator.account.active_jobs, "every job ends"
            self.running_instances_and_owners_belong_together()


AnyCalls.TestCase.settings = settings(stateful_step_count=30, suppress_health_check=list(HealthCheck))
test_any_calls = AnyCalls.TestCase
