"""What a store holds at one moment, as values: its runs and what they wait for, the jobs that run, the last events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    ScalarSelect,
    and_,
    case,
    func,
    literal,
    or_,
    select,
)

from scalectl.orchestrator.goodput import ENTRIES
from scalectl.orchestrator.metrics import main_metric
from scalectl.orchestrator.store.runs import Waits
from scalectl.orchestrator.store.tables import (
    attempts,
    checkpoints,
    events,
    exclusions,
    imports,
    jobs,
    launches,
    ledger,
    measurements,
    members,
    metrics,
    progress,
    runs,
    studies,
)
from scalectl.orchestrator.vocabulary import ENDED, WAITING, AttemptState, RunState

PLANNED = "planned"  # the event with which a launch begins
LAUNCHED = "launched"  # the event that has the command of a launch as its text


class RunLine(NamedTuple):
    """A run that a study lists: how far it is, and its main metric where that is measured."""

    id: str
    name: str
    study: str
    trunk: int
    state: RunState
    kind: str
    reason: str
    excluded: bool
    trunk_step: int
    cooldown_step: int  # steps of its own, after its branch
    steps: int
    cooldown: int
    flops: float
    value: float | None
    waits_for: str = ""

    @property
    def step(self) -> int:
        """The step that it has come to."""
        branch = self.steps - self.cooldown
        if self.cooldown_step:
            return branch + self.cooldown_step
        return min(self.trunk_step, branch)


@dataclass(frozen=True)
class RunningJob:
    """A job on a slot; `loss`, speed and `mfu` are the last ones told."""

    id: str
    name: str
    slot: str
    attempt: int  # counted from 1
    start: int
    step: int
    stop: int
    loss: float | None
    images_per_second: float | None
    flops_per_second: float | None
    mfu: float | None
    seconds_left: float | None


@dataclass(frozen=True)
class Happening:
    """An entry of the store's history; `at` is UTC."""

    at: str
    what: str
    run: str
    text: str


def study_names(connection: Connection) -> tuple[str, ...]:
    """The studies, the one planned last first."""
    return tuple(connection.scalars(select(studies.c.name).order_by(studies.c.planned.desc())))


def compared_by(connection: Connection) -> str:
    """The metric that runs are compared by: of those that own runs have, or of all before any has one."""
    names = select(metrics.c.name).order_by(metrics.c.id)
    here = (measurements.c.run == runs.c.number, measurements.c.metric == metrics.c.id)
    value = select(measurements.c.run).where(*here).correlate(runs, metrics).exists()
    run = select(runs.c.number).where(value).correlate(metrics).exists()  # by the key: there are millions of readings
    own = list(connection.scalars(names.where(run)))
    return main_metric(own or list(connection.scalars(names)))


def run_lines(connection: Connection, metric: str, *, launched: bool) -> tuple[RunLine, ...]:
    """The runs in the order in which they were planned; `launched` tells whether a launcher works."""
    branch = runs.c.steps - runs.c.cooldown
    own = case((runs.c.state == RunState.DONE, runs.c.cooldown), else_=func.coalesce(_last(runs.c.number) - branch, 0))
    value = (
        select(measurements.c.value)
        .join(metrics)
        .where(metrics.c.name == metric, measurements.c.run == runs.c.number, measurements.c.step == runs.c.steps)
        .scalar_subquery()
    )
    query = select(
        runs.c.id,
        runs.c.name,
        studies.c.name.label("study"),
        *(runs.c[name] for name in ("trunk", "state", "kind", "reason", "excluded")),
        func.coalesce(_last(literal(0)), 0).label("trunk_step"),
        own.label("cooldown_step"),
        *(runs.c[name] for name in ("steps", "cooldown", "flops")),
        value.label("value"),
    )  # in the order of RunLine
    listed = query.join_from(runs, studies).where(runs.c.listed).order_by(runs.c.number)
    waits = Waits(connection, launched=launched)
    return tuple(
        RunLine._make((*row, waits.why(row.id, row.state, row.trunk, row.steps - row.cooldown, row.reason)))
        for row in connection.execute(listed)
    )


def last_ledger(connection: Connection) -> dict[str, float]:
    """The seconds of all slots of the last launch by what they went into; empty before the first."""
    sums = [func.sum(ledger.c[f"{entry}_seconds"]).label(entry) for entry in ENTRIES]
    last = select(func.max(ledger.c.launch)).scalar_subquery()
    row = connection.execute(select(*sums).where(ledger.c.launch == last)).one()
    if row[0] is None:
        return {}
    return dict(row._mapping)


def launched_study(connection: Connection, since: datetime) -> str:
    """The study of a launch which began at `since` (UTC); nothing before it has written its plan."""
    last = select(events.c.text).where(events.c.what == PLANNED, events.c.at >= since).order_by(events.c.id.desc())
    return planned_study(connection.scalars(last.limit(1)).first() or "")


def planned_study(text: str) -> str:
    """The study that a launch has planned, by the text of its event."""
    return text.rpartition(": ")[0]


def seconds_left(connection: Connection, since: datetime) -> float | None:
    """The seconds that a launch which began at `since` (UTC) still takes by its own account; None before it says so."""
    last = select(launches.c.seconds_left).where(launches.c.at >= since).order_by(launches.c.launch.desc()).limit(1)
    return connection.scalars(last).first()


def last_account(connection: Connection, since: datetime) -> float | None:
    """When a launch which began at `since` (UTC) has last written its account, in Unix seconds; None before it has."""
    last = connection.scalars(select(func.max(launches.c.at)).where(launches.c.at >= since)).first()
    if last is None:
        return None
    return last.replace(tzinfo=UTC).timestamp()


def _last(run: ColumnElement[int]) -> ScalarSelect[int]:
    """The last step of the curve of a run, or of its trunk for run 0."""
    curve = and_(progress.c.trunk == runs.c.trunk, progress.c.run == run)
    return select(func.max(progress.c.step)).where(curve).correlate(runs).scalar_subquery()


def work(lines: Sequence[RunLine]) -> tuple[float, float]:
    """The training FLOPs that are done and the whole of them, each step of a trunk counted once.

    What a diverged run had left isn't part of the whole: it will never be trained.
    """
    done = whole = 0.0
    trunks: dict[int, list[RunLine]] = {}
    for line in lines:
        trunks.setdefault(line.trunk, []).append(line)
    for group in trunks.values():
        a_step = group[0].flops / group[0].steps
        going = [line for line in group if line.state is not RunState.DIVERGED]
        own = sum(line.cooldown_step for line in group)
        reached = max(line.step - line.cooldown_step for line in group)
        branch = max((line.steps - line.cooldown for line in going), default=0)
        done += a_step * (reached + own)
        whole += a_step * (max(reached, branch) + own + sum(line.cooldown - line.cooldown_step for line in going))
    return done, whole


def running_jobs(connection: Connection) -> tuple[RunningJob, ...]:
    """The jobs that are on slots, or were when their launcher ended."""
    before = attempts.alias()
    number = select(func.count()).where(before.c.job == attempts.c.job, before.c.id <= attempts.c.id).scalar_subquery()
    step = func.coalesce(attempts.c.step, attempts.c.first_step, jobs.c.start)
    live = (
        select(jobs, attempts.c.slot, step.label("step"), number.label("attempt"))
        .join_from(attempts, jobs)
        .where(attempts.c.state.in_((AttemptState.STARTING, AttemptState.RUNNING)))
        .order_by(attempts.c.slot)
    )
    return tuple(_running(connection, row) for row in connection.execute(live).all())


def _running(connection: Connection, job: Row[Any]) -> RunningJob:
    curve = and_(progress.c.trunk == job.trunk, progress.c.run == (job.run or 0), progress.c.step <= job.step)
    last = connection.execute(select(progress).where(curve).order_by(progress.c.step.desc()).limit(1)).one_or_none()
    speed = {"loss": None, "images_per_second": None, "flops_per_second": None, "mfu": None, "seconds_left": None}
    if last is not None:
        speed |= {"loss": last.loss, "images_per_second": last.images_per_second, "mfu": last.mfu}
        if last.images_per_second and last.images_seen:
            images_left = (job.stop - job.step) * last.images_seen / last.step
            speed["seconds_left"] = images_left / last.images_per_second
            speed["flops_per_second"] = last.images_per_second * last.flops / last.images_seen
    return RunningJob(job.id, job.name, job.slot, job.attempt, job.start, job.step, job.stop, **speed)


def kept_checkpoints(connection: Connection) -> int:
    """The number of checkpoints of branch points and ends."""
    return connection.scalars(select(func.count()).where(checkpoints.c.kept)).one()


def unlisted_runs(connection: Connection) -> int:
    """The number of runs that were pruned: no study has them any more."""
    return connection.scalars(select(func.count()).where(~runs.c.listed)).one()


def imported_runs(connection: Connection) -> int:
    """The number of runs of other people."""
    return connection.scalars(select(func.count()).select_from(imports)).one()


def by_hand(connection: Connection) -> tuple[tuple[Any, ...], ...]:
    """The exclusions with their reasons, and the number and time of imports: the same until somebody changes them."""
    own = select(exclusions)
    others = select(imports.c.id, imports.c.reason).where(imports.c.excluded)
    all_of_them = select(func.count(), func.max(imports.c.at)).select_from(imports)
    return tuple(tuple(row) for query in (own, others, all_of_them) for row in connection.execute(query))


def last_command(connection: Connection, study: str | None = None) -> str:
    """The command of the last launch of a study with its file and changes, or nothing; without a name of one that isn't
    at its end, or else of the last launch.
    """
    texts: dict[str, str] = {}  # by study, that of the last launch at the end
    named = ""
    told = events.c.what.in_((PLANNED, LAUNCHED))
    for what, text in connection.execute(select(events.c.what, events.c.text).where(told).order_by(events.c.id)):
        if what == PLANNED:  # as each launch notes before it notes its command
            named = planned_study(text)
        else:
            texts.pop(named, None)
            texts[named] = text
    if study is not None or not texts:
        return texts.get(study or "", "")
    joined = members.join(studies).join(runs, runs.c.number == members.c.run)
    left = set(connection.scalars(select(studies.c.name).select_from(joined).where(runs.c.state.not_in(ENDED))))
    newest = [*reversed(texts)]
    return texts[next((name for name in newest if name in left), newest[0])]


def waits_for(connection: Connection, since: datetime) -> str:
    """What the launch that began at `since` (UTC) waits for now by its own account; or nothing."""
    last = select(events.c.text).where(events.c.what == WAITING, events.c.at >= since).order_by(events.c.id.desc())
    return connection.scalars(last.limit(1)).first() or ""


def last_events(connection: Connection, number: int) -> tuple[Happening, ...]:
    """The last entries of the history, oldest first, and before them the other warnings of the last launch."""
    silent = events.c.what.in_((LAUNCHED, WAITING))
    newest = select(events.c.id).where(~silent).order_by(events.c.id.desc()).limit(number)
    launched = select(func.max(events.c.id)).where(events.c.what == PLANNED).scalar_subquery()
    shown = or_(events.c.id.in_(newest), and_(events.c.what == "warning", events.c.id > launched))
    query = select(events.c.at, events.c.what, runs.c.name, events.c.text).outerjoin_from(events, runs)
    rows = connection.execute(query.where(shown).order_by(events.c.id))
    return tuple(Happening(time.isoformat(" ", "seconds"), kind, run or "", text) for time, kind, run, text in rows)
