"""`migrate plan`: the preflight of requests against the live account, touching nothing."""

from collections import Counter
from datetime import UTC, datetime

import typer
from rich.text import Text

from cli.commands.options import AsJson
from cli.commands.submit import Default, Requests
from cli.deployed import Deployed
from cli.exits import ExitCode
from cli.filters import Filters
from cli.output import advise, console, note, progress, say_document, show, words
from cli.preflight import Account, Finding, Preflight, Verdict, holds_a_server
from cli.reading.requests import option_defaults, valid_messages
from cli.resources import settings_of_stage
from cli.standings import S
from cli.tables import Column, Listing
from cli.target import Target, takes_target
from cli.views import in_number
from runtime.models.record import MigrationRecord
from runtime.models.scope import Scope

STYLES = {Verdict.OK: "green", Verdict.WAITS: "yellow", Verdict.BROKEN: "bold red", Verdict.UNKNOWN: "dim"}


@takes_target
def plan(target: Target, files: Requests, default: Default = None, as_json: AsJson = False) -> None:
    """Judge requests as the pipeline would, by the live account and the stage's settings. Nothing is sent or changed.

    It ends with 3 when a rule is broken. What only has to wait, and what you may not look at, breaks none.
    """
    messages = valid_messages(files, option_defaults(default or []))
    deployed = Deployed(target)
    preflight = _preflight(deployed)
    requests = [message.request for message in messages if message.request is not None]
    known = deployed.state.migrations.records_of([request.migration_id for request in requests])
    found: list[tuple[str, list[Finding]]] = []
    with progress("looking", len(requests)) as bar:
        for request in requests:
            found.append((request.migration_id, list(preflight.judge(request, known.get(request.migration_id)))))
            bar.advance(bar.task_ids[0])
    if as_json:
        say_document(
            [
                {"migrationId": id_, "verdict": worst(findings), "rules": [one._asdict() for one in findings]}
                for id_, findings in found
            ]
        )
    else:
        _print(found)
    broken = any(worst(findings) is Verdict.BROKEN for _, findings in found)
    raise typer.Exit(ExitCode.INVALID if broken else ExitCode.OK)


def worst(findings: list[Finding]) -> Verdict:
    """The verdict on the whole request."""
    order = (Verdict.BROKEN, Verdict.UNKNOWN, Verdict.WAITS, Verdict.OK)
    return min((finding.verdict for finding in findings), key=order.index)


def condensed(findings: list[Finding]) -> list[Finding]:
    """For a person who looks at many: what is not ok, or where a request that is would go."""
    if told := [finding for finding in findings if finding.verdict is not Verdict.OK]:
        return told
    where = [one.text for one in findings if one.rule in ("server", "launch settings")]
    return [Finding("all", Verdict.OK, "; ".join(reversed(where)))]


def _print(found: list[tuple[str, list[Finding]]]) -> None:
    columns = [Column("Migration"), Column("Rule"), Column("Verdict"), Column("", words=True)]
    rows = [
        [words(id_), Text(one.rule), Text(one.verdict, style=STYLES[one.verdict]), words(one.text)]
        for id_, findings in found
        for one in (findings if len(found) == 1 or not console().is_terminal else condensed(findings))
    ]
    show(Listing(columns, rows), wraps=True)
    counts = Counter(worst(findings) for _, findings in found)
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    note(f"{in_number(len(found), 'request')}: {told}; nothing was sent")
    if not counts[Verdict.BROKEN]:
        advise("send them with migrate submit")


def _preflight(deployed: Deployed) -> Preflight:
    from runtime.adapters.servers.instances import Ec2Instances
    from runtime.adapters.servers.launch_settings import Ec2LaunchSettings
    from runtime.adapters.servers.mgn import MgnMigrationService
    from runtime.adapters.servers.network import Ec2Network

    mgn, ec2 = deployed.client("mgn"), deployed.client("ec2")
    home = Scope(deployed.account(), str(mgn.meta.region_name))
    account = Account(
        home,
        MgnMigrationService(mgn, mgn),
        Ec2Network(ec2),
        Ec2LaunchSettings(mgn, ec2),
        Ec2Instances(ec2, deployed.client("ssm")),
    )
    return Preflight(settings_of_stage(deployed), home, account, _holders(deployed), datetime.now(UTC))


def _holders(deployed: Deployed) -> list[MigrationRecord]:
    under_way = Filters(active=True).find(deployed.state)
    frozen = deployed.state.migrations.find(status=S.FROZEN)
    return [record for record in (*under_way, *frozen) if holds_a_server(record)]
