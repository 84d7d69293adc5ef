"""The views of results.db: what people, pandas and SQL read."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Label,
    Select,
    Table,
    Text,
    and_,
    false,
    func,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.sql.selectable import SelectBase

from scalectl.orchestrator.store.tables import (
    COST,
    SETTINGS,
    imported,
    imports,
    measurements,
    metrics,
    progress,
    runs,
    studies,
)
from scalectl.orchestrator.vocabulary import RunState

_TIME = ("device_seconds", "core_days")
_SPEED = ("images_per_second", "flops_per_second", "mfu")
_CURVE = ("step", "loss", "learning_rate", "grad_norm", "images_seen", "flops", "device_seconds", *_SPEED)


VIEWS = ("points", "columns", "curves", "observations")
MAX_COLUMNS = 2000  # of a view in SQLite, unless somebody built another: https://www.sqlite.org/limits.html


def most_metrics() -> int:
    """The metrics that `points` has room for, beside the columns that it always has."""
    return MAX_COLUMNS - len(_points({}).selected_columns)


def create_views(connection: Connection) -> None:
    """Create `points`, its `columns`, `curves` and `observations`, or create them again because a metric is new."""
    for name, sql in _statements(connection).items():
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
        connection.exec_driver_sql(sql)


def views_are_ours(connection: Connection) -> bool:
    """Whether the views are as this version makes them."""
    names = ", ".join(f"'{name}'" for name in VIEWS)
    query = f"SELECT name, sql FROM sqlite_master WHERE name IN ({names})"  # noqa: S608 - names of ours
    return {row.name: row.sql for row in connection.exec_driver_sql(query)} == _statements(connection)


def _statements(connection: Connection) -> dict[str, str]:
    """The SQL that makes each view."""
    names = {row.name: row.id for row in connection.execute(select(metrics).order_by(metrics.c.id))}
    views = (_points(names), _columns(), _curves(), _observations())
    texts = [str(content.compile(connection, compile_kwargs={"literal_binds": True})) for content in views]
    return {name: f"CREATE VIEW {name} AS {text}" for name, text in zip(VIEWS, texts, strict=True)}


def _points(names: Mapping[str, int]) -> SelectBase:
    """One row per run: identity, settings, cost, and each metric at its end point as a column."""
    settings = (*SETTINGS, *_TIME)
    own = select(
        *_own_head(),
        *(runs.c[name] for name in (*settings, *_SPEED)),
        *(_test_images(), runs.c.digest),
        *(_end_value(number, name) for name, number in names.items()),
    ).join_from(runs, studies)
    foreign = select(
        *_imported_head(),
        *(imports.c[name] for name in settings),
        *(null().label(name) for name in _SPEED),
        *(_imported_test_images(), null().label("digest")),
        *(_imported_value(number, name) for name, number in names.items()),
    )
    return union_all(own, foreign)


def _columns() -> SelectBase:
    """The role of each column of `points`: a metric, what the runs of one trunk share, or a run's own."""
    shared = ["origin", *(name for name in SETTINGS if name not in COST)]
    own = [column.name for column in _own_head() if column.name != "origin"]
    own += [*COST, *_TIME, *_SPEED, "test_images", "digest"]
    roles = {**dict.fromkeys(own, "run"), **dict.fromkeys(shared, "trunk")}
    fixed = (select(literal(name, Text).label("name"), literal(role).label("role")) for name, role in roles.items())
    return union_all(*fixed, select(metrics.c.name, literal("metric").label("role")))


def _own_head() -> tuple[Any, ...]:
    # nothing, but of a column, so that the view declares its type
    origin = select(imports.c.origin).where(false()).scalar_subquery().label("origin")
    return runs.c.id.label("run"), runs.c.name, studies.c.name.label("study"), runs.c.state, runs.c.excluded, origin


def _imported_head() -> tuple[Any, ...]:
    state = literal(RunState.DONE.value).label("state")
    return imports.c.id.label("run"), imports.c.name, imports.c.study, state, imports.c.excluded, imports.c.origin


def _end_value(metric: int, name: str) -> Label[float | None]:
    """A metric at the end of a run; a plain column keeps its declared type, so that pandas reads floats."""
    measured = measurements.c
    at_end = and_(measured.run == runs.c.number, measured.metric == metric, measured.step == runs.c.steps)
    return select(measured.value).where(at_end).scalar_subquery().label(name)


def _imported_value(metric: int, name: str) -> Label[float | None]:
    here = and_(imported.c.run == imports.c.number, imported.c.metric == metric)
    return select(imported.c.value).where(here).scalar_subquery().label(name)


def _test_images() -> Label[int | None]:
    """The images that all metrics at the end of a run were measured on; nothing where they differ, or one isn't known.

    The metrics come first, as an index leads from each to its value; a run may have thousands of others on its way.
    """
    measured = measurements.c
    at_end = and_(measured.run == runs.c.number, measured.metric == metrics.c.id, measured.step == runs.c.steps)
    return _shared(measurements, at_end)


def _imported_test_images() -> Label[int | None]:
    return _shared(imported, and_(imported.c.run == imports.c.number, imported.c.metric == metrics.c.id))


def _shared(table: Table, of_run: ColumnElement[bool]) -> Label[int | None]:
    images = table.c.test_images
    alike = and_(func.min(images) == func.max(images), func.count(images) == func.count())
    # an outer join is not turned round; the metrics that a run lacks are a group of their own, which has no images
    query = select(images).join_from(metrics, table, of_run, isouter=True).group_by(table.c.run).having(alike)
    return query.scalar_subquery().label("test_images")


def _curves() -> SelectBase:
    """Each run's trunk rows up to its branch, then those of its cooldown."""
    branch = runs.c.steps - runs.c.cooldown
    shared = and_(progress.c.trunk == runs.c.trunk, progress.c.run == 0, progress.c.step <= branch)
    own = and_(progress.c.trunk == runs.c.trunk, progress.c.run == runs.c.number)
    return union_all(*(_curve().join_from(runs, progress, rows) for rows in (shared, own)))


def _curve() -> Select[tuple[object, ...]]:
    return select(runs.c.id.label("run"), *(progress.c[name] for name in _CURVE))


def _observations() -> SelectBase:
    """One row per reading, with what it is most often drawn against."""
    settings = ("model", "data_size", "steps", "seed", "images_seen", "flops")
    metric = metrics.c.name.label("metric")
    own = select(
        *_own_head(),
        *(runs.c[name] for name in settings),
        *(metric, *(measurements.c[name] for name in ("step", "value", "test_images", "settings"))),
    ).select_from(runs.join(studies).join(measurements, measurements.c.run == runs.c.number).join(metrics))
    foreign = select(
        *_imported_head(),
        *(imports.c[name] for name in settings),
        *(metric, imports.c.steps.label("step"), imported.c.value, imported.c.test_images),
        literal("").label("settings"),
    ).select_from(imports.join(imported, imported.c.run == imports.c.number).join(metrics))
    return union_all(own, foreign)
