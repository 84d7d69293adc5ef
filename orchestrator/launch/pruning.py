"""A study cut down to the runs of its file: what would go, and its removal while no launch works."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.experiment.reading import Experiment
from scalectl.orchestrator.plan import planner
from scalectl.orchestrator.store import artifacts
from scalectl.orchestrator.store.database import reading
from scalectl.orchestrator.store.lock import holding, working_in
from scalectl.orchestrator.store.pruning import Pruning, pruning
from scalectl.orchestrator.store.records import Records


def surplus(experiment: Experiment) -> Pruning:
    """What the study of a file has that the file doesn't, and the checkpoints that nobody needs; nothing is written.

    Raises NotFound without a store, or where that has no such study.
    """
    kept = {run.id for run in planner.plan(experiment).runs}
    with reading(Path(experiment.store)) as connection:
        return pruning(connection, experiment.name, kept, experiment.artifacts)


def prune(experiment: Experiment, agree: Callable[[Pruning], bool]) -> tuple[Pruning, list[str]]:
    """Take out what `agree` agrees to, and return that with a line for each checkpoint that couldn't be removed.

    The store and its artifacts are held from before the question to the end. Raises Locked while a launch works with
    either, Refusal where the answer is no, and what `surplus` raises.
    """
    store = Path(experiment.store)
    with ExitStack() as held:
        surplus(experiment)  # where there is no store, nothing is held or made
        lock = held.enter_context(holding(store, launches=False))
        if Path(experiment.artifacts).is_dir():
            held.enter_context(working_in(experiment.artifacts))
        found = surplus(experiment)
        if not found:
            return found, []
        if not agree(found):
            raise Refusal("Nothing was removed.")
        with Records(store, lock) as records:
            records.prune_runs(found)
            removed, kept = [], []
            for checkpoint in found.checkpoints:
                try:
                    artifacts.remove(checkpoint.path)
                    removed.append(checkpoint.path)
                except OSError as error:
                    kept.append(f"{error.filename or checkpoint.path}: {error.strerror or error}")
            records.prune_checkpoints(found, removed)
    return found, kept
