"""Prints how fast the simulator is: `python -m simulator.bench`."""

import resource
import socket
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse

from simulator.engine import Simulator
from simulator.http.serving import serving
from simulator.inprocess import RawBody, attach
from simulator.model.settings.quotas import Quotas
from simulator.scenario import Scenario, ServerSpec

SECONDS = 3.0  # real time each rate is measured for


def http_describe_rate() -> float:
    """DescribeSourceServers of 50 items per second through one raw HTTP connection."""
    simulator = Simulator(_scenario(4000))
    body = b'{"maxResults":50,"filters":{"isArchived":false}}'
    head = b"POST /DescribeSourceServers HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: "
    request = head + str(len(body)).encode() + b"\r\n\r\n" + body
    with serving(simulator) as url:
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as connection:
            return _rate(lambda: _exchange(connection, request))


def in_process_rates() -> tuple[float, ...]:
    """Single-server describes per second through boto3: the simulator's, and those of a canned answer."""
    simulator = Simulator(_scenario(1000))
    server_id = next(iter(simulator.account.servers))
    simulated, canned = _client(), _client()
    attach(simulated, simulator)
    answer = simulator.answer("POST", "/DescribeSourceServers", body=_describe(server_id).encode())
    headers: Any = dict(answer.headers)

    def answer_at_once(request: Any, **_: Any) -> AWSResponse:
        return AWSResponse(request.url, 200, headers, RawBody(answer.body))

    canned.meta.events.register_first("before-send.mgn", answer_at_once)
    filters = {"sourceServerIDs": [server_id]}
    return _rates_by_turns(
        lambda: simulated.describe_source_servers(filters=filters),
        lambda: canned.describe_source_servers(filters=filters),
    )


def model_seconds(servers: int = 10_000) -> float:
    """Real seconds for that many servers through test, cutover and finalize, 200 at a time."""
    scenario = _scenario(servers)
    simulator = Simulator(scenario)
    ids = list(simulator.account.servers)
    started = time.perf_counter()
    for first in range(0, len(ids), 200):
        batch = ids[first : first + 200]
        simulator.call("StartTest", sourceServerIDs=batch)
        simulator.finish_jobs()
        for server_id in batch:
            simulator.call(
                "ChangeServerLifeCycleState", sourceServerID=server_id, lifeCycle={"state": "READY_FOR_CUTOVER"}
            )
        simulator.call("StartCutover", sourceServerIDs=batch)
        simulator.finish_jobs()
        for server_id in batch:
            simulator.call("FinalizeCutover", sourceServerID=server_id)
    return time.perf_counter() - started


def load_figures(servers: int = 4000) -> tuple[float, float]:
    """Real seconds to load a scenario, then MiB of Python memory it holds beside the imported code."""
    started = time.perf_counter()
    Simulator(_scenario(servers))
    seconds = time.perf_counter() - started
    tracemalloc.start()
    kept = Simulator(_scenario(servers))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return seconds, used / 2**20


def main() -> None:
    """Print all figures with their targets."""
    seconds, objects = load_figures()
    # Asked first: what comes later would count too.
    process = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ours, canned = in_process_rates()
    rows = (
        ("4,000 servers loaded", f"{seconds:.2f} s", "< 3 s"),
        ("memory with them, whole process", f"{process:.0f} MiB", "< 400 MiB"),
        ("memory with them, their objects", f"{objects:.0f} MiB", ""),
        ("HTTP: DescribeSourceServers of 50 in 4,000", f"{http_describe_rate():,.0f} a second", ">= 300 a second"),
        ("boto3 in process: one server described", f"{ours:,.0f} a second", ""),
        ("boto3 given a canned answer", f"{canned:,.0f} a second", ""),
        ("in process against canned", f"{ours / canned:.0%}", ">= 70%"),
        ("10,000 servers through test and cutover", f"{model_seconds():.1f} s", "< 10 s"),
    )
    for row in (("MGN simulator", "measured", "target"), *rows):
        print(f"{row[0]:<46}{row[1]:>16}{row[2]:>18}")


def _scenario(servers: int) -> Scenario:
    quotas = Quotas(unarchived_servers=50_000)
    return Scenario(quotas=quotas, servers=(ServerSpec(name="host", count=servers),))


def _client() -> Any:
    make: Any = boto3.session.Session().client
    return make("mgn", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")


def _describe(server_id: str) -> str:
    return f'{{"filters":{{"sourceServerIDs":["{server_id}"]}}}}'


def _rate(work: Callable[[], object]) -> float:
    work()
    count, started = 0, time.perf_counter()
    while (passed := time.perf_counter() - started) < SECONDS:
        work()
        count += 1
    return count / passed


def _rates_by_turns(*works: Callable[[], object], turns: int = 20, calls: int = 100) -> tuple[float, ...]:
    """Calls per second of processor time, measured in turns so that a busy machine treats all alike."""
    spent = [0.0 for _ in works]
    for work in works:
        work()
    for _ in range(turns):
        for index, work in enumerate(works):
            started = time.process_time()
            for _ in range(calls):
                work()
            spent[index] += time.process_time() - started
    return tuple(turns * calls / seconds for seconds in spent)


def _exchange(connection: socket.socket, request: bytes) -> None:
    connection.sendall(request)
    received = connection.recv(65_536)
    while b"\r\n\r\n" not in received:
        received += connection.recv(65_536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    left = length - len(body)
    while left > 0:
        left -= len(connection.recv(262_144))


if __name__ == "__main__":
    main()
