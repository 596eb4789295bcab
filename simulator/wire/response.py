"""What goes back over HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer, or a connection to hang up without one."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    hang_up: Literal["", "before", "after"] = ""
