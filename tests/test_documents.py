"""JSON that we write: numbers as Python has them, null for what isn't known."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from runs import METRIC, table

from scalectl.analysis.documents import known, records, rows, written, written_as_known
from scalectl.analysis.drawing.plot import Subject
from scalectl.analysis.plotting import draw


def test_tables_keep_every_digit_and_what_is_missing_is_none():
    digits = [1e-12, 3.04e-12, 1e23, 0.1 + 0.2, np.nan, np.inf]
    seeds = pd.array([2**53 + 1, None, 1, 2, 3, 4], dtype="Int64")
    frame = pd.DataFrame({"x": digits, "seed": seeds, "name": ["a", None, "b", "c", "d", "e"], "done": True})
    told = json.loads(json.dumps(records(frame), allow_nan=False))
    assert [row["x"] for row in told] == [*digits[:4], None, None]
    assert told[0] == {"x": 1e-12, "seed": 2**53 + 1, "name": "a", "done": True}
    assert told[1]["seed"] is None and told[1]["name"] is None
    assert rows(frame[["x", "x"]])[1] == [3.04e-12, 3.04e-12]
    assert known({"a": [float("nan"), (1.0, float("-inf"))], "b": 2}) == {"a": [None, [1.0, None]], "b": 2}


def test_the_data_beside_figures_are_the_numbers_of_the_runs(tmp_path):
    error, compute = [1e-12, 3.04e-12, 0.5], [1e21, 1e22, 1e23]
    points = table(compute, error, images_seen=[1, 2, 3])
    lines = pd.DataFrame({"run": "run-000", "step": [1, 2], "flops": [1.0, 1e23], "loss": [3.04e-12, 2e-12]})
    for name, read in (
        ("frontier", lambda data: [run[METRIC] for run in data["runs"]]),
        ("samples", lambda data: [run[METRIC] for run in data["best"]] + [3.04e-12, 0.5]),
    ):
        draw(name, Subject(points, METRIC, "flops")).save(tmp_path / "f.svg")
        assert sorted(read(json.loads((tmp_path / "f.json").read_text())))[:2] == error[:2]
    draw("curves", Subject(points, METRIC, "flops", curves=lines)).save(tmp_path / "f.svg")
    assert json.loads((tmp_path / "f.json").read_text())["rows"][0][3:5] == [1.0, 3.04e-12]


@pytest.mark.parametrize(
    "document",
    [
        *([], {}, [[]], {"a": {}}, {"a": []}, [1, 2], "text", None, 1e-7),
        [[1, "},\n  {"], ["],\n  [", None]],
        [{"a": 1, "b": "\u2028é"}, {"a": True}],
        [[1], []],
        [[1], {"a": 1}, (2, [3])],
        {"rows": [[1.5, 2], [3, 4]], "fit": {"law": [{"a": [1]}], "n": 0}},
    ],
)
def test_json_is_written_as_pythons_own_writer_has_it(document):
    assert written(document) == json.dumps(document, indent=1)


def test_a_number_that_is_not_finite_is_not_written():
    for document in (math.nan, [math.inf], [[1.0], [-math.inf]], {"a": [{"b": math.nan}]}):
        with pytest.raises(ValueError, match="not JSON compliant"):
            written(document)
        assert json.loads(written_as_known(document)) == known(document)
