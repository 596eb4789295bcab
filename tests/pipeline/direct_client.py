"""MGN asked without HTTP: a call of the client is a call of the simulator's operation."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import boto3
from botocore import UNSIGNED, xform_name
from botocore.config import Config

from simulator.engine import Simulator
from simulator.inprocess import attach
from simulator.service_model import load_service_model
from simulator.wire import Response
from tests.pipeline.asl import copied

Json = dict[str, Any]


def boto_client(simulator: Any) -> Any:
    """boto3's own client. It sends once, because pauses between repeats are real time, which no world spends."""
    client = _session().client(
        "mgn", region_name="us-east-1", config=Config(retries={"total_max_attempts": 1}, signature_version=UNSIGNED)
    )
    attach(client, simulator)
    return client


class DirectClient:
    """The methods and paginators of an MGN client. What goes wrong is rare: boto3 itself says it."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.asked: Callable[[str, Json], None] = lambda operation, parameters: None
        """Hears of each call before it is answered."""

    def __getattr__(self, method: str) -> Any:
        if method not in _operations():
            raise AttributeError(method)
        return partial(self._call, method)

    def get_paginator(self, method: str) -> Any:
        """The pages of a list."""
        return SimpleNamespace(paginate=partial(self._pages, method))

    def _call(self, method: str, **parameters: Any) -> Json:
        operation = _operations()[method]
        self.asked(operation, parameters)
        answer = self._simulator.ask(operation, copied(parameters))
        if isinstance(answer, Response):
            return _told_by_boto(answer, method, parameters)
        return dict(answer)

    def _pages(self, method: str, *, PaginationConfig: Json, **parameters: Any) -> Iterator[Json]:
        asked = {**parameters, "maxResults": PaginationConfig["PageSize"]}
        while True:
            page = self._call(method, **asked)
            yield page
            if "nextToken" not in page:
                return
            asked["nextToken"] = page["nextToken"]


@cache
def _operations() -> dict[str, str]:
    return {xform_name(name): name for name in load_service_model().operations}


@cache
def _session() -> boto3.session.Session:
    # Loading the service model is most of the price of a client; a session keeps it.
    return boto3.session.Session()


def _told_by_boto(answer: Response, method: str, parameters: Json) -> Json:
    client, line = _telling()
    line.answer = lambda *_: answer
    told: Json = getattr(client, method)(**parameters)
    return told


@cache
def _telling() -> tuple[Any, SimpleNamespace]:
    """A client of boto3 that hears what it is to tell."""
    line = SimpleNamespace()
    return boto_client(line), line
