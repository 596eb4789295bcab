"""The demo's messages: four applications, one of them in another account, and every way a request can go."""

import json
from pathlib import Path
from typing import Literal, NamedTuple

from localcloud.network import HOME, TARGET, TARGET_ACCOUNT, TARGET_REGION

WEB_GROUP, DATABASE_GROUP = HOME.security_groups
APP_SUBNET, SECOND_SUBNET, TEST_SUBNET = HOME.subnets

SAMPLE_SERVER = "billing-web-1"
"""A server that migrates without a fault."""

SECRET_TAG_VALUE = "cost-centre-4711-confidential"
"""A tag value that must appear in no log (I11)."""

HEALTH = {"type": "http", "port": 8080, "path": "/health"}

IN_TARGET: dict[str, object] = {
    "targetAccount": TARGET_ACCOUNT,
    "targetRegion": TARGET_REGION,
    "subnetId": next(iter(TARGET.subnets)),
    "securityGroupIds": list(TARGET.security_groups),
    "launch": {},
}


Door = Literal["sqs", "eventbridge", "http", "http test"]


class Message(NamedTuple):
    """One message through a front door, and the end its sender expects; None when it makes no migration of its own."""

    body: str
    door: Door = "sqs"
    migration_id: str | None = None
    ends: str | None = None


def messages(callback_url: str) -> tuple[Message, ...]:
    """What the demo sends, in order."""
    web_1 = _request("billing-web-1", "billing", "wave-1", callback_url, tags={"cost-centre": SECRET_TAG_VALUE})
    return (
        _message(web_1, "COMPLETED"),
        _message(_request("billing-web-2", "billing", "wave-1", callback_url), "COMPLETED"),
        _message(_request("billing-app-1", "billing", "wave-1", callback_url), "COMPLETED"),
        _message(
            _request(
                "billing-db-1",
                "billing",
                "wave-1",
                callback_url,
                securityGroupIds=[DATABASE_GROUP],
                instanceType="r5.large",
                checks=[{"type": "tcp", "port": 5432}],
                soakSeconds=4,
            ),
            "COMPLETED",
        ),
        _message(_request("shop-web-1", "shop", "wave-2", callback_url, sourceVmId="VM-2001"), "COMPLETED"),
        _message(_request("shop-web-2", "shop", "wave-2", callback_url, test=False), "COMPLETED"),
        _message(
            _request("shop-app-1", "shop", "wave-2", callback_url, subnetId=SECOND_SUBNET), "COMPLETED", door="http"
        ),
        _message(_request("shop-db-1", "shop", "wave-2", callback_url), "ROLLED_BACK"),
        _message(_request("shop-batch-1", "shop", "wave-2", callback_url), "COMPLETED", door="http test"),
        _message(
            _request("hr-web-1", "hr", "wave-2", callback_url, approval={"cutover": True, "finalize": True}),
            "COMPLETED",
        ),
        _message(_request("hr-web-2", "hr", "wave-2", callback_url), "COMPLETED", door="eventbridge"),
        _message(_request("hr-app-1", "hr", "wave-2", callback_url), "ROLLED_BACK"),
        _message(_request("hr-app-2", "hr", "wave-2", callback_url, approval={"cutover": True}), "CANCELLED"),
        _message(_request("hr-db-1", "hr", "wave-2", callback_url), "COMPLETED"),
        _message(_request("hr-mainframe", "hr", "wave-2", callback_url), "REJECTED"),
        _message(_request("emea-web-1", "emea", "wave-1", callback_url, **IN_TARGET), "COMPLETED"),
        _message(_request("emea-app-1", "emea", "wave-1", callback_url, **IN_TARGET), "ROLLED_BACK"),
        Message(json.dumps(web_1)),
        Message(json.dumps({**_request("hr-web-9", "hr", "wave-2", callback_url), "instanceType": "huge", "cpu": 4})),
        Message("migrate everything, please"),
    )


class Sample(NamedTuple):
    """A file with a request for a server that the sample scenario has."""

    file: Path
    migration_id: str


def write_sample(folder: Path) -> Sample:
    """Write a request to try the local cloud with."""
    request = _request(SAMPLE_SERVER, "billing", "wave-1", None)
    request["migrationId"] = f"{SAMPLE_SERVER}-a"
    file = folder / "request.json"
    file.write_text(json.dumps(request, indent=2) + "\n")
    return Sample(file, str(request["migrationId"]))


def _message(request: dict[str, object], ends: str, door: Door = "sqs") -> Message:
    return Message(json.dumps(request), door, str(request["migrationId"]), ends)


def _request(server: str, app: str, wave: str, callback_url: str | None, **fields: object) -> dict[str, object]:
    called_back = {} if callback_url is None else {"callbackUrl": callback_url}
    return {
        "migrationId": f"demo-{server}",
        "appName": app,
        "source": "vmware",
        "target": "aws",
        "environment": "production",
        "wave": wave,
        "sourceVmId": server,
        "targetVmName": f"{server}-aws",
        "instanceType": "m5.large",
        "subnetId": APP_SUBNET,
        "securityGroupIds": [WEB_GROUP],
        "launch": {"testSubnetId": TEST_SUBNET},
        **called_back,
        "checks": [HEALTH],
        **fields,
    }
