"""A live view in the terminal: read anew every two seconds, drawn where something changed, left with Ctrl-C."""

import sys
import time
from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from scalectl.analysis.printable import printable_line
from scalectl.orchestrator.cli.overview import FOOT, overview
from scalectl.orchestrator.store.reading import WATCH_SECONDS, Status, Store

_RESIZED_SECONDS = 0.2  # until a terminal of another size is drawn anew
_MOST = 0.05  # of a core for reading the store: one of many runs is read less often


def watched(store: Store, shown: Callable[[Status], Status], *, runs: bool) -> Status:
    """Show the status live until no launch is running, and return the last one; `shown` chooses the runs of it."""
    console = Console(file=getattr(sys.stdout, "screen", sys.stdout), highlight=False)
    status, training = store.status(), store.training()
    with Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        drawn: tuple[object, ...] = ()
        spent = 0.0
        while status.launcher is not None:
            width, height = console.size
            lines = overview(shown(status), training, width, height, runs=runs)
            if (width, height, *lines) != drawn:
                live.update(_styled(lines), refresh=True)
                drawn = (width, height, *lines)
            _wait(console, max(WATCH_SECONDS, spent / _MOST))
            before = time.process_time()
            status, training = store.status(), store.training()
            spent = time.process_time() - before
    return shown(status)


def _wait(console: Console, seconds: float) -> None:
    """Wait so long, or until the terminal has another size."""
    size, deadline = console.size, time.monotonic() + seconds
    while time.monotonic() < deadline and console.size == size:
        time.sleep(_RESIZED_SECONDS)


def _styled(lines: list[str]) -> Group:
    """Lines that are cut at the edge of the terminal."""
    texts = []
    for n, line in enumerate(lines):
        style = ""
        if n == 0:
            style = "bold"
        elif line == FOOT:
            style = "dim"
        texts.append(Text(printable_line(line), style, no_wrap=True, overflow="ellipsis"))
    return Group(*texts)
