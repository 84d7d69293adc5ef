"""The section `fits` of experiments.yaml; a module of its own, as it is all that reading a store needs of a file."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import WrapValidator

from scalectl.analysis.vocabulary import AXES, CORRELATION, FRONTIER, LAWS, RUNS, SEEDS
from scalectl.orchestrator.experiment.rules import Rule, Section, key
from scalectl.orchestrator.experiment.values import Added, Correlation, Name

if TYPE_CHECKING:
    Compute: TypeAlias = str
    LawName: TypeAlias = str
    RunsOfLaw: TypeAlias = str
    Seeds: TypeAlias = str
else:
    Compute, LawName, RunsOfLaw, Seeds = (Literal[tuple(words)] for words in (AXES, LAWS, RUNS, SEEDS))

_ADDED = Added(tuple(LAWS), lambda: {law: law for law in LAWS})


class Fit(Section):
    """A law to fit to the points."""

    metric: Name = key("Metric on the y axis, such as upstream/error or fewshot/digits/10shot/error.")
    compute: Compute = key("Compute on the x axis, or images seen, the size of the training set or params.", "flops")
    runs: RunsOfLaw = key("Runs that the law is fitted to: the frontier, or all.", FRONTIER)
    law: Annotated[LawName, WrapValidator(_ADDED), _ADDED] | None = key(
        "Family that alone predicts, one of docs/laws.md. Without it laws are averaged.", None
    )
    seeds: Seeds = key("Seeds of one cell: averaged first, or runs of their own.", SEEDS[0])
    correlation: Correlation = key(
        "Share of the noise of the test images that all runs have in common, 0 to 1.", CORRELATION
    )
    hold_out: Rule = key("Runs left out of the fit and predicted by it.", Rule())

    @property
    def manner(self) -> dict[str, Any]:
        """How the law is fitted, as options of `analysis.fit`."""
        return {"law": self.law, "runs": self.runs, "seeds": self.seeds, "correlation": self.correlation}
