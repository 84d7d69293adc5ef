"""What code of one's own adds, by kind and name: models, optimizers, schedules, sources, metrics.

Each has the hash of its code behind its name, as in `lion@3f9c04d1a2b7`. Under that name it is part of what a run is,
so that runs of two versions of the code are never taken for the same.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from scalectl.trainer import own_code
from scalectl.trainer.own_code import Code

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.+-]{0,39}")
_KEY = re.compile(r"(.+)@([0-9a-f]{12})(\+[0-9a-f]{12})?")  # the second hash is of images
_added: dict[str, dict[str, Any]] = defaultdict(dict)  # by kind, and by name@hash, the newest last
_of_studies: dict[tuple[str, ...], set[tuple[str, str]]] = defaultdict(set)  # kind and name@hash, by hashes of code
_used: set[tuple[str, str]] = set()  # of the study that is read
_adding: set[tuple[str, str]] | None = None  # while the code of a study runs


class Missing(LookupError):  # noqa: N818 - a fact about this process
    """Code of one's own that this process doesn't have; the message says how to give it."""


def add(kind: str, name: str, thing: Any, digest: str, builtin: Collection[str] = ()) -> None:
    """Let files name a thing; raises ValueError for a name that can't be one, or that scalectl has itself."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{kind} {name!r}: a name has up to 40 letters, digits and . _ + -, a letter first")
    if name in builtin:
        raise ValueError(f"{kind} {name!r}: scalectl has one of that name; give yours another")
    key = f"{name}@{digest}"
    if _adding is not None:
        if any(kind == other and plain(theirs) == name for other, theirs in _adding):
            raise ValueError(f"{kind} {name!r}: code of this study adds one of that name before; give this another")
        _adding.add((kind, key))
    _added[kind].pop(key, None)
    _added[kind][key] = thing


def use(codes: Sequence[Code]) -> None:
    """Run the code of a study, whose names then mean what it adds, and no longer what that of another does."""
    global _used, _adding
    _used = _of_studies[tuple(code.digest for code in codes)]
    _adding = set()
    try:
        own_code.load(*codes)
    finally:
        _used |= _adding
        _adding = None


def names(kind: str) -> dict[str, str]:
    """The names that a file may say, with what each is called in a run: name@hash."""
    hidden = set().union(*_of_studies.values()) - _used
    seen = [key for key in _added[kind] if (kind, key) not in hidden]
    seen.sort(key=lambda key: (kind, key) in _used)
    return {plain(key): key for key in seen}


def thing(kind: str, key: str) -> Any:
    """What is called name@hash, whose code is loaded from the user's cache where need be; raises Missing."""
    if key not in _added[kind]:
        own_code.find(version(key))
    if key not in _added[kind]:
        raise Missing(
            f"{kind} {key}: this process has no such code; give the file that adds it by scalectl --code FILE"
        )
    return _added[kind][key]


def plain(key: str) -> str:
    """A name without its hashes."""
    return match[1] if (match := _KEY.fullmatch(key)) else key


def version(key: str) -> str:
    """The hash of the code behind a name; empty for what scalectl has itself."""
    return match[2] if (match := _KEY.fullmatch(key)) else ""
