"""The plan of a study against its store; a module of its own, as looking at a plan needs nothing else of a launch."""

from scalectl.orchestrator.experiment.reading import Experiment
from scalectl.orchestrator.plan import planner
from scalectl.orchestrator.plan.plan import Known, Plan
from scalectl.orchestrator.store.known import known


def planned(experiment: Experiment) -> tuple[Plan, Known]:
    """The plan of an experiment and what its store knows; nothing is written."""
    record = known(experiment.store, experiment.artifacts)
    return planner.plan(experiment, record), record
