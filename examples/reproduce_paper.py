"""Draw Figure 2 of "Scaling Vision Transformers" (arXiv 2106.04560) from a table of its runs.

    uv run python examples/reproduce_paper.py RUNS.csv [FIGURE.png] [METRIC]

RUNS.csv has one run a line, as `scalectl import` takes it: size, data_size, steps, core_days, and errors as fractions.
The law is that of the runs on the largest data set, as in the paper; all runs are drawn.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scalectl import analysis
from scalectl.analysis.checks import Refused
from scalectl.analysis.drawing import legends
from scalectl.analysis.drawing.panels import draw_best, draw_law, draw_runs
from scalectl.analysis.drawing.sheet import PAGE, sheet, write
from scalectl.analysis.drawing.style import TEXT, Marks, axis_of_compute, axis_of_errors, short
from scalectl.analysis.drawing.titles import equation
from scalectl.analysis.fitting import fit
from scalectl.analysis.report import Fitted
from scalectl.analysis.runs import usable
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.store.imported import read
from scalectl.orchestrator.store.records import Records

COMPUTE = "core_days"
FROM, TO = 0.2, 60_000  # core-days that the figure shows


def imported(file: Path) -> pd.DataFrame:
    """Return the runs of a file as the store gives them."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "paper.db"
        with Records(store) as records:
            records.take_in(read(file).runs, file.stem, file.name)
        return analysis.read(store)


def figure(points: pd.DataFrame, law: Fitted) -> Figure:
    """Return the three panels: error against compute, the best run of each model, and of each data size."""
    runs = usable(points, law.metric, COMPUTE)
    marks = Marks.of_runs(runs)
    made = sheet(PAGE, 2.9)
    main, models, data = made.subplots(1, 3, width_ratios=[1.7, 1, 1])
    draw_runs(main, points, law.metric, COMPUTE, marks, law)
    draw_law(main, law, np.geomspace(FROM, TO, 300))
    axis_of_compute(main, FROM, TO)
    main.set_title(f"{equation(law.law)}\n{len(law.frontier)} frontier points", fontsize=TEXT, loc="left")
    draw_best(models, runs, law.metric, "params", marks)
    models.set_xlabel("Model size (parameters)", fontsize=TEXT)
    models.set_title("bottleneck: model size", fontsize=TEXT, loc="left")
    draw_best(data, runs, law.metric, "data_size", marks)
    data.set_xlabel("Distinct training images", fontsize=TEXT)
    data.set_title("bottleneck: data size", fontsize=TEXT, loc="left")
    _level(models, data, runs[law.metric])
    legends.draw_legend(made, legends.dots(marks) | {"": legends.lines(law)})
    return made


def _level(models: Axes, data: Axes, error: pd.Series) -> None:
    """Give both panels the same range of errors, so that they can be compared."""
    for axes in (models, data):
        axis_of_errors(axes, 100 * error.min() / 1.25, 100 * error.max() * 1.1)


def main() -> None:
    """Fit the law and write the figure."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    file, *rest = sys.argv[1:]
    target, metric = Path((rest or ["figure2.png"])[0]), (rest[1:] or ["imagenet_10shot_error"])[0]
    try:
        points = imported(Path(file))
        largest = points["data_size"].max()
        law = fit(points[points["data_size"] == largest], metric, COMPUTE)
    except (Refusal, Refused) as refused:
        sys.exit(str(refused))
    print(f"runs on {short(largest)} images · {law}")
    write(figure(points, law), target)
    print(f"\n{target} written.")


if __name__ == "__main__":
    main()
