"""New names of models for the runs of a study that its file lacks: a shape has one name in a study, the newest."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, and_, func, select, update

from scalectl.orchestrator.plan.plan import PlannedRun
from scalectl.orchestrator.store.columns import spec_columns
from scalectl.orchestrator.store.tables import members, runs
from scalectl.trainer.spec import ModelSpec


def rename_models(connection: Connection, study: int, planned: Iterable[PlannedRun]) -> None:
    """Name the models of all runs of a study as the planned ones do, by their shape.

    Else seeds of one cell, one in the file and one not, would count as two models; and where names changed places, two
    models as one.
    """
    settings = [*spec_columns(ModelSpec)]
    named = {tuple(getattr(run.spec.trunk.model, setting) for setting in settings): run.model for run in planned}
    of_study = select(members.c.model, *(runs.c[setting] for setting in settings)).join_from(members, runs)
    for old, *shape in connection.execute(of_study.where(members.c.study == study).distinct()).all():
        name = named.get(tuple(shape), old)
        if name != old:
            alike = and_(*(runs.c[setting] == value for setting, value in zip(settings, shape, strict=True)))
            _rename(connection, study, alike, name)


def _rename(connection: Connection, study: int, alike: ColumnElement[bool], name: str) -> None:
    """Name the model of the study's runs that are alike, also in their own names."""
    others = select(members.c.run).join_from(members, runs).where(alike, members.c.study == study)
    others = others.where(members.c.model != name)
    rest = func.substr(runs.c.name, func.length(runs.c.model) + 1)
    ours = update(runs).where(runs.c.study == study, runs.c.number.in_(others))
    connection.execute(ours.values(name=name + rest, model=name))
    there = update(members).where(members.c.study == study, members.c.run.in_(others))
    connection.execute(there.values(model=name))
