"""What a test adds as code of one's own would, and takes back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from scalectl.trainer import own


@contextmanager
def added(add: Callable[[], Any]) -> Iterator[None]:
    """A thing of one's own while the context lasts."""
    before = {kind: dict(things) for kind, things in own._added.items()}
    add()
    try:
        yield
    finally:
        for kind, things in own._added.items():
            things.clear()
            things.update(before.get(kind, {}))
