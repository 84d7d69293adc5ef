"""How a cluster of Ray is reached: who may join, over which sockets, and whether anybody listens."""

import os
import secrets
import socket
from pathlib import Path

from orchestrator.exits import Exit, Refusal

KNOCK_SECONDS = 10.0


class Unreachable(Refusal):
    """A cluster that can't be joined."""

    exit = Exit.NOT_FOUND


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


def knock(address: str) -> None:
    """Raise Unreachable where nobody listens; Ray itself would ask for two minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_SECONDS).close()
    except (OSError, ValueError) as error:
        remedy = "give the HOST:PORT of its head, and no ray:// address"
        raise Unreachable(f"no Ray cluster at {address!r}: {error}; {remedy}.") from error


def secure(address: str | None) -> None:
    """Set what Ray reads at import: token authentication, no usage reports, and loopback sockets when embedded."""
    folder = Path.home() / ".ray"
    defaults = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # else Ray rebuilds the environment for every worker under `uv run`
        "RAY_DEDUP_LOGS": "0",
    }
    if address is None:
        token = _token(folder / "scalectl_token")
        defaults |= {"RAY_AUTH_TOKEN_PATH": str(token), "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    if address is None or has_token():  # a cluster without tokens takes none
        defaults["RAY_AUTH_MODE"] = "token"
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def _token(path: Path) -> Path:
    """Return a file that holds the secret of embedded clusters, made for this user alone when there is none."""
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            beside = path.with_name(f"{path.name}.{os.getpid()}")
            beside.touch(mode=0o600)
            beside.write_text(secrets.token_hex(32))
            beside.replace(path)
    except OSError as error:
        remedy = "Set HOME to a folder that can be written, or train with --here."
        raise Refusal(f"refused: the token of Ray's cluster, {path}: {error.strerror}. {remedy}") from error
    return path
