"""`migrate config`: which deployment commands speak to, and where that was said."""

import os

from cli.commands.options import AsJson
from cli.deployed import Deployed
from cli.output import say_document, show, words
from cli.tables import Column, Listing
from cli.target import Target, takes_target

VARIABLES = {
    "stage": ("MIGRATE_STAGE",),
    "endpoint": ("AWS_ENDPOINT_URL",),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "profile": ("AWS_PROFILE",),
}


@takes_target
def config(target: Target, as_json: AsJson = False) -> None:
    """Show stage, endpoint, Region and profile as commands with these options use them; AWS is not asked."""
    deployed = Deployed(target)
    profile = target.profile or os.environ.get("AWS_PROFILE")
    used = {"stage": deployed.stage, "endpoint": deployed.endpoint, "region": deployed.region, "profile": profile}
    named = {"stage": target.stage, "endpoint": target.endpoint_url, "region": target.region, "profile": target.profile}
    sources = {name: _source(name, used[name], named[name], is_local=deployed.is_local) for name in used}
    if as_json:
        say_document({name: {"value": used[name], "from": sources[name]} for name in used})
        return
    columns = [Column("Setting"), Column("Value"), Column("From", words=True)]
    rows = [[*map(words, (name, used[name] or "", sources[name]))] for name in used]
    show(Listing(columns, rows))


def _source(name: str, value: str | None, named: str | None, *, is_local: bool) -> str:
    """Where a setting comes from."""
    variable = next((one for one in VARIABLES[name] if os.environ.get(one)), None)
    if value is None:
        return "nowhere"
    if variable is not None and os.environ[variable] == value:
        return variable
    if named is not None:
        return "option"
    if name == "stage":
        return "default"
    return "the local cloud" if is_local else "AWS configuration"
