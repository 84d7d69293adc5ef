"""Waiting for a store that a launch is about to make."""

import time
from pathlib import Path

import click

from scalectl.orchestrator.errors import NotFound
from scalectl.orchestrator.store.reading import Store

PATIENCE_SECONDS = 60.0  # for a launch to begin; one that plans is waited for as long as that takes
_LOOK_SECONDS = 0.5


def until_there(path: Path) -> Store:
    """The store at `path` once a study is planned in it; raises NotFound where no launch makes it in a minute."""
    store, deadline = Store(path), time.monotonic() + PATIENCE_SECONDS
    said = False
    while True:
        planning = store.launcher() is not None
        try:
            if not planning or store.status().runs:
                store.status()
                return store
        except NotFound:
            if not planning and time.monotonic() > deadline:
                raise
        if not said:
            click.echo(f"Waiting for {path}, which no launch has made yet.", err=True)
        said = True
        time.sleep(_LOOK_SECONDS)
