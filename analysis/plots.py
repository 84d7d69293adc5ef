"""The frontier figure: every run, the law, and what model size and data size allow; saved with the data it shows."""

import json
import textwrap
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analysis.fitted import Fitted
from analysis.frontier import UNITS, frontier, usable
from analysis.laws import NESTED, Law
from analysis.marks import TEXT, Marks
from analysis.panels import draw_best, draw_law, draw_legend, draw_runs, reach
from analysis.refusal import Refused

SUFFIXES = (".png", ".pdf", ".svg")
_SIZE = (11.0, 6.4)  # inches
_DOTS = 150  # per inch


def frontier_figure(
    points: pd.DataFrame, metric: str, compute: str, fit: Fitted | None = None, note: str = ""
) -> Figure:
    """Return the figure of all measured runs with their law or, where there is none, with the note that says why.

    Raises Refused when no run is done and measured.
    """
    runs = usable(points, metric, compute)
    marks = Marks.of(runs)
    figure = Figure(figsize=_SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(3, 2, width_ratios=[2.1, 1], height_ratios=[1, 1, 0.42])
    main, models, data = (figure.add_subplot(place) for place in (grid[:2, 0], grid[0, 1], grid[1, 1]))
    draw_runs(main, runs, metric, compute, marks, fit)
    if fit:
        draw_law(main, fit, reach(runs, compute))
    main.set_title(_title(fit, len(runs), note), fontsize=TEXT, loc="left", linespacing=1.5)
    draw_best(models, runs, metric, "params", marks)
    models.set_xlabel("Model size (parameters)", fontsize=TEXT)
    models.set_title("best run of each size", fontsize=TEXT, loc="left")
    draw_best(data, runs, metric, "data_size", marks)
    data.set_xlabel("Distinct training images", fontsize=TEXT)
    draw_legend(figure.add_subplot(grid[2, :]), marks, fit)
    return figure


def save(
    points: pd.DataFrame, metric: str, compute: str, path: Path, fit: Fitted | None = None, note: str = ""
) -> None:
    """Write the frontier figure in the format of the suffix, and beside it the data that it shows as JSON.

    Raises Refused when no run is done and measured, and for a suffix that is not one of SUFFIXES.
    """
    if path.suffix not in SUFFIXES:
        raise Refused(f"{path}: figures are {', '.join(SUFFIXES)}.")
    figure = frontier_figure(points, metric, compute, fit, note)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=_DOTS)
    document = json.dumps(drawn(points, metric, compute, fit, note), indent=1, allow_nan=False)
    path.with_suffix(".json").write_text(document + "\n")


def drawn(points: pd.DataFrame, metric: str, compute: str, fit: Fitted | None = None, note: str = "") -> dict[str, Any]:
    """Return what `frontier_figure` shows as a JSON object: runs, frontier, law and band."""
    runs = usable(points, metric, compute)
    front = frontier(runs, metric, compute) if fit is None else fit.frontier
    found = runs[["run", "name", "model", "params", "data_size", compute, metric]].assign(
        on_frontier=runs["run"].isin(front["run"])
    )
    document: dict[str, Any] = {"metric": metric, "compute": compute, "unit": UNITS[compute], "note": note}
    document |= {"runs": json.loads(found.to_json(orient="records")), "fit": None, "curve": None}
    if fit:
        across = reach(runs, compute)
        low, high = fit.band(across)
        curve = {"compute": across, metric: fit.law(across), "low": low, "high": high}
        document |= {"fit": fit.to_json(), "curve": {name: list(map(float, xs)) for name, xs in curve.items()}}
    return document


def _title(fit: Fitted | None, runs: int, note: str) -> str:
    if fit is None:
        return "\n".join(textwrap.wrap(note, 92)) or f"{runs} runs"
    return f"{_equation(fit.law)}    {len(fit.frontier)} frontier points of {runs} runs"


def _equation(law: Law) -> str:
    """Return the law with its numbers, in TeX for the nested laws."""
    if law.family not in NESTED:
        return str(law)
    params = law.params()
    shift = rf"(C + {_number(params['offset'])})" if params.get("offset") else "C"
    floor = f" + {_number(law.floor)}" if law.floor else ""
    return rf"$E = {_number(params['scale'])}\,{shift}^{{-{params['exponent']:.2g}}}{floor}$"


def _number(number: float) -> str:
    """Return a number in TeX with two or three digits."""
    digits, _, power = f"{number:.3g}".partition("e")
    return rf"{digits}\times 10^{{{int(power)}}}" if power else digits
