"""A store that is opened in Python: tables, laws and figures of it, and launches in a process of their own."""

import os
import shlex
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from runs import METRIC, laptop

import scalectl
from scalectl import launched
from scalectl.analysis import Refused
from scalectl.orchestrator.cli.main import scalectl as program


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A store with imported runs."""
    folder = tmp_path_factory.mktemp("filled")
    laptop()[["model", "data_size", "steps", "params", "flops", METRIC]].to_csv(folder / "runs.csv", index=False)
    words = ["import", str(folder / "runs.csv"), "--store", str(folder / "results.db")]
    CliRunner().invoke(program, words, standalone_mode=False)
    return scalectl.open(folder / "results.db")


def test_its_law_is_the_one_of_its_points_and_of_the_command_line(filled):
    law = filled.fit(law="power", where="flops > 0")
    assert law.law.params() == scalectl.fit(filled.points, METRIC, law="power").law.params()
    low, high = law.intervals["exponent"]
    assert low < law.law.params()["exponent"] < high and "90 % interval" in law._repr_html_()
    with pytest.raises(Refused, match="did you mean 'flops'"):
        filled.fit(where="flop > 0")


def test_a_notebook_shows_its_figures(filled):
    figure = filled.plot("frontier", title="mine")
    assert figure._repr_png_().startswith(b"\x89PNG") and len(figure.axes) > 0
    with pytest.raises(Refused, match="did you mean 'frontier'"):
        filled.plot("frotnier")


def test_no_text_of_a_study_is_markup():
    hostile = "<script>alert(1)</script>"
    screen = scalectl.Screen(f"{hostile} \u202e", {})
    results = (screen, scalectl.Launched(hostile, pd.DataFrame()), scalectl.open(hostile))
    for html in [result._repr_html_() for result in results]:
        assert "&lt;script&gt;" in html and "<script" not in html and "\u202e" not in html


def test_a_store_is_made_by_a_launch_alone(tmp_path):
    opened = scalectl.open(tmp_path / "none.db")
    assert "no store here yet" in opened._repr_html_()
    for table in ("points", "curves", "measurements"):
        with pytest.raises(Refused, match=r"none\.db"):
            getattr(opened, table)
    assert not list(tmp_path.iterdir())


def test_the_runs_of_a_file_are_planned_for_the_store_that_is_open(study):
    own, other = scalectl.open(study.store), scalectl.open(study.folder / "other.db")
    assert own.plan(study.file).text == scalectl.plan(study.file).text
    assert f"--set store={study.folder / 'other.db'}" in other.plan(study.file).text
    assert "3 runs" in own.plan(study.file, changes={"budgets.steps": [20, 40, 60]}).text
    with pytest.raises(Refused, match="open the other store"):
        own.plan(study.file, changes={"store": "x.db"})


def playing(monkeypatch, code):
    """Have launches play this code in place of the command."""
    monkeypatch.setattr(launched, "COMMAND", (sys.executable, "-c", code))


def test_a_store_may_lie_in_the_home_folder(filled, monkeypatch):
    monkeypatch.setenv("HOME", str(filled.path.parent))
    name = f"~/{filled.path.name}"
    assert scalectl.open(name).points.equals(filled.points) and scalectl.read(name).equals(filled.points)


def test_changes_may_be_paths_and_numbers_of_numpy(study):
    here = scalectl.open(study.folder / "other.db")
    changes = {"grid.seeds": np.arange(2), "train.batch_size": np.int64(8), "artifacts": Path("kept")}
    seeds = {run["seed"] for run in here.plan(study.file, changes=changes).document["runs"]}
    assert seeds == {0, 1}
    with pytest.raises(scalectl.Refused, match="is no value of a file"):
        here.plan(study.file, changes={"train.batch_size": object()})
    with pytest.raises(scalectl.Refused, match="give values by their keys"):
        here.plan(study.file, changes=["train.batch_size=8"])


def test_a_name_is_text_also_where_it_reads_as_a_number(study):
    """It was refused: name: 2024 is not a text."""
    here = scalectl.open(study.folder / "other.db")
    for name in ("2024", "1e3", "true", "plain", "'quoted'"):
        assert here.plan(study.file, changes={"name": name}).document["study"] == name.strip("'")
    assert "2 runs" in here.plan(study.file, changes={"budgets.steps": "[20, 40]"}).text


def test_a_folder_with_signs_of_yaml_is_that_folder(study):
    """What stood behind ` #` was cut off, and the runs of another store were planned."""
    for name in ("a #1", "b: c"):
        folder = study.folder / name
        folder.mkdir()
        text = scalectl.open(folder / "results.db").plan(study.file, changes={"artifacts": folder / "kept"}).text
        words = shlex.split(text.splitlines()[-1])
        assert f'store="{folder}/results.db"' in words and f'artifacts="{folder}/kept"' in words


def test_a_launch_that_fails_raises_what_it_said(monkeypatch, capsys):
    playing(monkeypatch, "import sys; print('1 of 2 runs done'); print('failed    a: b', file=sys.stderr); sys.exit(1)")
    with pytest.raises(scalectl.LaunchFailed, match=r"(?s)failed    a: b.*1 of 2 runs done") as failed:
        launched.carry_out([])
    assert failed.value.code == 1 and isinstance(failed.value, Refused)
    assert capsys.readouterr().out == "failed    a: b\n"


def test_an_interrupt_stops_the_launch_softly_and_waits_for_its_end(monkeypatch, capsys):
    code = """if True:
        import signal, sys, time
        def end(*_):
            print("stopped   run at step 3", file=sys.stderr)
            sys.exit(130)
        signal.signal(signal.SIGINT, end)
        print("working", file=sys.stderr, flush=True)
        time.sleep(60)
    """
    playing(monkeypatch, code)

    def interrupt(line, show=launched._print):
        show(line)
        if line == "working":
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()

    monkeypatch.setattr(launched, "_print", interrupt)
    with pytest.raises(KeyboardInterrupt):
        launched.carry_out([])
    assert capsys.readouterr().out.splitlines()[-1] == "stopped   run at step 3"


@pytest.mark.slow
def test_a_launch_fills_the_store_that_is_open_from_a_process_of_its_own(study):
    opened = scalectl.open(study.folder / "other.db")
    done = opened.launch(study.file, here=True)
    assert "2 of 2 runs done" in done.text and "2 of 2 runs done" in done._repr_html_()
    assert list(done.points["state"]) == ["done", "done"] and not study.store.exists()
    curves, measured = opened.curves, opened.measurements
    assert {str(curves[name].dtype) for name in ("run", "step", "loss", "mfu")} == {"category", "int64", "float64"}
    assert set(measured["run"]) == set(curves["run"]) == set(done.points["run"])
    assert len(opened.plot("curves").axes) > 0
    with pytest.raises(scalectl.LaunchFailed, match=r"did you mean 'train\.optimizer\.lr'") as failed:
        opened.launch(study.file, changes={"train.lr": 3})
    assert failed.value.code == 2


def test_runs_of_an_outside_loop_are_added_as_import_reads_them(tmp_path, capsys):
    results = scalectl.open(tmp_path / "results.db")
    rows = [{"model": f"cnn-{n}", "flops": 10.0**n, "params": 37 * n, "error": 0.5 - 0.03 * n} for n in range(8, 16)]
    points = results.add(rows[:-1], study="cnn", test_images=10_000)
    assert list(points["error"]) == [row["error"] for row in rows[:-1]] and set(points["study"]) == {"cnn"}
    assert len(results.add(pd.DataFrame(rows), study="cnn")) == len(rows)  # the same runs are the same rows
    assert results.add([{**rows[0], "dropout": 0.5}], study="other", settings=["dropout"])["dropout"].tolist() == [0.5]
    assert len(results.points) == len(rows) + 1
    with pytest.raises(Refused, match="no column of compute"):
        results.add([{"error": 0.1}], study="cnn")
