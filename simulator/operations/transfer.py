"""Import and export of the inventory as CSV files in S3 (docs/mgn.md#inventory)."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from simulator.model.account.account import Account
from simulator.model.account.meeting import meet
from simulator.model.account.ports import ObjectDone
from simulator.model.forms.errors import invalid
from simulator.model.forms.formats import View, datetime_text
from simulator.model.groups.inventory import export_csv, import_csv
from simulator.operations.answers import Operation, Request, listed
from simulator.operations.paging import kept_page, numbered_page

IMPORT, EXPORT = "Import", "Export"
_ID = {IMPORT: "importID", EXPORT: "exportID"}
_SUMMARY = {
    IMPORT: {kind: {"createdCount": 0, "modifiedCount": 0} for kind in ("waves", "applications", "servers")},
    EXPORT: {"serversCount": 0, "applicationsCount": 0, "wavesCount": 0},
}


def start_import(account: Account, request: Request) -> View:
    token = request.get("clientToken")
    for task in account.kept(IMPORT).values():
        if token and task["clientToken"] == token:
            return {"importTask": _view(account, task)}
    source = dict(request["s3BucketSource"])
    task = _task(account, IMPORT, request, clientToken=token, s3BucketSource=source)

    def read(done: ObjectDone) -> None:
        account.objects.read(source["s3Bucket"], source["s3Key"], done)

    def loaded(answer: tuple[str, str]) -> None:
        text, error = answer
        summary, errors = import_csv(account, text) if not error else (None, [_error(error)])
        _finish(account, task, summary, errors)

    account.after(0, lambda: _begin(task))
    meet(account, account.timings.transfer, read, loaded)
    return {"importTask": _view(account, task)}


def start_export(account: Account, request: Request) -> View:
    place = {name: request[name] for name in ("s3Bucket", "s3Key", "s3BucketOwner") if name in request}
    task = _task(account, EXPORT, request, **place)

    def write(done: ObjectDone) -> None:
        def known(templates: Mapping[str, Mapping[str, Any]], error: str) -> None:
            if error:
                done(("", error))
                return
            text, task["counts"] = export_csv(account, templates)
            account.objects.write(request["s3Bucket"], request["s3Key"], text, done)

        _read_templates(account, known)

    def written(answer: tuple[str, str]) -> None:
        error = answer[1]
        _finish(account, task, None if error else task["counts"], [_error(error)] if error else [])

    account.after(0, lambda: _begin(task))
    meet(account, account.timings.transfer, write, written)
    return {"exportTask": _view(account, task)}


def _read_templates(account: Account, then: Callable[[Mapping[str, Mapping[str, Any]], str], None]) -> None:
    """Read the launch templates of all servers; `then` gets their data by server id, and the last error."""
    wanted = {server.server_id: server.template_id for server in account.servers.values() if server.template_id}
    templates: dict[str, Mapping[str, Any]] = {}
    errors = [""]

    def answered(server_id: str, answer: tuple[Mapping[str, Any], str]) -> None:
        templates[server_id], error = answer
        errors.extend(filter(None, [error]))
        if len(templates) == len(wanted):
            then(templates, errors[-1])

    if not wanted:
        then(templates, "")
    for server_id, template_id in wanted.items():
        # Answers may come from other threads: they are taken up by the next run of the agenda.
        account.compute.read_template(
            server_id,
            template_id,
            lambda answer, server_id=server_id: account.results.append(partial(answered, server_id, answer)),  # type: ignore[misc]
        )


def _task(account: Account, kind: str, request: Request, **members: Any) -> dict[str, Any]:
    identifier = account.ids.new(kind.lower())
    task = {
        _ID[kind]: identifier,
        "arn": account.ids.arn(kind.lower(), identifier),
        "status": "PENDING",
        "progressPercentage": 0.0,
        "created": account.now,
        "ended": None,
        "summary": _SUMMARY[kind],
        "errors": [],
        "tags": dict(request.get("tags") or {}),
        **members,
    }
    return account.keep(kind, identifier, task)


def _begin(task: dict[str, Any]) -> None:
    task["status"], task["progressPercentage"] = "STARTED", 50.0


def _finish(account: Account, task: dict[str, Any], summary: View | None, errors: list[View]) -> None:
    task.update(
        status="FAILED" if errors else "SUCCEEDED",
        progressPercentage=100.0,
        ended=account.now,
        errors=[{**error, "errorDateTime": datetime_text(account.now, account.knobs.timestamps)} for error in errors],
    )
    if summary is not None:
        task["summary"] = summary


def _error(text: str) -> View:
    return {"errorType": "PROCESSING_ERROR", "errorData": {"rawError": text}}


def _view(account: Account, task: dict[str, Any]) -> View:
    style = account.knobs.timestamps
    hidden = ("created", "ended", "errors", "counts", "clientToken")
    view = {name: value for name, value in task.items() if name not in hidden}
    view["creationDateTime"] = datetime_text(task["created"], style)
    if task["ended"] is not None:
        view["endDateTime"] = datetime_text(task["ended"], style)
    return view


def _list(kind: str) -> Operation:
    def run(account: Account, request: Request) -> View:
        wanted = (request.get("filters") or {}).get(f"{_ID[kind]}s")
        tasks = [task for key, task in account.kept(kind).items() if not wanted or key in wanted]
        found, token = kept_page(tasks, request, account.knobs.default_page_size)
        return listed([_view(account, task) for task in found], token)

    return run


def _list_errors(kind: str) -> Operation:
    def run(account: Account, request: Request) -> View:
        task = account.kept(kind).get(request[_ID[kind]])
        if task is None:
            # ResourceNotFoundException is not modelled on these operations.
            raise invalid(f"No such {kind.lower()}", {_ID[kind]: f"{request[_ID[kind]]} not found"})
        return listed(*numbered_page(enumerate(task["errors"]), request, account.knobs.default_page_size))

    return run


OPERATIONS: dict[str, Operation] = {
    "StartImport": start_import,
    "StartExport": start_export,
    "ListImports": _list(IMPORT),
    "ListExports": _list(EXPORT),
    "ListImportErrors": _list_errors(IMPORT),
    "ListExportErrors": _list_errors(EXPORT),
}
