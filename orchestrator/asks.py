"""What a study asks of the analysis: which runs are its own, the laws to fit to them, and the runs held out of each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select

from orchestrator.exits import Exit, NotFound, Refusal
from orchestrator.located import load
from orchestrator.problem import did_you_mean
from orchestrator.schema import SETTINGS, Fit, Rule
from orchestrator.store import reading
from orchestrator.tables import runs, studies
from orchestrator.wording import findings

DEFAULT = {"upstream": Fit(metric="upstream/error")}  # of a study that asks for none
_CONDITION = re.compile(r" *([a-z_]+) *(>=|<=|>|<|={1,2}) *(.+?) *")


class InvalidCondition(Refusal):
    """A --hold-out that isn't one."""

    exit = Exit.INVALID


@dataclass(frozen=True)
class Ask:
    """The ids of the runs that a study lists, and the laws that it wants of them."""

    study: str
    runs: frozenset[str]
    fits: Mapping[str, Fit]

    def changed(self, metric: str | None, compute: str | None, hold_out: str | None) -> "Ask":
        """Return the ask with what the command line says in place of the file's words; equal laws come once."""
        said = {"metric": metric, "compute": compute, "hold_out": hold_out and condition(hold_out)}
        new = {name: value for name, value in said.items() if value is not None}
        fits: dict[str, Fit] = {}
        for name, asked in self.fits.items():
            if (fit := asked.model_copy(update=new)) not in fits.values():
                fits[name] = fit
        return Ask(self.study, self.runs, fits)


def ask(store: Path, study: str | None = None) -> Ask:
    """Return what a study of the store asks, the one planned last unless told; raises NotFound where there is none."""
    with reading(store) as connection:
        known = connection.execute(select(studies).order_by(studies.c.planned.desc(), studies.c.number.desc())).all()
        found = next((row for row in known if study in (None, row.name)), None)
        if found is None:
            names = ", ".join(row.name for row in known) or "none yet"
            raise NotFound(f"{store} has no study{f' {study!r}' if study else ''}; it has {names}.")
        listed = select(runs.c.id).where(runs.c.study == found.number, runs.c.listed)
        return Ask(found.name, frozenset(connection.scalars(listed)), _fits(found.document))


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


def condition(text: str) -> Rule:
    """Return the rule of a text such as "model=mini" or "model=mini, data_size>350"; raises InvalidCondition."""
    found: dict[str, Any] = {}
    for part in text.split(","):
        match = _CONDITION.fullmatch(part)
        if match is None:
            raise InvalidCondition(f"--hold-out {text}: write for example model=mini or data_size>350")
        name, sign, value = match.groups()
        if name not in SETTINGS:
            hint = did_you_mean(name, SETTINGS) or f"the settings are {', '.join(SETTINGS)}"
            raise InvalidCondition(f"--hold-out {text}: unknown setting {name!r}: {hint}")
        if name == "model" and "=" not in sign:
            raise InvalidCondition(f"--hold-out {text}: a model is equal or not: write model={value}")
        if name in found:
            raise InvalidCondition(f"--hold-out {text}: {name} comes twice; conditions hold together")
        found[name] = value if name == "model" else sign + value
    try:
        return Rule.model_validate(found)
    except ValidationError as error:
        first = next(findings(error))
        raise InvalidCondition(f"--hold-out {text}: {first.what}; {first.hint}".rstrip("; ")) from None
