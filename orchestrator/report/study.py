"""What a study asks of the analysis: which runs are its own, the laws to fit to them, and the runs held out of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, func, inspect, select

from scalectl.orchestrator.errors import NotFound
from scalectl.orchestrator.experiment.document import load
from scalectl.orchestrator.experiment.rules import SETTINGS, Rule
from scalectl.orchestrator.experiment.schema import Fit
from scalectl.orchestrator.store.database import reading
from scalectl.orchestrator.store.tables import imports, runs, studies

DEFAULT = {"upstream": Fit(metric="upstream/error")}  # of a study that asks for none


@dataclass(frozen=True)
class Ask:
    """The ids of the runs that a study lists, and the laws that it wants of them."""

    study: str
    runs: frozenset[str]
    fits: Mapping[str, Fit]

    def changed(self, **said: str | None) -> "Ask":
        """Return the ask with what the command line says in place of the file's words; equal laws come once."""
        new = {name: value for name, value in said.items() if value is not None}
        fits: dict[str, Fit] = {}
        for name, asked in self.fits.items():
            if (fit := asked.model_copy(update=new)) not in fits.values():
                fits[name] = fit
        return Ask(self.study, self.runs, fits)


def ask(store: Path, study: str | None = None) -> Ask:
    """Return what a study of the store asks, the one planned last unless told, or else the one imported last.

    Raises NotFound where there is none.
    """
    with reading(store) as connection:
        planned = connection.execute(select(studies).order_by(studies.c.planned.desc(), studies.c.number.desc())).all()
        for row in planned:
            if study in (None, row.name):
                listed = select(runs.c.id).where(runs.c.study == row.number, runs.c.listed)
                return Ask(row.name, frozenset(connection.scalars(listed)), _fits(row.document))
        others = _imported(connection)
        if not others or study not in (None, *others):
            names = ", ".join(dict.fromkeys([*(row.name for row in planned), *others])) or "none yet"
            raise NotFound(f"{store} has no study{f' {study!r}' if study else ''}; it has {names}.")
        name = study or others[0]
        return Ask(name, frozenset(connection.scalars(select(imports.c.id).where(imports.c.study == name))), DEFAULT)


def _imported(connection: Connection) -> list[str]:
    """Return the studies that were imported, the last one first; an older store knows none."""
    if not inspect(connection).has_table(imports.name):
        return []
    latest = func.max(imports.c.at).desc()
    return list(connection.scalars(select(imports.c.study).group_by(imports.c.study).order_by(latest)))


def _fits(document: str) -> Mapping[str, Fit]:
    """Return the laws of a file that was valid when its study was launched, perhaps together with overrides."""
    value = load(document, "").value
    try:
        return TypeAdapter(dict[str, Fit]).validate_python(value.get("fits") or {}) or DEFAULT
    except ValidationError:
        return DEFAULT


def held_out(points: Any, rule: Rule) -> list[str]:
    """Return the ids of the runs of a table that a rule holds out; a rule without conditions holds out none."""
    if not rule.conditions():
        return []
    rows = points[["run", *SETTINGS]].to_dict("records")
    return [row["run"] for row in rows if rule.holds(row)]
