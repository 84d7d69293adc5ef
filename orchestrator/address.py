"""Which Ray clusters may be joined."""

import os
from pathlib import Path

from orchestrator.exits import Refusal


def trusted(address: str | None, *, insecure: bool) -> None:
    """Raise a Refusal for a cluster that anybody who reaches its ports could run code on, unless that is asked for.

    Ray's tokens keep others out: https://docs.ray.io/en/latest/ray-security/token-auth.html
    """
    if address is None or insecure or has_token() or os.environ.get("RAY_AUTH_MODE", "").lower() == "token":
        return
    raise Refusal(
        f"refused: the cluster at {address} would be joined without a token, so whoever reaches its ports can run code"
        " there. Start it with RAY_AUTH_MODE=token and set RAY_AUTH_TOKEN_PATH here to a copy of its token,"
        " or give --insecure if the network keeps others out."
    )


def has_token() -> bool:
    """Return whether this user has a token for clusters: in the environment, or where Ray looks for it."""
    given = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys()
    return bool(given) or (Path.home() / ".ray" / "auth_token").exists()
