"""From an experiment and what the record holds to a plan: which runs are missing, and the jobs that make them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from scalectl.orchestrator.experiment.experiment import Experiment
from scalectl.orchestrator.experiment.grid import Cell
from scalectl.orchestrator.plan.placement import fit
from scalectl.orchestrator.plan.plan import Known, Plan, PlannedJob, PlannedRun
from scalectl.trainer.flops import flops_per_image, training_flops
from scalectl.trainer.spec import EvalSpec, Job, TrunkSpec, identity


def plan(experiment: Experiment, known: Known | None = None) -> Plan:
    """Return the plan of an experiment given what the record holds; nothing is read, written or started."""
    known = known or Known()
    runs = _runs(experiment, known)
    maker = _Jobs(experiment, known)
    jobs = [job for _, group in groupby(runs, key=lambda run: run.trunk) for job in maker.of_trunk(list(group))]
    measured = all(known.speed(job.shape, job.fit) for job in jobs)
    gone = {run for run, study in known.listed.items() if study == experiment.name} - {run.id for run in runs}
    return Plan(experiment.name, tuple(runs), tuple(jobs), experiment.evals, measured, experiment.skipped, len(gone))


def stretch_again(job: PlannedJob, name: str, begin: int, folder: str, runs: tuple[str, ...]) -> PlannedJob:
    """Return the stretch of a job's trunk from `begin` to where the job starts, which makes its checkpoint again."""
    trunk, stop = job.job.trunk, job.job.start
    stretch = replace(
        job.job,
        id=f"{job.trunk}-{begin}-{stop}",
        name=name,
        run=None,
        start=begin,
        stop=stop,
        evals=EvalSpec(upstream=(), fewshot=()),
        folder=folder,
    )
    flops = training_flops(trunk, stop - begin)
    seconds = flops * job.seconds / job.flops if job.flops else 0.0
    return replace(job, job=stretch, owner=job.trunk, needs=(), runs=runs, flops=flops, seconds=seconds)


def shape(trunk: TrunkSpec) -> str:
    """Return the words that name a compiled program: jobs with equal shapes run on a warm slot without compiling."""
    model, recipe = trunk.model, trunk.recipe
    usual = ("learned", "loop", "none")
    rest = "".join(f"-{word}" for word in (recipe.positions, recipe.layers, recipe.remat) if word not in usual)
    pieces = f"m{recipe.microbatch}" if recipe.microbatch else ""
    return (
        f"{model.width}x{model.depth}x{model.mlp_dim}h{model.num_heads}p{model.patch_size}"
        f"-{recipe.head}-{recipe.loss}-{recipe.optimizer}-{recipe.precision}{rest}"
        f"-{trunk.data.image_size}-{trunk.data.num_classes}-b{recipe.batch_size}{pieces}"
    )


def _runs(experiment: Experiment, known: Known) -> list[PlannedRun]:
    """Return the runs with those of one trunk side by side, shortest branch first."""
    by_trunk: dict[TrunkSpec, list[Cell]] = defaultdict(list)
    for cell in experiment.cells:
        by_trunk[cell.run.trunk].append(cell)
    runs: list[PlannedRun] = []
    for spec, cells in by_trunk.items():
        trunk, reached = identity(spec), 0
        for cell in sorted(cells, key=lambda cell: (cell.run.branch, cell.run.steps)):
            own_steps = max(0, cell.run.branch - reached) + cell.run.cooldown
            reached = max(reached, cell.run.branch)
            runs.append(_run(cell, trunk, own_steps, experiment, known))
    return runs


def _run(cell: Cell, trunk: str, own_steps: int, experiment: Experiment, known: Known) -> PlannedRun:
    spec, model = cell.run, cell.run.trunk.model
    data, recipe = spec.trunk.data, spec.trunk.recipe
    name = identity(spec)
    trained = spec.steps in known.checkpoints.get(name, {})
    reason, missing = _reason(name, experiment.evals, known, trained=trained)
    place = experiment.resources.place(cell.settings())
    return PlannedRun(
        id=name,
        name=cell.name,
        model=cell.model,
        trunk=trunk,
        spec=spec,
        params=cell.params,
        flops_per_image=flops_per_image(
            model,
            head=recipe.head,
            image_size=data.image_size,
            channels=data.channels,
            num_classes=data.num_classes,
        ),
        flops=training_flops(spec.trunk, spec.steps),
        marginal_flops=training_flops(spec.trunk, own_steps),
        state=known.states.get(name, "planned"),
        reason=reason,
        missing=missing,
        trunk_name=cell.trunk_name,
        fit=fit(place),
        workers=place.workers,
    )


def _reason(run: str, evals: EvalSpec, known: Known, *, trained: bool) -> tuple[str, bool]:
    """Return why a run will or won't be worked on, and whether it will."""
    state = known.states.get(run, "planned")
    if state == "done":
        measured = known.metrics.get(run, {})
        wanted = evals.metrics()
        lacking = sorted(name for name in wanted if measured.get(name) != wanted[name])
        if not lacking:
            return "already done", False
        again = [name for name in lacking if name in measured]
        what = f"evaluation settings changed: {again[0]}" if again else f"new evaluation: {lacking[0]}"
        return what if trained else f"{what}; its checkpoint is gone, so it is trained again", True
    if state == "diverged":
        return "diverged: a result, left alone", False
    if state == "planned":
        return "new", True
    if state.startswith("failed"):
        return f"retry after {state}", True
    return f"goes on: it was {state}", True


class _Jobs:
    """Makes the jobs of one trunk after another."""

    def __init__(self, experiment: Experiment, known: Known) -> None:
        self.experiment = experiment
        self.known = known
        self.folder = experiment.artifacts

    def of_trunk(self, runs: Sequence[PlannedRun]) -> Iterable[PlannedJob]:
        """Yield the stretches and cooldowns that the missing runs of one trunk need, each after what it needs."""
        trunk = runs[0].trunk
        stored = self.known.checkpoints.get(trunk, {})
        todo = [run for run in runs if run.missing]
        untrained = [run for run in todo if run.spec.steps not in self.known.checkpoints.get(run.id, {})]
        made: dict[int, str] = {}
        for stop in sorted({run.spec.branch for run in untrained} - stored.keys() - {0}):
            start = max((step for step in (*stored, *made) if step < stop), default=0)
            served = tuple(run.id for run in untrained if run.spec.branch >= stop)
            stretch = self._stretch(runs[0], start, stop, (made[start],) if start in made else (), served)
            made[stop] = stretch.id
            yield stretch
        for run in todo:
            yield self._cooldown(run, made, trained=run not in untrained)

    def _stretch(
        self, run: PlannedRun, start: int, stop: int, needs: tuple[str, ...], served: tuple[str, ...]
    ) -> PlannedJob:
        job = Job(
            id=f"{run.trunk}-{start}-{stop}",
            name=f"{run.trunk_name} trunk {start:,} to {stop:,}",
            trunk=run.spec.trunk,
            run=None,
            start=start,
            stop=stop,
            evals=EvalSpec(upstream=(), fewshot=()),
            folder=f"{self.folder}/trunks/{run.trunk}/{stop}",
            origin=None,
            checkpoint_every=self.experiment.checkpoint_every,
            workers=run.workers,
        )
        return self._planned(job, run, run.trunk, needs, served, stop - start)

    def _cooldown(self, run: PlannedRun, made: Mapping[int, str], *, trained: bool) -> PlannedJob:
        branch, steps, evals = run.spec.branch, run.spec.steps, self.experiment.evals
        job = Job(
            id=run.id,
            name=f"{run.name} {'evaluation' if trained else 'cooldown' if branch else 'training'}",
            trunk=run.spec.trunk,
            run=run.spec,
            start=branch,
            stop=steps,
            evals=evals.without(self.known.metrics.get(run.id, {})) if trained else evals,
            folder=f"{self.folder}/runs/{run.id}",
            origin=None,
            checkpoint_every=self.experiment.checkpoint_every,
            workers=run.workers,
        )
        needs = () if trained or branch not in made else (made[branch],)
        return self._planned(job, run, run.id, needs, (run.id,), 0 if trained else steps - branch)

    def _planned(
        self, job: Job, run: PlannedRun, owner: str, needs: tuple[str, ...], runs: tuple[str, ...], steps: int
    ) -> PlannedJob:
        flops, key = training_flops(job.trunk, steps), shape(job.trunk)
        seconds = flops / (self.known.speed(key, run.fit) or run.fit.flops_per_second)
        return PlannedJob(job, run.trunk, owner, needs, runs, flops, seconds, key, run.fit)
