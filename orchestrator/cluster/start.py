"""Whether JAX starts with the user's environment, asked before a launch writes anything."""

import os
import subprocess
import sys

from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.redact import redacted
from scalectl.trainer import environment

PATIENCE = 60.0  # seconds; JAX that is still looking for its devices then may find them
# any value of these will do, or they are tried by every test
_SURE = ("JAX_COMPILATION_CACHE_", "JAX_PERSISTENT_CACHE_", "JAX_NUMPY_RANK_PROMOTION")


def check_start() -> None:
    """Raise Refusal, naming the variables, where JAX can't start with what jobs are left of this environment.

    Another process tries it, so that this one takes no device; and only where a variable gives cause to.
    """
    kept = dict(os.environ)
    environment.clear(kept)
    doubtful = _doubtful(kept)
    if not doubtful:
        return
    kept["JAX_PLATFORMS"] = environment.platforms(kept)
    command = [sys.executable, "-P", "-c", "import jax; jax.devices(); jax.numpy.zeros(1) + 1"]
    try:
        done = subprocess.run(command, env=kept, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return
    if done.returncode:
        variables = ", ".join(f"{name}={kept[name]}" for name in doubtful)
        remedy = "Correct or unset it."
        if "JAX_PLATFORMS" in doubtful:
            remedy = "Without JAX_PLATFORMS each job trains on what its slot is: a CPU, a GPU or a TPU."
        raise Refusal(redacted(f"refused: JAX can't start with {variables}: {_cause(done.stderr)}. {remedy}"))


def ignored() -> str:
    """A sentence that names the variables of this environment that no job gets; empty where there are none."""
    names = ", ".join(sorted(environment.left_out(os.environ)))
    if not names:
        return ""
    return f"Ignored in the environment: {names}. They could change numbers; jobs have the defaults of JAX and XLA."


def _doubtful(kept: dict[str, str]) -> list[str]:
    """The variables that may keep JAX from starting."""
    several = "," in kept.get("TPU_WORKER_HOSTNAMES", "")  # the hosts of a slice start together or not at all
    names = []
    for name in sorted(kept):
        if name == "JAX_PLATFORMS":
            if environment.platforms(kept) != "cpu" and not several:
                names.append(name)
        elif name.startswith(("JAX_", "XLA_FLAGS")) and not name.startswith(_SURE):
            names.append(name)
    return names


def _cause(stderr: str) -> str:
    """The line of a traceback, or of a crash, that names the cause."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("F") and "]" in line[:60]] or lines  # XLA's own last words
    cause = (errors or ["no reason was given"])[-1].rstrip(".")[:400]
    if cause == "AssertionError":  # JAX's own, of a platform that it knows and finds no device of
        return "it finds no such device"
    return cause
