"""Tags of any resource, addressed by ARN (docs/mgn.md#account)."""

from typing import Any

from simulator.model.account.account import Account
from simulator.model.forms.errors import invalid, not_found
from simulator.model.forms.formats import View
from simulator.operations.answers import Operation, Request

MAX_TAGS = 50


def _tags(account: Account, arn: str) -> dict[str, str]:
    identifier = arn.rpartition("/")[2]
    server, job = account.servers.get(identifier), account.jobs.get(identifier)
    if server is not None and server.arn == arn:
        return server.tags
    if job is not None and job.arn == arn:
        return job.tags
    for kept in account.resources.values():
        found: dict[str, Any] | None = kept.get(identifier)
        if found is not None and found.get("arn") == arn:
            tags: dict[str, str] = found.setdefault("tags", {})
            return tags
    raise not_found("Resource", arn)


def tag_resource(account: Account, request: Request) -> View:
    tags = _tags(account, request["resourceArn"])
    if len({**tags, **request["tags"]}) > MAX_TAGS:
        raise invalid("Too many tags", {"tags": f"a resource has {MAX_TAGS} tags at most"})
    tags.update(request["tags"])
    return {}


def untag_resource(account: Account, request: Request) -> View:
    tags = _tags(account, request["resourceArn"])
    for key in request["tagKeys"]:
        tags.pop(key, None)
    return {}


def list_tags(account: Account, request: Request) -> View:
    return {"tags": dict(_tags(account, request["resourceArn"]))}


OPERATIONS: dict[str, Operation] = {
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTagsForResource": list_tags,
}
