"""Pins: each patch names the exact engine code it replaces, so that another engine version fails loudly."""

import hashlib
import inspect
from types import ModuleType
from typing import Any


class EngineChangedError(RuntimeError):
    """The engine's code is not the code a patch was written for."""


def digest_of(subject: object) -> str:
    """A short digest of a function's or class's source, or of a text."""
    source = subject if isinstance(subject, str) else inspect.getsource(subject)  # type: ignore[arg-type]
    return hashlib.sha256(source.encode()).hexdigest()[:12]


def pinned(module: ModuleType, name: str, digest: str) -> Any:
    """The engine's `module.name` (dots reach into classes), once its source is known to be the expected one."""
    subject: Any = module
    for part in name.split("."):
        subject = getattr(subject, part, None)
    if subject is None:
        raise EngineChangedError(f"{module.__name__}.{name} is gone")
    found = digest_of(subject)
    if found != digest:
        raise EngineChangedError(f"{module.__name__}.{name} changed: expected {digest}, found {found}")
    return subject


def install(module: ModuleType, name: str, replacement: object) -> None:
    """Put a replacement where `module.name` is found (dots reach into classes)."""
    holder: Any = module
    *path, last = name.split(".")
    for part in path:
        holder = getattr(holder, part)
    setattr(holder, last, replacement)


def rewritten(module: ModuleType, name: str, digest: str, old: str, new: str) -> Any:
    """The engine's function `module.name` with one passage of its source replaced."""
    source = replaced_once(inspect.getsource(pinned(module, name, digest)), old, new)
    exec(compile(source, f"{module.__file__} (rewritten)", "exec"), vars(module))
    return getattr(module, name)


def replaced_once(text: str, old: str, new: str) -> str:
    """`text` with its only occurrence of `old` replaced."""
    if text.count(old) != 1:
        raise EngineChangedError(f"expected one occurrence of {old.splitlines()[0].strip()!r}, found {text.count(old)}")
    return text.replace(old, new)
