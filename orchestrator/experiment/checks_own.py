"""Rules for an optimizer and a schedule of one's own, which have to work before anything is trained with them."""

from collections.abc import Iterator

from scalectl.orchestrator.errors import Finding
from scalectl.orchestrator.experiment.schema import Train
from scalectl.trainer import own


def own_recipe_works(train: Train) -> Iterator[Finding]:
    """Yield the optimizer and the schedule of one's own that can't be traced, or give something else."""
    named = {"optimizer": train.optimizer.name, "schedule": train.schedule.name}
    mine = {kind: name for kind, name in named.items() if own.version(name)}
    if not mine:
        return
    from scalectl.trainer.own_recipe import check_optimizer, check_schedule  # which import JAX

    checks = {"optimizer": check_optimizer, "schedule": check_schedule}
    for kind, name in mine.items():
        try:
            checks[kind](name)
        except ValueError as error:
            yield Finding(("train", kind, "name"), str(error))
