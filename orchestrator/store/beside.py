"""The files beside a store: opened without following links, and refused where they aren't plain files of its owner."""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from scalectl.orchestrator.errors import Exit, Refusal

_JOURNALS = ("-wal", "-shm", "-journal")  # that SQLite writes
_NOT_OPENED = {errno.ELOOP: "a link", errno.EISDIR: "a folder", errno.ENXIO: "no plain file"}


class Unusable(Refusal):
    """A store that can't be opened, read or written as it is."""

    exit = Exit.STORE


def opened(path: str, held: Path, flags: int) -> int:
    """The number of an open file at `path`, for this user and the owner of what it belongs to, the store `held`.

    A file that `flags` make has mode 0600. Root gives its files to the owner of the store. Raises OSError, and Unusable
    where `path` is a link, has other names, is no plain file, or belongs to somebody else.
    """
    try:
        file = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)  # a pipe is opened at once, too
    except OSError as error:
        if error.errno in _NOT_OPENED:
            raise _refusal(path, _NOT_OPENED[error.errno]) from error
        raise
    try:
        _check(path, os.fstat(file), owner(held))
        if os.geteuid() == 0:
            os.fchown(file, owner(held), -1)
    except BaseException:
        os.close(file)
        raise
    return file


def check_journals(store: Path) -> None:
    """Raise Unusable where SQLite would write through a link, or to a file of somebody else."""
    real = os.path.realpath(store)
    for suffix in _JOURNALS:
        with suppress(FileNotFoundError):  # as of a log that its last writer takes away at this moment
            _check(real + suffix, os.lstat(real + suffix), owner(store))


def owner(held: Path) -> int:
    """The user that a store or folder belongs to: this one, where it isn't made yet."""
    try:
        return held.stat().st_uid
    except FileNotFoundError:
        return os.geteuid()


def _check(path: str, status: os.stat_result, owner: int) -> None:
    kind = ""
    if stat.S_ISLNK(status.st_mode):
        kind = "a link"
    elif not stat.S_ISREG(status.st_mode):
        kind = "no plain file"
    elif status.st_nlink > 1:
        kind = "a file with another name elsewhere"
    elif status.st_uid not in (os.geteuid(), owner):
        kind = f"a file of user {status.st_uid}"
    if kind:
        raise _refusal(path, kind)


def _refusal(path: str, kind: str) -> Unusable:
    return Unusable(f"{path} is {kind}; it has to be a plain file of the store's owner. Remove it, then try again.")
