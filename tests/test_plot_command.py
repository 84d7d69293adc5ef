"""The command `plot`: every figure from a small store, in every format, and what it says where runs don't suffice."""

import json
import re

import numpy as np
import pytest
import told
from click.testing import CliRunner
from conftest import Study
from test_plots import budgets

from scalectl.orchestrator.cli.main import scalectl

BEGINS = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}
SWEEP = "grid: {seeds: [0], sweep: {weight_decay_head: [0.3, 3.0], weight_decay_body: [0, 0.03]}}"


def command(*words: object):
    return CliRunner().invoke(scalectl, ["plot", *map(str, words)], standalone_mode=False)


def refused(*words: object) -> tuple[int, str]:
    """The exit code of the command that is run as a user does, and what it says on stderr."""
    done = command(*words)
    if done.exception is None:
        return done.return_value, done.stderr
    return getattr(done.exception, "exit", getattr(done.exception, "exit_code", 1)), str(done.exception)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two models that are the best in turn, six budgets, and four pairs of weight decays; the law is one of steps."""
    study = Study(tmp_path_factory.mktemp("plots"))
    text = study.write(steps="[10, 20, 40, 80, 160, 320]").read_text()
    study.file.write_text(text.replace("grid: {seeds: [0]}", SWEEP))
    return told.two_models_in_turn(study, 10)


@pytest.fixture
def imported(tmp_path):
    """Three budgets of seven sizes, imported: no training curves, no data sizes."""
    file, path = tmp_path / "others.csv", tmp_path / "others.db"
    points = budgets().assign(model=[f"size-{n}" for n in range(21)])
    points[["model", "params", "flops", "images_seen", "upstream/error"]].to_csv(file, index=False)
    done = CliRunner().invoke(scalectl, ["import", str(file), "--store", str(path)], standalone_mode=False)
    assert done.return_value == 0
    return path


NAMES = ("frontier", "bottleneck", "samples", "curves", "decay-map", "residuals")


@pytest.fixture(scope="module")
def documents(store):
    """The data beside each figure, by its name; each was written in one of the formats, in turn."""
    found = {}
    for name, suffix in zip(NAMES, ["png", "pdf", "svg"] * 2, strict=True):
        file = store.parent / name / f"F.{suffix}"
        done = command(name, "--store", store, "-o", file)
        written, after = done.stdout.splitlines()
        assert (done.return_value, written) == (0, f"{file} and F.json written.")
        assert re.match(r"Next: scalectl predict --compute \d[\d.e+]* --store ", after)
        assert file.read_bytes().startswith(BEGINS[suffix])
        assert sorted(path.name for path in file.parent.iterdir()) == sorted([file.name, "F.json"])
        found[name] = json.loads(file.with_suffix(".json").read_text())
    return found


@pytest.mark.parametrize("name", NAMES)
def test_beside_each_figure_stand_its_name_the_law_and_the_revision(documents, name):
    document = documents[name]
    assert document["figure"] == name and document["fit"]["law"] == "doubly saturating" and document["revision"]


def test_the_data_beside_the_figures_are_those_of_the_store(documents):
    assert len(documents["frontier"]["runs"]) == 48
    assert [row["params"] for row in documents["bottleneck"]["params"]] == [2010, 4162]
    best = [row["upstream/error"] for row in documents["samples"]["best"]]
    assert min(best) == pytest.approx(0.05 + 0.7 * (1 + 320 / 30) ** -0.5)
    assert "loss" in documents["curves"]["columns"] and len(documents["curves"]["rows"]) > 48
    assert np.shape(documents["decay-map"]["cells"]) == (2, 2)
    assert documents["decay-map"]["weight_decay_head"] == [3.0, 0.3]
    off = [row["residual"] for row in documents["residuals"]["residuals"]]
    assert off == pytest.approx(documents["residuals"]["fit"]["residuals"])


def test_the_minima_of_imported_budgets_are_drawn(imported, tmp_path):
    file = tmp_path / "F.pdf"
    assert command("isoflop", "--store", imported, "-o", file).return_value == 0
    assert file.read_bytes().startswith(BEGINS["pdf"])
    found = [one["params"] for one in json.loads(file.with_suffix(".json").read_text())["budgets"]]
    assert found == pytest.approx([1e7, 1e7 * 10**0.5, 1e8], rel=0.05)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("residuals", "--where", "steps < 50"), "3 frontier points"),
        (("frontier", "--metric", "upstream/eror"), "did you mean 'upstream/error'?"),
        (("bottleneck", "--where", "steps > 10000"), "chooses none of the 48 runs"),
        (("frontier", "--metric", "upstream/acc"), "did you mean 'upstream/error'? It is 1 - accuracy."),
        (("samples", "--metric", "lost"), "unknown metric 'lost'"),
        (
            ("isoflop",),
            "no budget of flops has 5 model sizes, at most 2, and a minimum needs them: ",
        ),
        (("curves", "--metric", "lost"), "unknown column 'lost' of a training curve: curves have "),
        (("decay-map", "--rows", "lr"), "lr has 1 value among 48 runs, and a map shows 2 to "),
        (("decay-map", "--rows", "model"), "'model' is no setting with numbers"),
    ],
)
def test_what_the_runs_cannot_carry_is_refused_with_the_reason_and_nothing_is_written(store, tmp_path, words, said):
    code, text = refused(*words, "--store", store, "-o", tmp_path / "F.png")
    assert code == 4 and said in text and list(tmp_path.iterdir()) == [] and text.count("refused: ") <= 1


def test_a_file_beside_the_figure_that_no_figure_wrote_is_kept(store, tmp_path):
    (tmp_path / "F.json").write_text('{"my": "notes"}')
    code, text = refused("frontier", "--store", store, "-o", tmp_path / "F.png")
    assert code == 4 and "F.json is no figure's data" in text
    assert [path.read_text() for path in tmp_path.iterdir()] == ['{"my": "notes"}']
    for file in ("G.png", "G.pdf"):
        assert command("frontier", "--store", store, "-o", tmp_path / file).return_value == 0


def test_what_imported_runs_do_not_tell_is_refused_by_name(imported, tmp_path):
    for name, said in (("curves", "imported runs have none"), ("bottleneck", "no run has data_size")):
        code, text = refused(name, "--store", imported, "-o", tmp_path / "F.png")
        assert code == 4 and said in text and not (tmp_path / "F.png").exists()


def test_another_format_is_a_wrong_word_and_no_store_is_not_found(store, tmp_path):
    code, text = refused("samples", "--store", store, "-o", "F.tiff")
    assert code == 2 and "F.tiff: a figure is one of .png, .pdf, .svg" in text
    assert refused("samples", "--store", tmp_path / "none.db", "-o", tmp_path / "F.png")[0] == 5
