"""What status and its live view say alike: the head, the cells of a job, states, numbers and the last events."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from scalectl.orchestrator.format import counted, duration, flops, one_line, share
from scalectl.orchestrator.goodput import goodput, shares, starved
from scalectl.orchestrator.vocabulary import RunState

if TYPE_CHECKING:
    from scalectl.orchestrator.store.reading import Status
    from scalectl.orchestrator.store.snapshot import RunLine, RunningJob

REASON = 200  # letters


def head(status: "Status") -> str:
    """How far the studies are, what the launcher does, and where its time goes."""
    if not status.runs:
        text = f"{status.store} holds no study yet"
        if status.imported:
            text += f" · {counted(status.imported, 'imported run')}"
        return text
    done, whole = status.work
    states = " · ".join(f"{number} {state_word(status, state)}" for state, number in status.counts.items() if number)
    part = 1.0
    if whole:
        part = done / whole
    progress = [f"{share(part)} of {flops(whole)} FLOPs"]
    if status.seconds_left is not None:
        progress.append(f"{duration(status.seconds_left)} left")
    progress.append(f"{counted(status.checkpoints, 'checkpoint')} kept")
    lines = [f"{one_line(', '.join(status.studies))} · {states}", f"  {' · '.join(progress)}", f"  {_launcher(status)}"]
    lines += _books(status)
    if status.unlisted:
        lines.append(f"  {counted(status.unlisted, 'pruned run')}, which no study has any more")
    if status.imported:
        lines.append(f"  {counted(status.imported, 'imported run')}, which no launch works on")
    return "\n".join(lines)


def _books(status: "Status") -> list[str]:
    """The goodput of the last launch, where its time went, and what to do about devices that wait for images."""
    useful = goodput(status.ledger)
    if useful is None:
        return []
    launch, entries = "the last launch", shares(status.ledger)
    if status.has_books:  # what no checkpoint holds yet counts as lost, and is lost only if it ends now
        launch, entries = "this launch so far", entries.replace("lost", "not saved yet")
    hint = starved(status.ledger)
    return [f"  {line}" for line in (f"goodput of {launch} {share(useful)}: {entries}", hint) if line]


def state_word(status: "Status", state: str) -> str:
    """The word for a state: a run can't be running where no launch is."""
    if state == RunState.RUNNING and not status.launcher:
        return "cut off"
    return state


def _launcher(status: "Status") -> str:
    if status.waits_for:
        return f"launcher: {status.launcher}\n  waiting: {one_line(status.waits_for)}"
    if status.launcher:
        return f"launcher: {status.launcher}"
    text = "no launch is running"
    if status.running:
        text += f"; the last ended with {counted(len(status.running), 'job')} under way, to go on at the next launch"
    return text


def job_cells(job: "RunningJob") -> tuple[str, ...]:
    """The job's name, slot, steps, share, loss, images a second, MFU, attempt and time left."""
    return (
        job.name,
        job.slot,
        f"{job.step:,}/{job.stop:,}",
        share((job.step - job.start) / max(1, job.stop - job.start)),
        number_text(job.loss),
        number_text(job.images_per_second),
        known(job.mfu, share),
        str(job.attempt),
        known(job.seconds_left, duration),
    )


def state_text(run: "RunLine") -> str:
    """The state of a run with the kind of its failure, and whether fits leave it out."""
    state = run.state.with_failure(run.kind)
    if run.excluded:
        state += ", excluded"
    return state


def history(status: "Status") -> str:
    """The last events without warnings, oldest first."""
    events = [event for event in status.events if event.what != "warning"]
    return "\n".join(f"  {event.at}  {event.what}: {short(one_line(event.run or event.text))}" for event in events)


def short(text: str) -> str:
    """A text without its tail, which may be a library's whole specification."""
    if len(text) <= REASON:
        return text
    return f"{text[: REASON - 1]}…"


def known(value: float | None, form: Callable[[float], str]) -> str:
    """A value in a form, or `--` where it isn't known."""
    if value is None:
        return "--"
    return form(value)


def number_text(value: float | None) -> str:
    """A number with four digits, or `--` where it isn't known."""
    return known(value, lambda number: f"{number:,.4g}" if abs(number) < 1000 else f"{number:,.0f}")
