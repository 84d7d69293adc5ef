"""Which clusters are joined: whoever reaches the ports of a cluster without tokens runs code there."""

import os
import subprocess
import sys
from collections.abc import Callable

from scalectl.orchestrator.cluster.ray_server import check_head, has_token
from scalectl.orchestrator.errors import Refusal

_ASK_SECONDS = 60.0  # that another Python may take to import Ray, and the cluster to answer
_OPEN, _CLOSED = "open", "closed"
# Ray reads once whether it has a token, at import, so that another process has to ask without one.
_QUESTION = f"""
import sys
from ray._raylet import GcsClient
from ray.exceptions import AuthenticationError
try:
    GcsClient(address=sys.argv[1]).get_all_node_info(timeout=10)
except AuthenticationError:
    print("{_CLOSED}")
else:
    print("{_OPEN}")
"""


def trusted(address: str | None, *, insecure: bool, ask: Callable[[str], bool | None] | None = None) -> None:
    """Raise a Refusal for a cluster that anybody who reaches its ports could run code on, unless that is asked for.

    With a token on this side the cluster is asked by `ask`, by default over the network, whether it wants one.
    Ray's tokens keep others out: https://docs.ray.io/en/latest/ray-security/token-auth.html
    """
    if address is None or insecure:
        return
    remedy = "Start it with RAY_AUTH_MODE=token and set RAY_AUTH_TOKEN_PATH here to a copy of its token,"
    remedy += " or give --insecure if the network keeps others out."
    if not (has_token() or os.environ.get("RAY_AUTH_MODE", "").lower() == "token"):
        problem = "would be joined without a token, so whoever reaches its ports can run code there"
    else:
        wants_token = (ask or _asked)(address)
        if wants_token:
            return
        problem = "takes whoever comes without a token, so that whoever reaches its ports can run code there"
        if wants_token is None:
            problem = "did not say whether it wants a token; if not, whoever reaches its ports can run code there"
    raise Refusal(f"refused: the cluster at {address} {problem}. {remedy}")


def _asked(address: str) -> bool | None:
    """Whether a cluster refuses who comes without a token; None without an answer. Raises Unreachable without one."""
    check_head(address)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH_")}
    environment |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, "-c", _QUESTION, address]
    try:
        done = subprocess.run(  # noqa: S603 - this Python
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=_ASK_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    return {_OPEN: False, _CLOSED: True}.get(done.stdout.decode(errors="replace").strip())
