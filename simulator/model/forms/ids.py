"""Identifiers in the service's own forms (docs/mgn.md#identity), reproducible from a seed."""

import random
import uuid

_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "us-iso-": "aws-iso", "us-isob-": "aws-iso-b"}


def partition_of(region: str) -> str:
    """The partition of a Region."""
    return next((partition for prefix, partition in _PARTITIONS.items() if region.startswith(prefix)), "aws")


class Ids:
    """A seeded source of identifiers, ARNs and random draws; one purpose does not disturb another."""

    def __init__(self, seed: int, account_id: str, region: str) -> None:
        self.seed = seed
        self.account_id = account_id
        self.region = region
        self._random = self.stream("ids")
        self._uuids = self.stream("uuids")
        self._requests = self.stream("requests")

    def new(self, prefix: str) -> str:
        """`prefix` followed by 17 hexadecimal digits, e.g. `s-0123456789abcdef0`."""
        return f"{prefix}-{self._random.getrandbits(68):017x}"

    def uuid(self) -> str:
        """A random version 4 UUID."""
        return str(uuid.UUID(int=self._uuids.getrandbits(128), version=4))

    def request_id(self) -> str:
        """The id of one API call; calls that only read draw one too, so nothing else may depend on how many."""
        return str(uuid.UUID(int=self._requests.getrandbits(128), version=4))

    def arn(self, kind: str, identifier: str) -> str:
        """ARN of an MGN resource, `kind` as in `source-server` or `job`."""
        return f"arn:{partition_of(self.region)}:mgn:{self.region}:{self.account_id}:{kind}/{identifier}"

    def stream(self, purpose: str) -> random.Random:
        """An independent random stream for one purpose, derived from the seed."""
        return random.Random(f"{purpose}:{self.seed}")
