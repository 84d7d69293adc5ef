"""Which attempt at a job may write its checkpoints: the newest, whatever an older one that was lost still does."""

import secrets
from pathlib import Path
from typing import Any

from scalectl.trainer.data.storage import remote

FILE = "attempt"  # in the folder of a job's checkpoints


class Superseded(Exception):  # noqa: N818 - a fact about a folder
    """A folder of checkpoints that belongs to a newer attempt at the job."""


def claim(folder: str) -> str:
    """The token of a new attempt, to which the folder belongs from now on; raises OSError where it can't be written."""
    token = secrets.token_hex(8)
    path = _path(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(token)
    return token


def check(folder: str, token: str) -> None:
    """Raise Superseded where a folder belongs to another attempt than the one with this token.

    An attempt without a token, or a folder without one, belongs to nobody else.
    """
    if not token:
        return
    try:
        newest = _path(folder).read_text()
    except FileNotFoundError:  # somebody removed all that was there
        return
    if newest != token:
        raise Superseded(f"{folder} belongs to a newer attempt at this job: this one was given up as lost.")


def _path(folder: str) -> Any:
    if not remote(folder):
        return Path(folder) / FILE
    from etils import epath  # only here: it takes a while

    return epath.Path(folder) / FILE
