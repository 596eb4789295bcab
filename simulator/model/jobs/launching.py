"""A launch job at work: cleanup, snapshot, conversion, launch, each server at its own pace (docs/mgn.md#jobs)."""

from simulator.model.account import native_events
from simulator.model.account.account import Account
from simulator.model.account.job import Job, Participant
from simulator.model.account.meeting import meet
from simulator.model.account.ports import LaunchOrder, LaunchResult, TerminateDone
from simulator.model.account.server import LaunchedInstance, Phase, SourceServer
from simulator.model.jobs import booting
from simulator.model.jobs.ending import close_when_done, open_job, settle
from simulator.model.settings.faults import LaunchFault

MANAGED = {"AWSApplicationMigrationServiceManaged": "mgn.amazonaws.com"}
SERVER_TAG = "AWSApplicationMigrationServiceSourceServerID"
_REVERT = {"test": ("TESTING", "READY_FOR_TEST"), "cutover": ("CUTTING_OVER", "READY_FOR_CUTOVER")}


def begin(account: Account, job: Job) -> None:
    """The job starts: every server begins with the cleanup of its earlier instance."""
    open_job(account, job)
    for participant in job.participants.values():
        server = account.servers.get(participant.server_id)
        if participant.settled:
            continue
        if server is None:
            settle(account, job, participant, "FAILED")
        else:
            _ServerLaunch(account, job, participant, server).clean_up()
    close_when_done(account, job)


class _ServerLaunch:
    """One server's way through a launch job."""

    def __init__(self, account: Account, job: Job, participant: Participant, server: SourceServer) -> None:
        self.account = account
        self.job = job
        self.participant = participant
        self.server = server
        self.phase: Phase = "test" if job.phase == "test" else "cutover"

    def clean_up(self) -> None:
        earlier = self.server.launched
        if earlier is None:
            self._snapshot()
            return
        self._note("CLEANUP_START", targetInstanceID=earlier.instance_id)
        if fault := self._fault("cleanup"):
            error = fault.error or "simulated: the earlier instance could not be terminated"
            self.account.after(self._lasts("cleanup"), lambda: self._cleaned(earlier, error))
            return

        def terminate(done: TerminateDone) -> None:
            self.account.compute.terminate(self.server.server_id, earlier.instance_id, done)

        def terminated(error: str) -> None:
            self._cleaned(earlier, error)

        meet(self.account, self._lasts("cleanup"), terminate, terminated)

    def _cleaned(self, earlier: LaunchedInstance, error: str) -> None:
        if error:
            self._note("CLEANUP_FAIL", targetInstanceID=earlier.instance_id, rawError=error)
        else:
            self._note("CLEANUP_END", targetInstanceID=earlier.instance_id)
            self.account.notice(
                "instance", event="terminated", instance=earlier.instance_id, server=self.server.server_id
            )
        if self.server.launched is earlier:
            self.server.launched = None
        self._snapshot()

    def _snapshot(self) -> None:
        self._note("SNAPSHOT_START")
        self.account.after(self._lasts("snapshot"), self._snapshot_over)

    def _snapshot_over(self) -> None:
        if fault := self._fault("snapshot"):
            self._fail("SNAPSHOT_FAIL", fault, "simulated: snapshot creation failed")
            return
        if self._fault("previous_snapshot"):
            self._note("SNAPSHOT_FAIL", rawError="simulated: snapshot creation timed out")
            self._note("USING_PREVIOUS_SNAPSHOT")
        else:
            self._note("SNAPSHOT_END")
        conversion_server = self.account.ids.new("i")
        self._note("CONVERSION_START", conversionServerID=conversion_server)
        self.account.after(self._lasts("conversion"), lambda: self._converted(conversion_server))

    def _converted(self, conversion_server: str) -> None:
        if fault := self._fault("conversion"):
            self._fail("CONVERSION_FAIL", fault, "simulated: conversion failed", conversionServerID=conversion_server)
            return
        self._note("CONVERSION_END", conversionServerID=conversion_server)
        self._note("LAUNCH_START")
        if fault := self._fault("launch"):
            self.account.after(
                self._lasts("launch"),
                lambda: self._fail("LAUNCH_FAILED", fault, "simulated: InsufficientInstanceCapacity"),
            )
            return
        order = self._order()
        meet(
            self.account,
            self._lasts("launch"),
            lambda done: self.account.compute.launch(order, done),
            self._launched,
        )

    def _order(self) -> LaunchOrder:
        server, settings = self.server, self.server.launch_settings
        right_sized = settings.get("targetInstanceTypeRightSizingMethod") == "BASIC"
        addresses = server.hardware.ip_addresses
        return LaunchOrder(
            server_id=server.server_id,
            template_id=server.template_id,
            instance_type=server.hardware.recommended_instance_type if right_sized else None,
            private_ip=addresses[0] if settings.get("copyPrivateIp") and addresses else None,
            started=settings.get("launchDisposition") != "STOPPED",
            tags={
                "Name": server.hardware.hostname,
                **MANAGED,
                SERVER_TAG: server.server_id,
                "mgn.amazonaws.com-job": self.job.job_id,
                "mgn.amazonaws.com-source-server": server.server_id,
            },
            copied_tags=dict(server.tags) if settings.get("copyTags") else {},
        )

    def _launched(self, result: LaunchResult) -> None:
        if result.error:
            self._fail("LAUNCH_FAILED", None, result.error)
            return
        self.participant.instance_id = result.instance_id
        self.server.launched = LaunchedInstance(result.instance_id, self.job.job_id, self.phase)
        self.account.notice(
            "instance",
            event="launched",
            instance=result.instance_id,
            server=self.server.server_id,
            job=self.job.job_id,
            phase=self.phase,
        )
        booting.plan(self.account, self.job, self.participant, self.server)
        native_events.launch_ended(self.account, self.server, self.phase, self.job.job_id, True)
        settle(self.account, self.job, self.participant, "LAUNCHED")

    def _fail(self, event: str, fault: LaunchFault | None, text: str, **data: str) -> None:
        self._note(event, rawError=(fault.error if fault else "") or text, **data)
        during, before = _REVERT[self.phase]
        if self.account.knobs.lifecycle_after_failed_launch == "reverts" and self.server.state == during:
            self.server.state = before
            self.account.notice("lifecycle", server=self.server.server_id, state=self.server.state, by="failed launch")
        native_events.launch_ended(self.account, self.server, self.phase, self.job.job_id, False)
        settle(self.account, self.job, self.participant, "FAILED")

    def _fault(self, at: str) -> LaunchFault | None:
        return self.account.chaos.launch_fault(at, self.server, self.phase, self.participant.attempt)

    def _lasts(self, step: str) -> float:
        timings = self.server.timings
        seconds: float = getattr(timings, step)
        return self.account.vary(timings, seconds)

    def _note(self, event: str, **data: str) -> None:
        self.job.note(self.account.now, event, sourceServerID=self.server.server_id, **data)
