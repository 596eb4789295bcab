"""Which deployment a command speaks to: options that every command takes, before or after its name."""

import inspect
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import urlsplit

import typer

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_STAGE = "dev"
LOCAL_STAGE = "local"
PANEL = "Deployment"


@dataclass(frozen=True)
class Target:
    """Where the deployment is; what is None is left to the AWS configuration."""

    stage: str | None = None
    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None

    def or_else(self, other: "Target") -> "Target":
        """This target, with what it leaves open taken from another."""
        found = {field.name: getattr(self, field.name) or getattr(other, field.name) for field in fields(self)}
        return replace(self, **found)


def of_environment(variables: Mapping[str, str]) -> Target:
    """What is set for every command of a shell; a profile is left to boto3."""
    return Target(
        stage=variables.get("MIGRATE_STAGE"),
        endpoint_url=variables.get("AWS_ENDPOINT_URL"),
        region=variables.get("AWS_REGION"),
    )


def web_address(url: str) -> str:
    """The address of an endpoint; raises BadParameter for anything else."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise typer.BadParameter(f"{url!r} is no address like http://127.0.0.1:4566")
    return url


def _complete_stage(incomplete: str) -> list[str]:
    """The stages that the cdk.json of the shell's own folder names."""
    names = ["local"]
    with suppress(OSError, ValueError, KeyError, TypeError):
        names = sorted(json.loads(Path("cdk.json").read_text())["context"]["stages"])
    return [name for name in names if name.startswith(incomplete)]


def _option(name: str, text: str, metavar: str, **more: Any) -> Any:
    return typer.Option(name, help=text, metavar=metavar, rich_help_panel=PANEL, show_default=False, **more)


Stage = Annotated[
    str | None,
    _option("--stage", "Stage to speak to; MIGRATE_STAGE, else dev.", "NAME", autocompletion=_complete_stage),
]
EndpointUrl = Annotated[
    str | None, _option("--endpoint-url", "Endpoint instead of AWS; AWS_ENDPOINT_URL.", "URL", parser=web_address)
]
Region = Annotated[str | None, _option("--region", "AWS Region; AWS_REGION, else the profile's.", "NAME")]
Profile = Annotated[str | None, _option("--profile", "AWS profile; AWS_PROFILE.", "NAME")]

OPTIONS = {"stage": Stage, "endpoint_url": EndpointUrl, "region": Region, "profile": Profile}


def takes_target(command: Callable[Concatenate[Target, P], R]) -> Callable[..., R]:
    """Give a command the options of its deployment; it gets them as one Target, its first argument."""

    @wraps(command)
    def with_target(**arguments: Any) -> R:
        context: typer.Context = arguments.pop("context")
        chosen = Target(**{name: arguments.pop(name) for name in OPTIONS})
        return command(chosen.or_else(context.obj), **arguments)  # type: ignore[call-arg]

    keyword = inspect.Parameter.KEYWORD_ONLY
    own = list(inspect.signature(command).parameters.values())[1:]
    added = [inspect.Parameter(name, keyword, default=None, annotation=note) for name, note in OPTIONS.items()]
    context = inspect.Parameter("context", keyword, annotation=typer.Context)
    parameters = [context, *(parameter.replace(kind=keyword) for parameter in own), *added]
    with_target.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_target.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_target
