"""The address of a cluster as a user gives it: HOST:PORT, or one of Ray's own words, local and auto."""

import os
import tempfile
from pathlib import Path

from scalectl.orchestrator.cluster.ray_server import Unreachable, knock
from scalectl.orchestrator.cluster.ray_trust import trusted
from scalectl.orchestrator.errors import Refusal

_ORIGIN = "The address is RAY_ADDRESS of the environment; --address local ignores it and trains on this machine."


def joined(address: str | None, *, by_variable: bool, insecure: bool) -> str | None:
    """The HOST:PORT of the cluster that a launch joins; None where it starts one of its own.

    Raises Unreachable where nobody listens there, and then Refusal for a cluster that it takes a token to join;
    `by_variable` says that the address is RAY_ADDRESS, which the message names.
    """
    try:
        place = _place(address)
        if place is not None:
            knock(place)
            trusted(place, insecure=insecure)
    except Refusal as refusal:
        if not by_variable:
            raise
        raise type(refusal)(f"{refusal} {_ORIGIN}") from refusal
    return place


def _place(address: str | None) -> str | None:
    if address in (None, "", "local"):
        return None
    if address == "auto":
        return _running()
    return address


def _running() -> str:
    """The cluster that was started last on this machine, which Ray keeps in a file."""
    file = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()) / "ray" / "ray_current_cluster"
    try:
        return file.read_text().strip()
    except OSError as error:
        raise Unreachable("no Ray cluster at 'auto': none runs on this machine.") from error
