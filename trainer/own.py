"""What code of one's own adds, by kind and name: models, optimizers, schedules, sources, metrics.

Each has the hash of its code behind its name, as in `lion@3f9c04d1a2b7`. Under that name it is part of what a run is,
so that runs of two versions of the code are never taken for the same.
"""

import re
from collections import defaultdict
from collections.abc import Collection
from typing import Any

from scalectl.trainer import own_code

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.+-]{0,39}")
_KEY = re.compile(r"(.+)@([0-9a-f]{12})(\+[0-9a-f]{12})?")  # the second hash is of images
_added: dict[str, dict[str, Any]] = defaultdict(dict)  # by kind, and by name@hash, the newest last
_of_studies: set[str] = set()  # hashes of code that studies name: each study sees that of its own file alone
_used: set[str] = set()


class Missing(LookupError):  # noqa: N818 - a fact about this process
    """Code of one's own that this process doesn't have; the message says how to give it."""


def add(kind: str, name: str, thing: Any, digest: str, builtin: Collection[str] = ()) -> None:
    """Let files name a thing; raises ValueError for a name that can't be one, or that scalectl has itself."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{kind} {name!r}: a name has up to 40 letters, digits and . _ + -, a letter first")
    if name in builtin:
        raise ValueError(f"{kind} {name!r}: scalectl has one of that name; give yours another")
    _added[kind].pop(f"{name}@{digest}", None)
    _added[kind][f"{name}@{digest}"] = thing


def use(digests: Collection[str]) -> None:
    """Let names mean what this code adds, and no longer what that of another study does."""
    _of_studies.update(digests)
    _used.clear()
    _used.update(digests)


def names(kind: str) -> dict[str, str]:
    """The names that a file may say, with what each is called in a run: name@hash."""
    seen = [key for key in _added[kind] if version(key) not in _of_studies - _used]
    seen.sort(key=lambda key: version(key) in _used)
    return {plain(key): key for key in seen}


def things(kind: str) -> dict[str, Any]:
    """All of a kind, by name@hash."""
    return _added[kind]


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
