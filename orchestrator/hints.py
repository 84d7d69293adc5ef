"""The next command, as it can be pasted: with its file, its changes and its store, quoted for the shell."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

USUAL = Path("results.db")  # where commands look by default


def command(
    verb: str,
    file: str | Path | None = None,
    *,
    changes: Sequence[str] = (),
    store: str | Path | None = None,
    options: Mapping[str, object] = MappingProxyType({}),
) -> str:
    """The line for a verb and its flags, with `--set` for each change and the options that aren't None."""
    words = ["scalectl", *verb.split()]
    if file is not None:
        words.append(str(file))
    for change in changes:
        words += ["--set", change]
    for name, value in options.items():
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    if store is not None and Path(store).absolute() != USUAL.absolute():
        words += ["--store", str(store)]
    return shlex.join(words)
