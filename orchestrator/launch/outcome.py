"""What a launch came to, as its exit code and its last lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from scalectl.orchestrator.errors import Exit
from scalectl.orchestrator.format import command, counted, duration
from scalectl.orchestrator.launch.news import ASKED, INTERRUPTED
from scalectl.orchestrator.vocabulary import RunState

CHARTS = "vl_convert"  # the library that a page needs, and a launch doesn't
# What becomes of a run that was done before and has new evaluations, where they aren't done.
UNEVALUATED, EVALUATION_FAILED = "not evaluated", "evaluation failed"


@dataclass(frozen=True)
class Outcome:
    """What a launch came to."""

    exit: Exit
    seconds: float
    runs: int
    done: int
    worked: bool
    states: tuple[tuple[str, int], ...]  # of the runs that aren't done
    cap: str = ""  # what the launch was stopped by: a limit, or the loss of its cluster
    pause: str = ""  # what is paused, and why
    books: str = ""  # where the time of its slots went
    unlisted: int = 0  # runs that the study has besides those of the file
    failure: str = ""  # why the first of the failed runs did

    @property
    def reason(self) -> str:
        """Why it failed or isn't done; nothing where it is done."""
        if self.exit is Exit.INTERRUPTED:
            return INTERRUPTED
        if said := self.cap or self.pause:
            return said
        if self.exit is Exit.FAILED:
            return self.failure
        if self.exit is Exit.DONE and dict(self.states).keys() - {RunState.DIVERGED}:
            return ASKED
        return ""

    def text(self, file: Path, store: str, changes: Sequence[str] = (), fake_cluster: Path | None = None) -> str:
        """The last lines of the launch, with the next command."""
        again = command("launch", file, changes=changes, options={"fake_cluster": fake_cluster})
        lines = [self.summary()]
        if self.unlisted and not changes:  # with these the file is a part of itself as often as not
            drop, others = command("prune --dry-run", file, changes=changes), counted(self.unlisted, "run")
            lines.append(f"The study's laws also count {others} that this file lacks: {drop} shows them.")
        return "\n".join([*lines, self._next(again, store)])

    def summary(self) -> str:
        """How many runs are done and in what time, and what became of the others."""
        ending = "; nothing was missing"
        if self.worked:
            ending = f" in {duration(self.seconds)}"
        unfinished = "".join(f", {number} {state}" for state, number in self.states)
        line = f"{self.done} of {counted(self.runs, 'run')} done{ending}{unfinished}"
        if self.books:
            line += f"\n{self.books}"
        return line

    def _next(self, again: str, store: str) -> str:
        if self.exit is Exit.NOT_FOUND:
            return f"Stopped: {self.cap}; checkpoints are saved. Next: start the cluster again, then {again}"
        if self.cap:
            return f"{self.cap}; checkpoints are saved. Next: raise it, then {again}"
        if self.exit is Exit.INTERRUPTED:
            return f"Stopped; checkpoints are saved. Next: {again}"
        if self.pause:
            return f"Paused: {self.pause}\nNext: mend that, then {again}"
        if self.exit is Exit.FAILED:
            return f"Next: {command('status', store=store)}"
        if not {RunState.STOPPED, UNEVALUATED}.isdisjoint(dict(self.states)):
            return f"Runs were stopped on request; checkpoints are saved. Next: {again}"
        if self.done and find_spec(CHARTS) is not None:
            return f"Next: {command('report', store=store)}"
        return f"Next: {command('status --runs', store=store)}"
