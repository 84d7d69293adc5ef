"""Which attempt at a job may write its checkpoints: the newest, whatever an older one that was lost still does."""

import secrets

from scalectl.trainer.data.storage import as_path

FILE = "attempt"  # in the folder of a job's checkpoints


class Superseded(Exception):  # noqa: N818 - a fact about a folder
    """A folder of checkpoints that belongs to a newer attempt at the job."""


def claim(folder: str) -> str:
    """The token of a new attempt, to which the folder belongs from now on; raises OSError where it can't be written."""
    token = secrets.token_hex(8)
    path = as_path(folder) / FILE
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
        newest = (as_path(folder) / FILE).read_text()
    except FileNotFoundError:  # somebody removed all that was there
        return
    if newest != token:
        raise Superseded(f"{folder} belongs to a newer attempt at this job: this one was given up as lost.")
