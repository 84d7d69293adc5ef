"""A store in Python and in notebooks: its tables, its laws and figures, and launches that fill it."""

import json
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalectl import screens
from scalectl.analysis import Refused
from scalectl.analysis.notebook import preformatted
from scalectl.analysis.vocabulary import SAID
from scalectl.launched import Launched, carry_out
from scalectl.screens import Screen, refusals

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from scalectl.analysis.report import Fitted
    from scalectl.orchestrator.experiment.fits import Fit


_TEXTS = ("name", "artifacts")  # keys of a file that hold text alone, also such as 2024


def open(store: str | PathLike[str] = "results.db") -> "Results":
    """A store to read, to plot and to launch into; a launch makes it where it isn't there yet."""
    return Results(store)


class Results:
    """A store. Its tables are read anew each time, so that they follow a launch; all that reads raises Refused for a
    store that is not there or can't be read."""

    def __init__(self, store: str | PathLike[str]) -> None:
        self.path = Path(store).expanduser()

    @property
    def points(self) -> "DataFrame":
        """A row for each run with its settings, costs and metrics: the view `points`."""
        from scalectl.analysis import read

        return read(self.path)

    @property
    def curves(self) -> "DataFrame":
        """The training curves: the view `curves`, `run` as a category."""
        from scalectl.analysis import curves

        return curves(self.path)

    @property
    def measurements(self) -> "DataFrame":
        """A row for each reading of a metric, `run` and `metric` as categories."""
        from scalectl.analysis import measurements

        return measurements(self.path)

    def add(
        self,
        runs: "DataFrame | Sequence[Mapping[str, Any]]",
        study: str,
        *,
        settings: Sequence[str] = (),
        test_images: int | None = None,
    ) -> "DataFrame":
        """Write runs that another program trained, one a row, and return all points of their study.

        Columns and cells mean what they mean to `scalectl import`; `settings` names columns of numbers that are no
        metrics, and `test_images` is how many images the metrics were measured on. The same runs again are replaced.
        What was understood is said on stderr. Raises Refused, with all that is wrong; nothing is written then.
        """
        from pandas import DataFrame

        from scalectl.orchestrator.store.headers import Wishes
        from scalectl.orchestrator.store.imported import read
        from scalectl.orchestrator.store.records import Records

        with refusals(), tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "runs.csv"
            DataFrame(runs).to_csv(file, index=False)
            table = read(file, Wishes(test_images=test_images, settings=tuple(settings), strict=True))
            with Records(self.path, launches=False) as records:
                records.take_in(table.runs, study, "Python")
        for note in table.notes:
            sys.stderr.write(f"{note}\n")
        points = self.points
        return points[points["study"] == study].reset_index(drop=True)

    def status(self) -> Screen:
        """How far the studies are, and what each run waits for."""
        return screens.status(self.path)

    def fit(
        self,
        metric: str | None = None,
        x: str | None = None,
        *,
        over: str | None = None,
        runs: str | None = None,
        law: str | None = None,
        seeds: str | None = None,
        correlation: float | None = None,
        where: str | None = None,
        hold_out: str | None = None,
        study: str | None = None,
    ) -> "Fitted":
        """The law of a study, by default of the one planned last, as its file asks for it; of several laws the first.

        `metric`, `x` or `over`, `runs`, `law`, `seeds` and `correlation` stand in place of the file's words. `where`
        chooses the runs and `hold_out` those to predict, both as on the command line: "model == 'mini'". Raises
        Refused, with the reason, where the runs can't carry the law.
        """
        from scalectl.analysis import fit

        with refusals():
            manner = _given(compute=over or x, runs=runs, law=law, seeds=seeds, correlation=correlation)
            wanted, points, held = self._asked(study, where, hold_out, metric, manner)
        return fit(points, wanted.metric, wanted.compute, hold_out=held, **wanted.manner)

    def plot(
        self,
        figure: str = "frontier",
        metric: str | None = None,
        x: str | None = None,
        *,
        over: str | None = None,
        runs: str | None = None,
        law: str | None = None,
        seeds: str | None = None,
        correlation: float | None = None,
        where: str | None = None,
        hold_out: str | None = None,
        study: str | None = None,
        **options: Any,
    ) -> "Figure":
        """The figure of that name of a study, which a notebook shows; `options` are the figure's own, and its looks.

        The other words are those of `fit`; a figure of training curves has a column of theirs as its `metric`. Raises
        Refused for a figure that there isn't, and where the runs can't carry it.
        """
        from scalectl.analysis.plotting import kind, plot
        from scalectl.orchestrator.report.fits import training_curves

        curve, curves, is_of_curves = metric or "loss", None, kind(figure).curves
        if is_of_curves:
            metric = None
        with refusals():
            manner = _given(compute=over or x, runs=runs, law=law, seeds=seeds, correlation=correlation)
            wanted, points, held = self._asked(study, where, hold_out, metric, manner)
            if is_of_curves:
                curves = training_curves(self.path, points, curve, wanted.compute)
        options |= {**wanted.manner, "hold_out": held, "curves": curves, "curve": curve}
        return plot(points, figure, wanted.metric, wanted.compute, **options).figure

    def _asked(
        self,
        study: str | None,
        where: str | None,
        hold_out: str | None,
        metric: str | None,
        manner: Mapping[str, Any],
    ) -> "tuple[Fit, DataFrame, Collection[str]]":
        """The fit of a study that has this metric, or else its first one with it, the runs, and those to hold out."""
        from scalectl.orchestrator.report.fits import held_out_runs, study_points

        request, points = study_points(self.path, study, where, **manner)
        fits = [fit for fit in request.fits.values() if metric in (None, fit.metric)]
        if not fits:
            fits = [*request.changed(metric=metric).fits.values()]
        return fits[0], points, held_out_runs(points, fits[0], hold_out)

    def plan(
        self, file: str | PathLike[str] = "experiments.yaml", *, changes: Mapping[str, Any] | None = None
    ) -> Screen:
        """The runs of a file with this store, their cost, and why each will run; nothing is started.

        `changes` are keys of the file with other values, such as {"train.batch_size": 128}. Raises Refused for an
        invalid file, with every error.
        """
        return screens.planned(file, self._into_here(file, changes or {}))

    def launch(
        self,
        file: str | PathLike[str] = "experiments.yaml",
        *,
        changes: Mapping[str, Any] | None = None,
        slots: int | str | None = None,
        max_device_hours: float | None = None,
        address: str | None = None,
        here: bool = False,
        yes: bool = False,
    ) -> Launched:
        """Run what is missing of a file into this store, in a process of its own, with its progress shown below.

        The words are the options of `scalectl launch`: without `yes` a launch that is large by `limits` is refused.
        To interrupt the cell, or Ctrl-C, stops the launch at a checkpoint; a second time ends it at once. Raises
        LaunchFailed, which is a Refused, with what the launch said where it ended with any other code than 0.
        """
        options = {"slots": slots, "max-device-hours": max_device_hours, "address": address}
        words = [f"--{name}={value}" for name, value in options.items() if value is not None]
        words += [f"--{name}" for name, is_given in {"here": here, "yes": yes}.items() if is_given]
        words += [f"--set={change}" for change in self._into_here(file, changes or {})]
        text = carry_out([*words, "--", str(file)])
        return Launched(text, self.points)

    def _into_here(self, file: str | PathLike[str], changes: Mapping[str, Any]) -> tuple[str, ...]:
        """The words behind --set that have the runs of a file in this store, where its own is another one."""
        from scalectl.orchestrator.experiment.checking import in_folder_of
        from scalectl.orchestrator.experiment.document import read_document

        if not isinstance(changes, Mapping):
            raise Refused(f"changes = {changes!r}: give values by their keys, such as {{'train.batch_size': 128}}.")
        if "store" in changes:
            raise Refused(f"store: the runs go to {self.path}, which is open; open the other store instead.")
        words = tuple(f"{key}={_typed(key, value)}" for key, value in changes.items())
        with refusals():
            document = read_document(Path(file)).value
        own = "results.db"
        if isinstance(document, dict):
            own = str(document.get("store", own))
        if in_folder_of(Path(file), own).resolve() == self.path.resolve():
            return words
        return (*words, f"store={_literal(str(self.path.absolute()))}")

    def __repr__(self) -> str:
        return f"scalectl.open({str(self.path)!r})"

    def _repr_html_(self) -> str:
        if not self.path.is_file():
            return preformatted(f"{self!r}: there is no store here yet; a launch makes it.")
        return self.status()._repr_html_()


def _given(compute: str | None, **manner: Any) -> dict[str, Any]:
    """The words for a fit by the keys of a study's file."""
    return {"compute": SAID.get(str(compute or ""), compute), **manner}


def _typed(key: str, value: object) -> str:
    """A value as it stands behind --set: text as it is, but for names and paths that YAML would read as another value;
    all else as JSON, which is YAML, too.
    """
    if isinstance(value, PathLike) or (isinstance(value, str) and key in _TEXTS):
        return _literal(str(value))
    if isinstance(value, str):
        return value
    return json.dumps(value, default=_plain)


def _literal(text: str) -> str:
    """A text that YAML reads as this text: in quotation marks where it needs some and has none."""
    from scalectl.orchestrator.errors import Refusal
    from scalectl.orchestrator.experiment.yaml_text import load

    try:
        value = load(text, text).value
    except Refusal:
        value = None
    if value == text or (isinstance(value, str) and text.startswith(("'", '"'))):
        return text
    return json.dumps(text)


def _plain(value: Any) -> Any:
    """What JSON has for a path, and for a number or an array of NumPy; raises Refused for anything else."""
    if isinstance(value, PathLike):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise Refused(f"{value!r} is no value of a file: give text, numbers, lists or mappings of them.")
