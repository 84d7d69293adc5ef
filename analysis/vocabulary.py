"""The words that files, command lines and calls may say: columns of compute, laws, figures; standard library only.

A law is a file in laws/, and a figure a file in figures/: its name is the file's, its purpose the first line there.
"""

import ast
import difflib
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any


@dataclass(frozen=True)
class Axis:
    """A column that a law may be over, with its unit and the label of its axis."""

    name: str
    unit: str
    label: str
    grows: bool = True  # as a run goes on
    cost: bool = True  # of training, which grows with the size of a model as well
    word: str = "compute"  # in a sentence

    def named(self, more: str = "") -> str:
        """The label with `more` words and the unit, unless that says the same."""
        unit = "" if self.label.lower() == self.unit else f" ({self.unit})"
        return f"{self.label}{more}{unit}"


AXES = {
    axis.name: axis
    for axis in (
        Axis("flops", "FLOPs", "Training compute"),
        Axis("device_seconds", "device-seconds", "Training time"),
        Axis("core_days", "core-days", "Training compute"),
        Axis("images_seen", "images seen", "Images seen", cost=False, word="number of images seen"),
        Axis("data_size", "distinct images", "Training set", grows=False, cost=False, word="training set size"),
        Axis("params", "parameters", "Model size", grows=False, cost=False, word="model size"),
    )
}
SAID = {"compute": "flops"}  # words for a column that have another name in tables


FRONTIER, ALL = "frontier", "all"
RUNS = (FRONTIER, ALL)  # that a law is fitted to
SEEDS = ("mean", "each")  # of one cell: averaged, or each a run of its own
CORRELATION = 0.5  # by default, of the sampling noise of two runs, which are tested on the same images
PER = ("model", "data_size")  # columns that part runs into groups with a law each
_NAMED = 10  # runs from which on words that are never the same are taken for names of them


def are_settings(words: Sequence[object]) -> bool:
    """Whether the words that a study has for its runs tell how these were made, and don't name each, as ids do, or say
    when it was made. Numbers do: they are kept as such only where somebody said so.
    """
    if any(isinstance(word, float) for word in words):
        return True
    if all(_MOMENT.match(str(word)) for word in words):
        return False
    return len(words) < _NAMED or len(set(words)) < len(words)


def come_again(groups: Sequence[Collection[float]]) -> bool:
    """Whether the numbers differ within groups and all come again in others, as those of a swept setting do."""
    often = Counter(number for numbers in groups for number in set(numbers))
    return max((len(set(numbers)) for numbers in groups), default=0) > 1 and min(often.values()) > 1


_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d|$)")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ERROR = re.compile(r"error$|(?<![a-z])err(ors?)?(?![a-z])")
_NO_SHARE = re.compile(r"squared|absolute|relative")
_ACCURATE = re.compile(r"(^|[^a-z])(acc|accuracy|top[-_@ ]?[15]|precision@1)([^a-z]|$)", re.IGNORECASE)
_WRONG = re.compile(r"err", re.IGNORECASE)
_FALLING = re.compile(r"err|loss|gap|drop|minus|(^|[^a-z0-9])1 ?- ?", re.IGNORECASE)  # as acc_loss or 1-acc


def is_error(metric: str) -> bool:
    """Whether a metric is a share of test images that were wrong, by its name: it has the word err or error."""
    words = _HUMP.sub("_", metric).lower()
    return bool(_ERROR.search(words)) and not _NO_SHARE.search(words)


def is_in_per_cent(metric: str) -> bool:
    """Whether a metric is shown in per cent: a share of test images, by a name that ends in error."""
    return metric.endswith("error") and is_error(metric)


def is_accuracy(name: str) -> bool:
    """Whether a metric or a column seems to be an accuracy, so that more is better."""
    return bool(_ACCURATE.search(name)) and not _FALLING.search(name)


def is_share(name: str) -> bool:
    """Whether a metric or a column seems to hold accuracies or errors."""
    return bool(_ACCURATE.search(name) or _WRONG.search(name))


class Registry:
    """What the modules of a folder offer under one name, by the names of their files, and what was added to it."""

    def __init__(self, kind: str, folder: str, attribute: str) -> None:
        self._kind, self._folder, self._attribute = kind, folder, attribute
        self._path = Path(__file__).with_name(folder)
        self._purposes: dict[str, str | None] = {
            module.name.replace("_", "-"): None for module in iter_modules([str(self._path)])
        }
        self._added: dict[str, Any] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._purposes)

    def __contains__(self, name: object) -> bool:
        return name in self._purposes

    def __getitem__(self, name: str) -> Any:
        """The thing of that name, whose module is imported now; raises KeyError, which lists all names."""
        if not isinstance(name, str):
            raise KeyError(f"unknown {self._kind} {name!r}: give one of {', '.join(self)}.")
        if name in self._added:
            return self._added[name]
        if name not in self._purposes:
            near = difflib.get_close_matches(str(name), self._purposes, n=1)
            guess = f" did you mean {near[0]!r}?" if near else ""
            mine = "the file that adds your own is named by --code, or loaded by scalectl.extend.load"
            raise KeyError(f"unknown {self._kind} {name!r}:{guess} give one of {', '.join(self)}; {mine}.")
        return getattr(import_module(f"{__package__}.{self._folder}.{_module(name)}"), self._attribute)

    def purpose(self, name: str) -> str:
        """What it is for, read from the head of its file without running it."""
        purpose = self._purposes[name]
        if purpose is None:
            text = (self._path / f"{_module(name)}.py").read_text(encoding="utf-8")
            purpose = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
            self._purposes[name] = purpose
        return purpose

    def add(self, name: str, thing: Any, purpose: str) -> None:
        """Offer a thing under a name of its own; raises ValueError for a name that is taken."""
        if name in self:
            raise ValueError(f"there is a {self._kind} {name!r} already.")
        self._purposes[name], self._added[name] = purpose, thing

    def remove(self, name: str) -> None:
        """Take back what was added under a name; raises KeyError for any other."""
        del self._added[name], self._purposes[name]


def _module(name: str) -> str:
    return name.replace("-", "_")


MINIMA = 3  # of IsoFLOP budgets that an exponent needs
NEAREST, ACROSS = 5, 4.0  # sizes that a minimum is found from at least, and the factor that they span
TOGETHER = 1.25  # runs up to this many times the compute of the cheapest one have one budget

LAWS = Registry("law", "laws", "LAW")  # of analysis.law.Family
FIGURES = Registry("figure", "figures", "FIGURE")  # of analysis.drawing.plot.Plot
