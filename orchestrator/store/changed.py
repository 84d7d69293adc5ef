"""In what the new runs of a plan differ from those that its study has already: what an edited file changed."""

from collections import defaultdict
from pathlib import Path

from sqlalchemy import select

from scalectl.orchestrator.plan.plan import Plan
from scalectl.orchestrator.store.database import reading
from scalectl.orchestrator.store.rows import Row, of_run
from scalectl.orchestrator.store.tables import TRAINED, members, runs, studies
from scalectl.orchestrator.vocabulary import RunState
from scalectl.trainer import own

MOST = 10_000  # runs of a study, above which nobody waits for them to be compared
MOST_PAIRS = 10 * MOST  # of a new and an earlier run, which take 2 us each
_CELL = ("model", "data_size", "steps", "seed")  # what tells the runs of a file apart, beside swept settings
_CODE = "code"
_FILES = {"content": "the training files", "test_content": "the test files"}  # of which the store has a hash


def changed(store: str | Path, plan: Plan) -> str:
    """The settings in which the new runs differ from those of the same model, data size, steps and seed, with the
    values of both; empty where no new run has such ones, or where they don't all differ in the same settings.
    """
    new = [of_run(run) for run in plan.runs if run.missing and run.state is RunState.PLANNED]
    if not new or not plan.unlisted or len(plan.runs) + plan.unlisted > MOST:
        return ""
    earlier = _earlier(store, plan)
    pairs = [(row, earlier[_cell(row)]) for row in new if _cell(row) in earlier]
    if sum(len(others) for _, others in pairs) > MOST_PAIRS:  # a wide sweep in one cell
        return ""
    apart = [min((_apart(row, other) for other in others), key=len) for row, others in pairs]
    if len({tuple(one) for one in apart}) != 1:
        return ""
    return ", ".join(_told(name, {one[name] for one in apart}) for name in apart[0])


def _earlier(store: str | Path, plan: Plan) -> dict[tuple[object, ...], list[Row]]:
    """The runs that the study has and the plan lacks, by their cell, with models as that study names them."""
    columns = [members.c.model, *(runs.c[name] for name in ("id", *_CELL[1:], *TRAINED))]
    joined = members.join(studies).join(runs, runs.c.number == members.c.run)
    ids, rows = {run.id for run in plan.runs}, defaultdict(list)
    with reading(Path(store)) as connection:
        found = connection.execute(select(*columns).select_from(joined).where(studies.c.name == plan.study))
        for row in map(dict, found.mappings()):
            if row["id"] not in ids:
                rows[_cell(row)].append(row)
    return rows


def _cell(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in _CELL)


def _apart(row: Row, other: Row) -> dict[str, tuple[object, ...]]:
    """The settings that differ, with the value of both; what code of one's own adds by its names, where these don't."""
    apart: dict[str, tuple[object, ...]] = {
        name: (row[name], other[name]) for name in TRAINED if row[name] != other[name]
    }
    mine = [name for name, values in apart.items() if all(map(own.version, map(str, values)))]
    mine = [name for name in mine if own.plain(row[name]) == own.plain(other[name])]
    names = tuple(own.plain(row[name]) for name in mine)
    return {name: values for name, values in apart.items() if name not in mine} | ({_CODE: names} if mine else {})


def _told(name: str, values: set[tuple[object, ...]]) -> str:
    if name == _CODE:
        return f"your code of {', '.join(sorted({str(each) for names in values for each in names}))}"
    if name in _FILES:
        return _FILES[name]
    if len(values) > 1:
        return name
    [(now, before)] = values
    return f"{name} ({now}, before {before})"
