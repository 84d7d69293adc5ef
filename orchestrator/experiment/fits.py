"""The section `fits` of experiments.yaml; a module of its own, as it is all that reading a store needs of a file."""

from typing import TYPE_CHECKING, Literal, TypeAlias

from scalectl.analysis.vocabulary import AXES, LAWS
from scalectl.orchestrator.experiment.rules import Rule, Section, key
from scalectl.orchestrator.experiment.values import Name

if TYPE_CHECKING:
    Compute: TypeAlias = str
    LawName: TypeAlias = str
else:
    Compute, LawName = Literal[tuple(AXES)], Literal[tuple(LAWS)]


class Fit(Section):
    """A law to fit to the points."""

    metric: Name = key("Metric on the y axis, such as upstream/error or fewshot/digits/10shot/error.")
    compute: Compute = key("Compute on the x axis, or the images seen or the size of the training set.", "flops")
    law: LawName | None = key("Family that alone predicts, one of docs/laws.md. Without it laws are averaged.", None)
    seeds: Literal["mean", "each"] = key("Seeds of one cell: averaged first, or runs of their own.", "mean")
    hold_out: Rule = key("Runs left out of the fit and predicted by it.", Rule())
