"""`migrate callback-key`: what a receiver of callbacks verifies them with."""

from typing import Annotated

import typer

from cli.commands.options import AsJson
from cli.deployed import Deployed
from cli.exits import UsageError
from cli.output import say, say_document
from cli.target import Target, takes_target
from runtime.adapters.messages.signatures import receiver_key, receiver_of

Url = Annotated[str, typer.Argument(metavar="URL", help="A callbackUrl or webhook; scheme, host and port count.")]


@takes_target
def callback_key(target: Target, url: Url, as_json: AsJson = False) -> None:
    """Print the key of a receiver of callbacks, and of no other. It is a secret: hand it over as one."""
    try:
        receiver = receiver_of(url)
    except ValueError as error:
        raise UsageError(f"{url}: {error}, such as https://cmdb.example.com/hooks") from error
    key = receiver_key(Deployed(target).callback_secret, url)
    if as_json:
        say_document({"receiver": receiver, "key": key})
    else:
        say(key)
