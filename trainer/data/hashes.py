"""A hash of every picture of a source, kept in the user's cache by the pass that reads all of them anyway."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from scalectl.trainer import cache

SIZE = 16  # bytes of one


def picture_hash(picture: Any) -> bytes:
    """The hash of a picture's bytes; that of nothing where there is none."""
    return hashlib.blake2b(picture or b"", digest_size=SIZE).digest()


def keep(digest: str, hashes: Iterable[bytes]) -> None:
    """Keep the hashes of the pictures of contents with a digest, in their order."""
    with cache.appearing(_file(digest)) as part:
        Path(part).write_bytes(b"".join(hashes))


def kept(digest: str) -> Iterator[bytes] | None:
    """The hashes of the pictures of contents with a digest; None where none were kept."""
    file = _file(digest)
    if not file.exists():
        return None
    content = file.read_bytes()
    return (content[start : start + SIZE] for start in range(0, len(content), SIZE))


def _file(digest: str) -> Path:
    return cache.folder() / f"{digest}.hashes"
