"""The next command, as it can be pasted: with its file, its changes and its store, quoted for the shell."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

USUAL = Path("results.db")  # where commands look unless told


def command(
    verb: str,
    file: str | Path | None = None,
    *,
    changes: Sequence[str] = (),
    store: str | Path | None = None,
    said: Mapping[str, object] = MappingProxyType({}),
) -> str:
    """Return the line for a verb and its flags, with `--set` for each change and what was said where it isn't None."""
    words = ["scalectl", *verb.split()]
    words += [] if file is None else [str(file)]
    words += [word for change in changes for word in ("--set", change)]
    for name, value in said.items():
        words += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    if store is not None and Path(store).absolute() != USUAL.absolute():
        words += ["--store", str(store)]
    return shlex.join(words)
