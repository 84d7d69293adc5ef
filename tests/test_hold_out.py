"""Runs that are held out: however a caller lists them, and what is said where none is left."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from runs import METRIC, laptop

import scalectl
from scalectl.analysis.checks import Refused
from scalectl.orchestrator.cli.main import scalectl as verbs


@pytest.mark.parametrize(
    "held", [list, tuple, set, np.array, pd.Series, pd.Index, lambda ids: dict.fromkeys(ids).keys()]
)
@pytest.mark.parametrize("draws", [0, 20])
def test_ids_of_runs_may_come_in_whatever_holds_them(held, draws):
    """A column of the table itself ended in NumPy's ValueError."""
    points = laptop()
    chosen = points["run"][points["model"] == "mini"].tolist()
    fitted = scalectl.fit(points, METRIC, hold_out=held(chosen), draws=draws)
    same = scalectl.fit(points, METRIC, hold_out=chosen, draws=draws)
    assert [run.run for run in fitted.held_out] == [run.run for run in same.held_out] and fitted.law == same.law
    assert fitted.counts.held_out == len(chosen)
    whole = scalectl.fit(points, METRIC, draws=draws)
    assert scalectl.fit(points, METRIC, hold_out=held([]), draws=draws).law == whole.law


def test_a_figure_takes_them_as_well():
    points = laptop()
    held = points["run"][points["model"] == "mini"]
    for figure in ("frontier", "residuals"):
        drawings = [scalectl.plot(points, figure, METRIC, hold_out=ids, draws=20) for ids in (held, held.tolist())]
        assert drawings[0].data == drawings[1].data


def test_a_single_text_is_no_list_of_ids():
    for ask in (
        scalectl.fit,
        lambda points, metric, hold_out: scalectl.plot(points, "frontier", metric, hold_out=hold_out),
    ):
        with pytest.raises(Refused, match="hold_out = 'run-000': give a list of ids of runs"):
            ask(laptop(), METRIC, hold_out="run-000")


def test_where_all_runs_are_held_out_that_is_the_reason():
    points = laptop().assign(origin="theirs.csv")
    points.loc[0, "state"] = "failed"
    with pytest.raises(Refused, match="all 35 runs that are done are held out: hold out fewer"):
        scalectl.fit(points, METRIC, hold_out=points["run"])
    with pytest.raises(Refused, match="no run is done"):
        scalectl.fit(points.assign(state="failed"), METRIC, hold_out=points["run"])
    drawing = scalectl.plot(points, "frontier", METRIC, hold_out=points["run"])
    assert "all 35 runs that are done are held out" in drawing.data["note"]
    with pytest.raises(Refused, match="all 35 runs that are done are held out"):
        scalectl.plot(points, "backtest", METRIC, hold_out=points["run"])


@pytest.mark.parametrize("words", [[], ["--backtest"]])
def test_the_command_says_so_too(words, tmp_path):
    (tmp_path / "runs.csv").write_text("model,params,flops,loss\na,1e6,1e15,3\nb,1e7,1e16,2\n")
    store = ["--store", str(tmp_path / "runs.db")]
    run = CliRunner()
    assert run.invoke(verbs, ["import", str(tmp_path / "runs.csv"), *store]).exit_code == 0
    found = run.invoke(verbs, ["fit", *store, "--metric", "upstream/loss", "--hold-out", "params>0", *words])
    said = found.stderr + str(found.exception)
    assert "refused: all 2 runs that are done are held out" in said and "no run is done" not in said
