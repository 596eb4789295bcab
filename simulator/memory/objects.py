"""S3 in memory."""

from dataclasses import dataclass, field

from simulator.model.account.ports import ObjectDone


@dataclass(slots=True)
class MemoryObjects:
    """S3 objects by bucket and key; put files for imports here, find exports here."""

    texts: dict[tuple[str, str], str] = field(default_factory=dict)

    def read(self, bucket: str, key: str, done: ObjectDone) -> None:
        text = self.texts.get((bucket, key))
        done(("", f"NoSuchKey: s3://{bucket}/{key}") if text is None else (text, ""))

    def write(self, bucket: str, key: str, text: str, done: ObjectDone) -> None:
        self.texts[bucket, key] = text
        done(("", ""))

    def clear(self) -> None:
        self.texts.clear()
