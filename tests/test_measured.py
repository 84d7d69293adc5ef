"""Laws over runs whose metrics were measured with different settings."""

import copy

import pandas as pd
import pytest
from runs import METRIC, laptop
from test_isoflop import study as minima
from told import planned_again, planning, write

from scalectl import analysis
from scalectl.analysis.budgets import isoflop
from scalectl.analysis.fitting import fit
from scalectl.analysis.foretold import foretell
from scalectl.analysis.measured import MEASURED, Measured, measured_apart
from scalectl.analysis.prediction import predict
from scalectl.analysis.suggestion import suggest
from scalectl.orchestrator.store.records import Records

FEWSHOT = "fewshot/digits/1shot/error"


def test_a_store_says_where_runs_were_measured_with_different_settings(study):
    """An evaluation that changed is measured again of the runs of the file, and not of those that have left it."""
    records, found = planning(study, steps="[20, 40, 80]")
    with records:
        write(records, found.jobs)
    assert MEASURED not in analysis.read(study.store).attrs
    study.write(steps="[20, 40]")
    study.file.write_text(study.file.read_text().replace("seeds: 2", "seeds: 3"))
    with Records(study.store) as again:
        write(again, planned_again(study, again).jobs)
    points = analysis.read(study.store).set_index("steps")
    measured = points.attrs[MEASURED]
    assert list(measured.by_metric) == [FEWSHOT]
    assert [measured.by_metric[FEWSHOT][run] for run in points["run"][[20, 40, 80]]] == [
        '{"l2":1024.0,"seeds":3}',
        '{"l2":1024.0,"seeds":3}',
        '{"l2":1024.0,"seeds":2}',
    ]
    assert copy.deepcopy(measured) is measured


def apart(points: pd.DataFrame, others: int) -> pd.DataFrame:
    """The points, of which so many were measured with another number of draws than the rest."""
    texts = ['{"l2":1.0,"seeds":3}'] * others + ['{"l2":1.0,"seeds":2}'] * (len(points) - others)
    points.attrs[MEASURED] = Measured({METRIC: dict(zip(points["run"], texts, strict=True))})
    return points


def test_a_law_over_runs_that_were_measured_differently_says_so():
    said = [text for text in fit(apart(laptop(), 5), METRIC, draws=20).warnings if "measured" in text]
    assert said == [
        "5 of 36 runs were measured with other settings (seeds) than the rest: launch the file that has them all,"
        " or leave runs out"
    ]


@pytest.mark.parametrize("others", [0, 36])
def test_a_law_over_runs_that_were_measured_alike_says_nothing(others):
    assert not [text for text in fit(apart(laptop(), others), METRIC, draws=20).warnings if "measured" in text]


def test_a_parquet_file_does_not_have_the_settings_that_each_run_was_measured_with(tmp_path):
    """Of 10,000 runs they were a hundred times the rest; pandas writes what is in `attrs`."""
    points = apart(laptop(), 5)
    points.to_parquet(tmp_path / "points.parquet")
    assert b"l2" not in (tmp_path / "points.parquet").read_bytes()
    again = pd.read_parquet(tmp_path / "points.parquet")
    assert not [text for text in fit(again, METRIC, draws=20).warnings if "measured" in text]


def test_every_answer_that_rests_on_runs_that_were_measured_differently_says_so_once():
    points = laptop().assign(images_seen=lambda runs: 64.0 * runs["steps"], batch_size=64)
    candidates = points.assign(
        run=points["run"] + "-more", flops=2 * points["flops"], images_seen=128.0 * points["steps"]
    )
    answers = {
        "predict --params": predict(apart(points, 5), params=1e5, data=1e5),
        "predict --compute": predict(apart(points, 5), compute=1e12),
        "predict --missing": foretell(apart(points, 5), candidates),
        "suggest": suggest(apart(points, 5), candidates, 1e13),
        "fit --isoflop": isoflop(apart(minima(), 5)),
    }
    for name, answer in answers.items():
        assert str(answer).count("warning: 5 of ") == 1, name
        assert sum("measured with other settings (seeds)" in text for text in answer.to_json()["warnings"]) == 1, name


def test_a_law_over_runs_that_were_tested_on_other_images_says_so(study):
    """A study keeps the runs of its earlier files, which may have had other images under the same metric."""
    text = study.write(steps="[20, 40]").read_text()
    for source in ("digits", "synthetic"):
        study.file.write_text(text.replace("source: digits", f"source: {source}").replace("[digits]", f"[{source}]"))
        with Records(study.store) as records:
            write(records, planned_again(study, records).jobs)
    points = analysis.read(study.store)
    (said,) = measured_apart(points, METRIC)
    assert said.startswith("2 of 4 runs were tested on other images (source) than the rest")
    assert not [*measured_apart(points[points["source"] == "digits"], METRIC)]
    assert not [*measured_apart(points, FEWSHOT)]  # whose images are named
