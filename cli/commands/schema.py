"""`migrate schema`: the published JSON Schemas."""

from pathlib import Path
from typing import Annotated

import typer

from cli.exits import UsageError
from cli.openapi import write_openapi
from cli.output import say, say_document
from cli.schemas import REQUEST, schema_models, write_schemas
from cli.schemas import schema as schema_of

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]...", help="request, or events by their detail type; else request.")
]
Write = Annotated[Path | None, typer.Option("--write", help="Write all schemas into this folder.", file_okay=False)]
Listed = Annotated[bool, typer.Option("--list", help="List the names.")]


def schema(names: Names = None, write: Write = None, listed: Listed = False) -> None:
    """Print the JSON Schema of the request or of events; several become a list."""
    known = schema_models()
    unknown = [name for name in names or [] if name not in known]
    if unknown:
        raise UsageError(f"there is no schema {', '.join(unknown)}: name one of {', '.join(known)}")
    if listed:
        say("\n".join(known))
    elif write is not None:
        say("\n".join(str(path) for path in (*write_schemas(write), write_openapi(write))))
    else:
        found = [schema_of(name) for name in names or [REQUEST]]
        say_document(found[0] if len(found) == 1 else found)
