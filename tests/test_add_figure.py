"""A figure is one file, or one entry from outside: its function, its data, and its options on the command line."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner
from runs import METRIC, laptop

from scalectl import analysis
from scalectl.analysis.drawing.plot import Drawing, Option, Plot
from scalectl.analysis.drawing.sheet import COLUMN, sheet
from scalectl.analysis.runs import usable
from scalectl.analysis.vocabulary import FIGURES


def errors(subject, *, bins=None):
    """How often each error occurs."""
    runs = usable(subject.points, subject.metric, subject.x)
    figure = sheet(COLUMN, 2.0)
    counts, *_ = figure.subplots().hist(runs[subject.metric], bins=int(bins or 5))
    return Drawing(figure, {"counts": counts.tolist()})


@pytest.fixture(scope="module", autouse=True)
def toy():
    FIGURES.add("errors", Plot(errors, (Option("bins", "How many bars.", "N"),)), "Draw how often each error occurs.")
    yield
    FIGURES.remove("errors")


def test_it_is_drawn_by_its_name_with_its_data_beside_it(tmp_path):
    drawing = analysis.plot(laptop(), "errors", METRIC, draws=0, bins=3)
    drawing.save(tmp_path / "errors.png")
    document = json.loads((tmp_path / "errors.json").read_text())
    assert document["figure"] == "errors" and document["metric"] == METRIC and len(document["counts"]) == 3
    assert (tmp_path / "errors.png").read_bytes().startswith(b"\x89PNG")


def test_it_is_a_command_with_its_purpose_and_options():
    from scalectl.orchestrator.cli.plot import plot

    assert "errors" in CliRunner().invoke(plot, ["--help"]).output.split()
    screen = CliRunner().invoke(plot, ["errors", "--help"]).output
    assert "Draw how often each error occurs." in screen and "--bins N" in screen and "--metric" in screen


def test_an_unknown_figure_is_refused_with_those_there_are():
    with pytest.raises(analysis.Refused, match="unknown figure 'fronteer': did you mean 'frontier'"):
        analysis.plot(laptop(), "fronteer", draws=0)


def test_the_purposes_of_all_figures_are_shown_without_loading_matplotlib():
    code = (
        "import sys\nfrom orchestrator.cli.main import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted({'numpy', 'pandas', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, "plot", "--help"], capture_output=True, text=True, check=True)
    for name in ("frontier", "decay-map", "residuals"):
        assert name in done.stdout
    assert "Draw every run" in done.stdout and done.stdout.splitlines()[-1] == "[]"
