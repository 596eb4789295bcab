"""docs/cli.md, made from the commands themselves: `python -m cli.manual docs/cli.md`."""

import re
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer

from cli import filters, target
from cli.exits import ExitCode
from cli.main import app

_MARKUP = re.compile(r"\[/?(?:bold)?\]")

SHARED = (target.PANEL, filters.PANEL)
"""The options that many commands take are told of once."""

HEAD = """# The `migrate` command

Generated from the commands by `make docs`; `make test` fails when it is stale. `migrate --help` and
`migrate COMMAND --help` say the same, `migrate --install-completion` has the shell complete commands, options, ids,
waves, applications and stages.

```sh
migrate draft --from-mgn -o csv > wave-1.csv          # the servers MGN has, as requests
migrate plan wave-1.csv --default source=vmware --default environment=production
migrate submit wave-1.csv --default source=vmware --default environment=production
migrate watch --wave 1
migrate approve --wave 1 --gate cutover --reason "tested by the team"
```

## What holds for every command

- Results go to standard output, all else to standard error. On a terminal a list is a table that fits it; in a pipe or
  file it is a line a row, columns separated by tabs, every column whole. Every command that reads takes `--json`.
- Ids and names are never cut. What ends in … is a reason; `-o wide`, `-o json` or a pipe has it whole.
- `NO_COLOR` and `TERM=dumb` are respected; where the output's encoding lacks a character, a plainer one is written.
- `SENT` is a request that is neither accepted nor rejected yet, `RELEASED` a FROZEN migration that a person settled.
  What this machine sent is remembered for an hour in `$XDG_STATE_HOME/migrate` (else `~/.local/state/migrate`), so
  `list`, `status`, `watch` and `wait` know of it at once.
- Who may look at migrations or decide is said by the stage's [managed policies](migration-requests.md#deciding). What
  they do not give: `plan`, `draft` and `release` read MGN, EC2 and SSM, `plan` also the settings of the function
  validate_input, and `logs` the log groups; `plan` and `logs` find these with `cloudformation:ListStackResources`.
- Nothing is asked unless standard input is a terminal; elsewhere `--yes` has to say so.
"""

FORMATS = """
## Files of requests

`submit` and `plan` take files, folders of files and `-`, in any of these; the fields are those of the
[request](migration-requests.md#the-request). Everything is validated before anything is sent, and every fault is told
as `file:line:column: field: what to do`.

| Format | What is in it |
|---|---|
| JSON | one request, a list of them, or JSON Lines |
| YAML | the same; scalars are JSON's, so `yes` and dates are text |
| CSV | a request a row; columns are fields, with dots into objects: `approval.cutover`, `tags.team` |
| MGN's import CSV | its `mgn:…` columns, as far as a request has such fields |

In CSV, lists are separated by `;`, `checks` are JSON, and an empty cell is no field. Of MGN's own file are taken
server, application, wave, account, Region, instance type, subnet and groups of the first network interface, and
instance tags; `migrationId` is made of wave and server, so that the file can be sent again.

JSON and YAML may hold `{defaults: {…}, requests: […]}`. A request's own fields win over these, and these over
`--default`; objects are merged field by field.

```yaml
defaults: {appName: billing, source: vmware, environment: production, wave: 7, approval: {cutover: true}}
requests:
  - {migrationId: billing-web-1-a, sourceVmId: billing-web-1}
  - {migrationId: billing-db-1-a, sourceVmId: billing-db-1, soakSeconds: 1800}
```
"""

VARIABLES = """
| Variable | Sets |
|---|---|
| `MIGRATE_STAGE` | `--stage` |
| `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_PROFILE` | as for the AWS CLI |
"""


def manual() -> str:
    """The whole page."""
    group: Any = typer.main.get_command(app)
    commands: dict[str, Any] = group.commands
    parts = [
        HEAD,
        "## Exit codes\n\n| Code | Means |\n|---|---|\n"
        + "".join(f"| {code:d} | {code.meaning} |\n" for code in ExitCode),
        "## Which deployment\n\nBefore or after the command.\n\n"
        + _table(_of_panel(commands["list"], target.PANEL).values())
        + VARIABLES,
        "## Which migrations\n\nThe filters. Of one kind any may fit, and all kinds have to.\n\n"
        + _table(_of_panel(commands["list"], filters.PANEL).values()),
        FORMATS.lstrip("\n"),
        "## Commands\n",
        *(_command(name, command) for name, command in commands.items()),
    ]
    return "\n".join(parts)


def _command(name: str, command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    own = [each for each in options if each.rich_help_panel not in SHARED and each.name != "help"]
    usage = " ".join([f"migrate {name}", *(each.metavar for each in arguments), "[OPTIONS]"])
    takes_filters = any(each.name == "waves" and each.rich_help_panel == filters.PANEL for each in options)
    rows = [
        *(_row(each.metavar, each) for each in arguments),
        *(_row(_names(each), each) for each in own),
    ]
    text = [f"### migrate {name}\n", str(command.help), f"\n```sh\n{usage}\n```\n"]
    if takes_filters:
        text.append("Takes the filters.\n")
    if rows:
        text.append("| Option | Means |\n|---|---|\n" + "".join(rows))
    text.append("```sh\n" + "".join(f"{line}\n" for line in _examples(command.epilog)) + "```\n")
    return "\n".join(text)


def _of_panel(command: Any, panel: str) -> dict[str, Any]:
    return {each.name: each for each in command.params if getattr(each, "rich_help_panel", None) == panel}


def _table(options: Iterable[Any]) -> str:
    return "| Option | Means |\n|---|---|\n" + "".join(_row(_names(each), each) for each in options)


def _row(name: str, parameter: Any) -> str:
    default = parameter.default
    shown = isinstance(default, str | float | int) and not isinstance(default, bool) and parameter.show_default
    told = f" Default: {default}." if shown else ""
    name = name.replace("|", "\\|")
    return f"| `{name}` | {_MARKUP.sub('', parameter.help or '').replace('|', chr(92) + '|')}{told} |\n"


def _names(option: Any) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    kind = option.type_descriptor.annotation
    takes = option.metavar or ("|".join(kind) if isinstance(kind, type) and issubclass(kind, StrEnum) else "")
    return f"{names} {takes}".rstrip()


def _examples(epilog: str) -> Iterator[str]:
    plain = _MARKUP.sub("", epilog).replace("\\[", "[")
    return (line.removeprefix("$ ") for line in plain.splitlines() if line.startswith("$ "))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(manual(), encoding="utf-8")
