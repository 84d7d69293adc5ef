"""From an experiment and what the record holds to a plan: which runs are missing, and the jobs that make them."""

import sys
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import groupby

from scalectl.orchestrator.experiment.grid import Cell
from scalectl.orchestrator.experiment.reading import Experiment
from scalectl.orchestrator.plan.placement import Fit, fit
from scalectl.orchestrator.plan.plan import Known, Plan, PlannedJob, PlannedRun
from scalectl.orchestrator.vocabulary import JobKind, RunState, job_name
from scalectl.trainer.counting import few
from scalectl.trainer.flops import forward_flops, training_flops
from scalectl.trainer.identity import Identities
from scalectl.trainer.spec import EvalSpec, Job, RecipeSpec, SpecField, TrunkSpec, spec_fields

_NAMED = 3  # evaluations that a reason names
_NO_EVALS = EvalSpec(upstream=(), fewshot=())  # of a stretch of a trunk


def plan(experiment: Experiment, known: Known | None = None) -> Plan:
    """The plan of an experiment given what the record holds; nothing is read, written or started."""
    known = known or Known()
    runs = planned_runs(experiment, known)
    trunks = groupby(runs, key=lambda run: run.trunk)
    jobs = [job for _, group in trunks for job in _Jobs(experiment, known, list(group)).jobs()]
    measured = all(known.speed(job.shape, job.fit) for job in jobs if job.flops)  # an evaluation has no steps to time
    more = {*known.listed.get(experiment.name, ())} - {run.id for run in runs}
    return Plan(
        experiment.name,
        tuple(runs),
        tuple(jobs),
        experiment.evals,
        measured,
        experiment.skipped,
        len(more),
        known.overheads,
    )


def stretch_again(job: PlannedJob, trunk_name: str, begin: int, folder: str, runs: tuple[str, ...]) -> PlannedJob:
    """The stretch of a job's trunk from `begin` to where the job starts, which makes its checkpoint again."""
    trunk, stop = job.job.trunk, job.job.start
    stretch = replace(
        job.job,
        id=f"{job.trunk}-{begin}-{stop}",
        name=job_name(JobKind.TRUNK, trunk_name, begin, stop),
        run=None,
        start=begin,
        stop=stop,
        evals=_NO_EVALS,
        folder=folder,
    )
    flops = training_flops(trunk, stop - begin)
    seconds = flops * job.seconds / job.flops if job.flops else 0.0
    return replace(
        job,
        job=stretch,
        kind=JobKind.TRUNK,
        run_name=trunk_name,
        owner=job.trunk,
        needs=(),
        runs=runs,
        first_step=begin,
        flops=flops,
        seconds=seconds,
    )


def shape(trunk: TrunkSpec) -> str:
    """The words that name a compiled program: jobs with equal shapes run on a warm slot without compiling."""
    model, data = trunk.model, trunk.data
    program, batch = _program(trunk.recipe)
    mine = f"-{model.architecture}{model.options}" if model.is_own else ""
    return (
        f"{model.width}x{model.depth}x{model.mlp_dim}h{model.num_heads}p{model.patch_size}{mine}"
        f"-{program}-{data.image_size}-{data.num_classes}-{batch}"
    )


@cache
def _program(recipe: RecipeSpec) -> tuple[str, str]:
    """The words of a shape that are the recipe's: of its program, and of its batch.

    A setting that came later is taken for a part of the program, and has no word where it says what was done before.
    """
    later = {setting.name: getattr(recipe, setting.name) for setting in _later(recipe)}
    batch = f"b{recipe.batch_size}"
    if microbatch := later.pop("microbatch", 0):
        batch += f"m{microbatch}"
    words: list[str] = [recipe.head, recipe.loss, recipe.optimizer, recipe.precision]
    words += [value if isinstance(value, str) else f"{name}{value}" for name, value in later.items()]
    return "-".join(words), batch


def _later(recipe: RecipeSpec) -> list[SpecField]:
    """The settings of a recipe that came later and differ from what was done before."""
    later = [setting for setting in spec_fields(type(recipe)) if setting.before is not None]
    return [setting for setting in later if getattr(recipe, setting.name) != setting.before]


def planned_runs(experiment: Experiment, known: Known) -> list[PlannedRun]:
    """The runs of a plan alone, those of one trunk side by side, shortest branch first."""
    by_trunk: dict[TrunkSpec, list[Cell]] = defaultdict(list)
    for trunk, cells in groupby(experiment.cells, key=lambda cell: cell.run.trunk):
        by_trunk[trunk] += cells
    maker = _Runs(experiment, known)
    return [run for trunk, cells in by_trunk.items() for run in maker.of_trunk(trunk, cells)]


class _Runs:
    """Makes the runs of one trunk after another."""

    def __init__(self, experiment: Experiment, known: Known) -> None:
        self.resources = experiment.resources
        self.wanted = experiment.evals.metrics()
        self.known = known
        self.identities = Identities()
        self.fits: dict[Fit, Fit] = {}  # one object for all that are equal

    def of_trunk(self, trunk: TrunkSpec, cells: Sequence[Cell]) -> Iterator[PlannedRun]:
        """Yield the runs of a trunk, shortest branch first; rules of places know no steps, so all have one place."""
        place = self.resources.place(cells[0].settings())
        slots = fit(place, trunk)
        slots = self.fits.setdefault(slots, slots)
        name, shared, reached = self.identities.of(trunk), cells[0].trunk_name, 0
        for cell in sorted(cells, key=lambda cell: (cell.run.branch, cell.run.steps)):
            spec = cell.run
            own_steps = max(0, spec.branch - reached) + spec.cooldown
            reached = max(reached, spec.branch)
            run = self.identities.of(spec)
            trained = spec.steps in self.known.checkpoints.get(run, {})
            reason, missing = _reason(run, self.wanted, self.known, trained=trained)
            yield PlannedRun(
                id=run,
                name=cell.name,
                model=cell.model,
                trunk=name,
                spec=spec,
                params=cell.params,
                flops_per_image=forward_flops(trunk),
                flops=training_flops(trunk, spec.steps),
                marginal_flops=training_flops(trunk, own_steps),
                state=self.known.states.get(run, RunState.PLANNED),
                failure=self.known.failures.get(run, ""),
                reason=reason,
                missing=missing,
                trunk_name=shared,
                fit=slots,
                workers=place.workers,
            )


def _reason(run: str, wanted: Mapping[str, str], known: Known, *, trained: bool) -> tuple[str, bool]:
    """Why a run will or won't be worked on, given the settings of metrics that are wanted, and whether it will."""
    state = known.states.get(run, RunState.PLANNED)
    if state is RunState.DONE:
        reason = _unmeasured(known.metrics.get(run, {}), wanted)
        if not reason:
            return "already done", False
        if trained:
            return reason, True
        return f"{reason}; its checkpoint is gone, so it is trained again", True
    if state is RunState.DIVERGED:
        return "diverged: a result, left alone", False
    if state is RunState.PLANNED:
        return "new", True
    if state is RunState.FAILED:
        return f"retry after {state.with_failure(known.failures.get(run, ''))}", True
    return f"goes on: it was {state}", True


def _unmeasured(measured: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    """The evaluations that a run lacks, or whose settings changed; or nothing."""
    lacking = sorted(name for name in wanted if measured.get(name) != wanted[name])
    changed = [name for name in lacking if name in measured]
    if changed:
        return f"evaluation settings changed: {few(changed, _NAMED)}"
    if lacking:
        return f"new evaluation: {few(lacking, _NAMED)}"
    return ""


class _Jobs:
    """Makes the jobs of one trunk, whose runs come with the shortest branch first."""

    def __init__(self, experiment: Experiment, known: Known, runs: Sequence[PlannedRun]) -> None:
        self.experiment = experiment
        self.known = known
        self.runs = runs
        self.folder = experiment.artifacts
        self.shape = sys.intern(shape(runs[0].spec.trunk))  # most trunks of a study have one of a few

    def jobs(self) -> Iterator[PlannedJob]:
        """Yield the stretches and cooldowns that the missing runs need, each after what it needs."""
        stored = self.known.checkpoints.get(self.runs[0].trunk, {})
        todo = [run for run in self.runs if run.missing]
        untrained = {run.id: run for run in todo if run.spec.steps not in self.known.checkpoints.get(run.id, {})}
        ids, branches = tuple(untrained), [run.spec.branch for run in untrained.values()]
        made: dict[int, str] = {}
        last = 0
        for stop in sorted({*branches} - stored.keys() - {0}):
            start = max((last, *(step for step in stored if step < stop)))
            served = ids[bisect_left(branches, stop) :]
            stretch = self._stretch(start, stop, (made[start],) if start in made else (), served)
            made[stop], last = stretch.id, stop
            yield stretch
        for run in todo:
            yield self._ending(run, made, trained=run.id not in untrained)

    def _stretch(self, start: int, stop: int, needs: tuple[str, ...], served: tuple[str, ...]) -> PlannedJob:
        run = self.runs[0]
        job = Job(
            id=f"{run.trunk}-{start}-{stop}",
            name=job_name(JobKind.TRUNK, run.trunk_name, start, stop),
            trunk=run.spec.trunk,
            run=None,
            start=start,
            stop=stop,
            evals=_NO_EVALS,
            folder=f"{self.folder}/trunks/{run.trunk}/{stop}",
            origin=None,
            checkpoint_every=self.experiment.checkpoint_every,
            workers=run.workers,
            code=self.experiment.code,
        )
        return self._planned(job, JobKind.TRUNK, run, needs, served)

    def _ending(self, run: PlannedRun, made: Mapping[int, str], *, trained: bool) -> PlannedJob:
        """The job that ends a run, or that evaluates one which is `trained`."""
        branch, steps, evals = run.spec.branch, run.spec.steps, self.experiment.evals
        kind = JobKind.COOLDOWN if branch else JobKind.TRAINING
        needs = (made[branch],) if branch in made else ()
        if trained:
            kind, needs = JobKind.EVALUATION, ()
            evals = evals.without(self.known.metrics.get(run.id, {}))
        job = Job(
            id=run.id,
            name=job_name(kind, run.name, branch, steps),
            trunk=run.spec.trunk,
            run=run.spec,
            start=branch,
            stop=steps,
            evals=evals,
            folder=f"{self.folder}/runs/{run.id}",
            origin=None,
            checkpoint_every=self.experiment.checkpoint_every,
            workers=run.workers,
            code=self.experiment.code,
        )
        return self._planned(job, kind, run, needs, (run.id,))

    def _planned(
        self, job: Job, kind: JobKind, run: PlannedRun, needs: tuple[str, ...], runs: tuple[str, ...]
    ) -> PlannedJob:
        first_step = min(job.stop, max(job.start, self.known.reached.get(job.id, 0)))
        if kind is JobKind.EVALUATION:
            first_step = job.stop
        flops = training_flops(job.trunk, job.stop - first_step)
        seconds = flops / (self.known.speed(self.shape, run.fit) or run.fit.flops_per_second)
        run_name, owner = run.name, run.id
        if kind is JobKind.TRUNK:
            run_name, owner = run.trunk_name, run.trunk
        return PlannedJob(
            job, kind, run_name, run.trunk, owner, needs, runs, first_step, flops, seconds, self.shape, run.fit
        )
