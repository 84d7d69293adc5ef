"""Paths as they are typed in a file: from its folder, or from the home of a user."""

import errno
from pathlib import Path

_IMPOSSIBLE = {errno.ELOOP, errno.ENAMETOOLONG}  # whatever is made or moved there later


class NoPath(ValueError):  # noqa: N818 - an answer, not an error
    """A text that no file can have as its path: a user without a home, a loop of links, a name that is too long."""


def absolute(typed: str, folder: Path) -> Path:
    """The absolute path that was typed, relative ones from `folder`; links and dots stay. Raises NoPath."""
    try:
        path = folder.absolute() / Path(typed).expanduser()
    except RuntimeError as error:  # no such user
        raise NoPath(str(error)) from None
    try:
        path.stat()
    except OSError as error:
        if error.errno in _IMPOSSIBLE:
            raise NoPath(error.strerror) from None
    except ValueError as error:  # a NUL
        raise NoPath(str(error)) from None
    return path
