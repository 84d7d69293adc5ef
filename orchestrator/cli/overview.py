"""The live view of a study as lines that fit a terminal: failures first, jobs with their curves, models by state."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scalectl.orchestrator import terminal
from scalectl.orchestrator.cli.status_lines import head as status_head
from scalectl.orchestrator.cli.status_lines import history, job_cells, number_text, state_text, state_word
from scalectl.orchestrator.format import counted, few, one_line, share, table
from scalectl.orchestrator.metrics import best_value
from scalectl.orchestrator.store.snapshot import RunLine, work
from scalectl.orchestrator.vocabulary import RunState

if TYPE_CHECKING:
    from scalectl.orchestrator.store.live import Training
    from scalectl.orchestrator.store.reading import Status

FOOT = "Ctrl-C ends this view, and no launch."
_BLOCKS = "▁▂▃▄▅▆▇█"
_BAD = (RunState.FAILED, RunState.DIVERGED)
_ORDER = (*_BAD, RunState.STOPPED, RunState.RUNNING, RunState.PLANNED, RunState.DONE)  # failures first


@dataclass(frozen=True)
class Section:
    """A part of the view: a heading, which may be empty, and lines of which the last ones may be left out."""

    heading: str
    lines: Sequence[str]
    noun: str = "line"

    def fitted(self, height: int) -> list[str]:
        """At most `height` lines; where some are left out, the last one says how many."""
        head = [self.heading] if self.heading else []
        room = height - len(head)
        if len(self.lines) <= room:
            return [*head, *self.lines]
        if room < 1:
            return []
        more = counted(len(self.lines) - room + 1, f"more {self.noun}")
        return [*head, *self.lines[: room - 1], f"  ... {more}"]

    @property
    def size(self) -> int:
        """The lines that it takes as a whole."""
        return bool(self.heading) + len(self.lines)

    @property
    def least(self) -> int:
        """The lines that it takes where there is little room: its heading, a line, and how many more there are."""
        return min(bool(self.heading) + 2, self.size)


def overview(status: "Status", training: "Training", width: int, height: int, *, runs: bool = False) -> list[str]:
    """The lines of the view, at most `height`; with `runs` a line for each run in place of one for each model."""
    head = terminal.wrapped(status_head(status), width).splitlines()
    sections = [_failures(status), _running(status, training, width)]
    if runs:
        sections.append(_runs(status, width))
    else:
        sections.append(_models(status, training, width))
    sections += [_waiting(status), Section("", history(status).splitlines()[::-1], "earlier event")]
    body = _laid([section for section in sections if section.lines], height - len(head) - 2)
    return [*head, *body, "", FOOT][:height]


def _laid(sections: Sequence[Section], height: int) -> list[str]:
    """The sections with an empty line before each, in at most `height` lines, which they share line by line."""
    rooms = [section.least for section in sections]
    left = height - sum(rooms) - len(rooms)
    while left > 0 and rooms != [section.size for section in sections]:
        for n, section in enumerate(sections):
            if rooms[n] < section.size and left > 0:
                rooms[n] += 1
                left -= 1
    lines = []
    for section, room in zip(sections, rooms, strict=True):
        lines += ["", *section.fitted(room)]
    return lines[: max(height, 0)]


def sparkline(values: Sequence[float]) -> str:
    """Values as blocks between the lowest and the highest of them."""
    if not values:
        return ""
    low, high = min(values), max(values)
    top = len(_BLOCKS) - 1
    if not high > low:
        return _BLOCKS[0] * len(values)
    return "".join(_BLOCKS[round(top * (value - low) / (high - low))] for value in values)


def _failures(status: "Status") -> Section:
    """The runs that failed or diverged, those of one reason together, most first."""
    groups = defaultdict[tuple[str, str], list[str]](list)
    for run in status.runs:
        if run.state in _BAD:
            groups[run.state.with_failure(run.kind), one_line(run.reason)].append(one_line(run.name))
    lines = []
    for (state, reason), names in sorted(groups.items(), key=lambda group: -len(group[1])):
        lines += [f"  {len(names):,} {state}: {few(names, 3)}", *([f"      {reason}"] if reason else [])]
    return Section("", lines)


def _running(status: "Status", training: "Training", width: int) -> Section:
    if not (status.running and status.launcher):
        return Section("", ())
    header = ("JOB", "SLOT", "CURVE", "LOSS", "PROGRESS", "", "IMG/S", "MFU", "ATTEMPT", "ETA")
    rows = []
    for job in status.running:
        name, slot, steps, part, loss, speed, mfu, attempt, eta = job_cells(job)
        curve = sparkline(training.losses.get(job.id, []))
        rows.append((name, slot, curve, loss, steps, part, speed, mfu, attempt, eta))
    spare = ("ATTEMPT", "MFU", "SLOT", "IMG/S", "PROGRESS", "CURVE")
    heading, *lines = table(header, rows, left=3, width=width, spare=spare).splitlines()
    return Section(heading, lines, "job")


def _models(status: "Status", training: "Training", width: int) -> Section:
    """A line for each model: its runs by state, how much of its work is done, and its best value."""
    groups = defaultdict[str, list[RunLine]](list)
    for run in status.shown:
        groups[training.models.get(run.id, "")].append(run)
    states = [state for state in _ORDER if any(run.state is state for run in status.shown)]
    words = [state_word(status, state).upper() for state in states]
    header = ("MODEL", "RUNS", *words, "WORK", f"BEST {status.metric}".upper())
    rows = []
    for model, members in groups.items():
        counts = Counter(run.state for run in members)
        done, whole = work(members)
        values = [
            run.value for run in members if run.value is not None and run.state is RunState.DONE and not run.excluded
        ]
        best = number_text(best_value(status.metric, values))
        cells = (str(counts[state] or "") for state in states)
        rows.append((model, str(len(members)), *cells, share(done / whole if whole else 1.0), best))
    heading, *lines = table(header, rows, width=width, spare=(header[-1], "RUNS")).splitlines()
    return Section(heading, lines, "model")


def _runs(status: "Status", width: int) -> Section:
    """A line for each run, failures first."""
    ordered = sorted(status.shown, key=lambda run: _ORDER.index(run.state))
    header = ("RUN", "STATE", "PROGRESS", status.metric.upper())
    rows = [(run.name, state_text(run), f"{run.step:,}/{run.steps:,}", number_text(run.value)) for run in ordered]
    heading, *lines = table(header, rows, left=2, width=width, spare=("PROGRESS", header[-1])).splitlines()
    return Section(heading, lines, "run")


def _waiting(status: "Status") -> Section:
    """What runs wait for, and how many; most first."""
    reasons = Counter(_reason(run) for run in status.runs if run.waits_for and run.state not in _BAD)
    verbs = {True: "waits for", False: "wait for"}
    lines = [f"  {counted(number, 'run')} {verbs[number == 1]} {reason}" for reason, number in reasons.most_common()]
    return Section("", lines, "reason")


def _reason(run: RunLine) -> str:
    """What a run waits for, alike for all runs that wait for some trunk."""
    trunk, comma, state = run.waits_for.partition(", which ")
    if comma:
        return f"a trunk that {state}"
    return one_line(trunk)
