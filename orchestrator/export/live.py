"""An export while a launch works: it follows the store, adds what is new, and ends as a whole export does."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.export.content import Content, ExportedRun, Scalars, content
from scalectl.orchestrator.export.folder import Mark, place
from scalectl.orchestrator.export.targets import TARGETS, Exported, export_to, ready

LOOK_SECONDS = 5.0  # between two looks at the store
REST = 10.0  # times as long as a look took, nothing is done: at most a tenth of a core is spent


def follow(target: str, folder: Path, store: Path, study: str, ended: Callable[[float], bool]) -> Exported:
    """Write a study as it comes until the launch has `ended`, which is waited for so many seconds; then write it whole.

    Raises what `export_to` raises.
    """
    module = TARGETS[target].load()
    ready(target, folder, module)
    session: _Session | None = None
    pause, over = LOOK_SECONDS, False
    try:
        while not over:
            over = ended(pause)
            begun = time.monotonic()
            try:
                chosen = content(store, study)
            except Refusal:  # before the study is planned
                continue
            if session is None or not session.knows(chosen):
                if session is not None:
                    session.close()
                place(folder, Mark(target, study, ""), module.ours, lambda partial: None)
                session = _Session(module.Writer(folder, chosen), chosen)
            try:
                session.add(chosen)
            except OSError as error:  # a full disk, or a folder that is gone or can't be written any more
                raise Refusal(f"{folder}: {error.strerror or error}.") from error
            pause = max(LOOK_SECONDS, REST * (time.monotonic() - begun))
    finally:
        if session is not None:
            session.close()
    return export_to(target, folder, store, study)


class _Session:
    """What was written so far of the runs of a study."""

    def __init__(self, writer: Any, chosen: Content) -> None:
        self._writer = writer
        self._runs = set(chosen.points["run"])
        self._last: dict[str, dict[str, int]] = {}  # the last step of each name, by run
        self._states: dict[str, str] = {}

    def knows(self, chosen: Content) -> bool:
        """Whether the study has the runs that it had."""
        return self._runs == set(chosen.points["run"])

    def add(self, chosen: Content) -> None:
        """Write what is new of each run."""
        for run in chosen.runs():
            if run.id not in self._last:
                self._writer.begin(run)
                self._last[run.id] = {}
            self._writer.add(replace(run, scalars=self._new(run)))
            if self._states.get(run.id) != run.state:
                self._writer.end(run)
                self._states[run.id] = run.state

    def _new(self, run: ExportedRun) -> tuple[Scalars, ...]:
        """The scalars of a run that were not written yet."""
        last, new = self._last[run.id], []
        for scalars in run.scalars:
            values = {name: value for name, value in scalars.values.items() if scalars.step > last.get(name, -1)}
            if values:
                new.append(replace(scalars, values=values))
                last |= dict.fromkeys(values, scalars.step)
        return tuple(new)

    def close(self) -> None:
        """Let the files go."""
        self._writer.close()
