"""Where a run of a store that is not done will end; its learning rate ahead is that of the trainer."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from scalectl.analysis.ending import LOSS, Ending, RatesAhead, ending, last_step, readings_by_run
from scalectl.analysis.store import metrics
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.report.fits import refusals, study_points, training_curves
from scalectl.orchestrator.store.details import Details
from scalectl.orchestrator.store.reading import Store
from scalectl.trainer.optimizer import own_schedule, schedule, settings
from scalectl.trainer.spec import RecipeSpec, spec_fields

_STEPS = 64  # at which the learning rate ahead is read


def predicted_ending(store: Path, word: str, where: str | None, metric: str | None) -> Ending:
    """Where the run that a word names will end: its loss, and a metric, by default that of its study's first law.

    `where` chooses the other runs that it may rest on. Raises NotFound for a word that names no run of the store's own
    or several, and Refusal for a run that is done, has diverged, or has not been trained yet.
    """
    reader = Store(store)
    (run,) = reader.ids([word])
    details = reader.run(run)
    request, points = study_points(store, details.run["study"], metric=metric)
    if run not in request.runs:
        raise Refusal(f"refused: study {request.study} has no run {details.run['name']} any more: it was pruned.")
    if metric is not None and metric not in (LOSS, *metrics(points)):
        raise Refusal(f"refused: unknown metric {metric!r}: the store has {', '.join(metrics(points)) or 'none yet'}.")
    if where is not None:
        _, chosen = study_points(store, details.run["study"], where)
        points = points[(points["run"] == run) | points["run"].isin(chosen["run"])].reset_index(drop=True)
    readings = readings_by_run(training_curves(store, points))
    with refusals():
        step = last_step(points[points["run"] == run].iloc[0], readings)
        return ending(points, readings, run, _rates(details, step), next(iter(request.fits.values())).metric)


def _rates(details: Details, step: int) -> RatesAhead:
    """The learning rates of a run from after a step to its end, its branch and its end among them."""
    run = details.run
    recipe = RecipeSpec(**{setting.name: run[setting.name] for setting in spec_fields(RecipeSpec)})
    numbers = settings(recipe, None)._replace(total=np.int32(run["steps"]))
    if not recipe.needs_horizon:
        numbers = numbers._replace(cooldown=np.int32(run["cooldown"]))
    first = min(step + 1, run["steps"])
    steps = np.linspace(first, run["steps"], _STEPS).astype(int)
    steps = np.unique(np.append(steps, [max(run["branch"], first), run["steps"]]))
    rate = jax.jit(partial(schedule, own_name=own_schedule(recipe)))
    factor = rate(jnp.asarray(steps - 1), numbers)  # a reading has the rate of the update that came before it
    return RatesAhead(steps.astype(np.float64), recipe.lr * np.asarray(factor, np.float64))
