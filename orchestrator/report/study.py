"""What a study asks of the analysis: its runs, the laws to fit to them, and the runs held out of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scalectl.orchestrator.experiment.fits import Fit
from scalectl.orchestrator.experiment.rules import Rule
from scalectl.orchestrator.metrics import MAIN, main_metric
from scalectl.orchestrator.store.reading import Store

DEFAULT = {"upstream": Fit(metric=MAIN)}  # of a study that asks for none


@dataclass(frozen=True)
class Ask:
    """The runs that a study lists by their ids, with its names of their models, its names of them, and the laws that it
    wants of them.
    """

    study: str
    runs: Mapping[str, str]
    names: Mapping[str, str]
    fits: Mapping[str, Fit]

    def on(self, metrics: Sequence[str]) -> "Ask":
        """The ask of a study that has these metrics: where it asks for no law, the default one is of the main one."""
        if self.fits is not DEFAULT or not metrics:
            return self
        metric = {"metric": main_metric(metrics)}
        return replace(self, fits={name: fit.model_copy(update=metric) for name, fit in DEFAULT.items()})

    def changed(self, **said: str | float | None) -> "Ask":
        """The ask with what the command line says in place of the file's words; equal laws come once."""
        new = {name: value for name, value in said.items() if value is not None}
        fits: dict[str, Fit] = {}
        for name, stored in self.fits.items():
            if (fit := stored.model_copy(update=new)) not in fits.values():
                fits[name] = fit
        return replace(self, fits=fits)


def ask(store: Path, study: str | None = None) -> Ask:
    """What a study of the store asks; without a name the one planned last, or else the one imported last.

    Raises NotFound where there is none.
    """
    chosen = Store(store).study(study)
    return Ask(chosen.name, chosen.runs, chosen.names, chosen.fits or DEFAULT)


def held_out(points: Any, rule: Rule) -> list[str]:
    """The ids of the runs of a table that a rule holds out; a rule without conditions holds out none."""
    names = rule.conditions()
    if not names:
        return []
    rows = points[["run", *names]].to_dict("records")
    return [row["run"] for row in rows if rule.holds(row)]
