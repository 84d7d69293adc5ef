"""Which runs are seeds of one another, and so are averaged: those of equal settings and equal length alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from runs import METRIC, laptop

import scalectl
from scalectl.analysis.fitting import fit
from scalectl.analysis.plotting import plot
from scalectl.analysis.selection import select
from scalectl.analysis.store import metrics
from scalectl.analysis.table import Table
from scalectl.orchestrator.cli.main import scalectl as verbs
from scalectl.orchestrator.experiment.fits import Fit
from scalectl.orchestrator.page.laws import law_document
from scalectl.orchestrator.store.headers import Wishes
from scalectl.orchestrator.store.imported import read
from scalectl.orchestrator.store.sheet import InvalidImport

SIZES, AMOUNTS = (1e6, 3e6, 1e7, 3e7, 1e8), (1e8, 3e8, 1e9, 3e9)
DECAYS = {0.01: 1.3, 0.1: 1.0, 1.0: 1.5}  # weight decay: how many times the loss of the best


def loss(size: float, images: float) -> float:
    return float(1.7 + 400 / size**0.34 + 410 / images**0.28)


def sweep(header: str, cell: Callable[[float, int], object], decays: tuple[float, ...] = (*DECAYS,)) -> str:
    """Each size and amount with some weight decays, as a file that has them under this header."""
    random, lines = np.random.default_rng(0), [f"model,params,tokens,{header},val_loss"]
    for size in SIZES:
        for images in AMOUNTS:
            for decay in decays:
                found = DECAYS[decay] * loss(size, images) * np.exp(0.003 * random.normal())
                lines.append(f"m{size:g},{size:.0f},{images:.0f},{cell(decay, len(lines))},{found:.5f}")
    return "\n".join(lines) + "\n"


def imported(tmp_path: Path, text: str, *options: str) -> pd.DataFrame:
    """The points of a new store with the runs of such a file."""
    (tmp_path / "runs.csv").write_text(text)
    (tmp_path / "runs.db").unlink(missing_ok=True)
    words = ["import", str(tmp_path / "runs.csv"), "--store", str(tmp_path / "runs.db"), *options]
    assert CliRunner().invoke(verbs, words, standalone_mode=False).return_value == 0
    return scalectl.read(tmp_path / "runs.db")


def notes(tmp_path: Path, text: str, **wishes: Any) -> str:
    (tmp_path / "runs.csv").write_text(text)
    return "\n".join(read(tmp_path / "runs.csv", Wishes(**wishes)).notes)


def in_words(decay: float, _: int) -> str:
    return f"wd{decay:g}"


@pytest.mark.parametrize(("cell", "decays"), [(in_words, (*DECAYS,)), (lambda decay, _: decay == 0.1, (0.1, 1.0))])
def test_runs_that_differ_in_a_text_or_a_truth_value_are_other_runs(tmp_path, cell, decays):
    points = imported(tmp_path, sweep("recipe", cell, decays))
    best = points[points["recipe"].isin(["wd0.1", True])]
    alone = scalectl.fit(best, "val_loss", draws=0)
    for table in (points, unsaid(points)):
        fitted = scalectl.fit(table, "val_loss", draws=0)
        assert set(fitted.frontier["run"]) == set(alone.frontier["run"])
        assert float(fitted(1e19)) == pytest.approx(float(alone(1e19)), rel=1e-3)
    assert float(alone(1e19)) == pytest.approx(min(loss(n, 1e19 / 6 / n) for n in np.logspace(7, 10, 99)), rel=0.1)


def unsaid(points: pd.DataFrame) -> pd.DataFrame:
    """The same table without what the store says of its columns, as of a file that pandas wrote."""
    table = points.copy()
    table.attrs.clear()
    return table


def test_a_name_of_each_run_makes_no_setting_of_it(tmp_path):
    """Tables of W&B and MLflow have an id and a time of each run: its seeds are averaged all the same."""
    text = sweep("seed,run_id,phase", lambda decay, line: f"{decay:g},id-{line},hot".replace("0.", ""))
    points = imported(tmp_path, text)
    assert set(scalectl.fit(points, "val_loss", draws=0).frontier["seeds"]) == {3}
    told = notes(tmp_path, text)
    assert "Columns of text, kept for --where: run_id, phase." in told and "Runs that differ" not in told
    told = notes(tmp_path, sweep("run_id", lambda _, line: f"id-{line}"))
    assert "40 runs with the settings of another, as in lines 2 and 3: numbered as seeds of it." in told


def test_an_import_says_which_words_are_settings_and_which_numbers_may_be(tmp_path):
    told = notes(tmp_path, sweep("wd,run_id", lambda decay, line: f"wd{decay:g},id-{line}"))
    assert "Runs that differ in wd are taken to have other settings: none is a seed of another." in told
    assert "numbered as seeds" not in told
    told = notes(tmp_path, sweep("wd", lambda decay, _: decay))
    assert "40 runs with the settings of another" in told
    assert "wd has the same numbers in one setting after another. Laws average such runs" in told
    assert "say --setting wd" in told
    told = notes(tmp_path, sweep("epoch_time", lambda decay, line: decay + line))
    assert "40 runs with the settings of another" in told and "one setting after another" not in told


def test_a_column_of_numbers_that_is_a_setting_parts_runs_as_words_do(tmp_path):
    """Until somebody says so it counts as measured; the import says it, and each fit that averages such runs."""
    text = sweep("wd", lambda decay, _: decay)
    averaged = scalectl.fit(imported(tmp_path, text), "val_loss", draws=0)
    assert set(averaged.frontier["seeds"]) == {3} and any("--setting wd" in doubt for doubt in averaged.warnings)
    noise = imported(tmp_path, sweep("epoch_time", lambda decay, line: decay + line))
    assert not any("--setting" in doubt for doubt in scalectl.fit(noise, "val_loss", draws=0).warnings)
    points = imported(tmp_path, text, "--setting", "wd")
    apart = scalectl.fit(points, "val_loss", draws=0)
    assert set(apart.frontier["seeds"]) == {1} and not any("--setting" in doubt for doubt in apart.warnings)
    assert sorted(points["wd"].unique()) == sorted(DECAYS)
    assert len(select(points, "wd == 0.1")) and "wd" not in metrics(points)
    assert "Settings, kept for --where: wd." in notes(tmp_path, text, settings=["wd"])
    with pytest.raises(InvalidImport, match="--setting wdd: the file has no such column"):
        notes(tmp_path, text, settings=["wdd"])


def test_a_setting_that_was_imported_as_a_metric_is_one_after_the_same_file_with_the_option(tmp_path):
    (tmp_path / "runs.csv").write_text(sweep("wd", lambda decay, _: decay))
    for options in ((), ("--setting", "wd"), ("--setting", "wd")):
        words = ["import", str(tmp_path / "runs.csv"), "--store", str(tmp_path / "runs.db"), *options]
        assert CliRunner().invoke(verbs, words, standalone_mode=False).return_value == 0
    points = scalectl.read(tmp_path / "runs.db")
    assert len(points) == 60 and metrics(points) == ["val_loss"]
    assert points["wd"].value_counts().to_dict() == dict.fromkeys(DECAYS, 20)
    assert set(scalectl.fit(points, "val_loss", draws=0).frontier["seeds"]) == {1}


def test_the_time_at_which_a_run_was_made_is_no_setting_of_it(tmp_path):
    text = sweep("Created", lambda _, line: f"2024-05-{line % 28 + 1:02d}T10:00:00.000Z")
    assert set(scalectl.fit(imported(tmp_path, text), "val_loss", draws=0).frontier["seeds"]) == {3}
    assert "Runs that differ" not in notes(tmp_path, text)


def test_lines_of_a_figure_join_runs_of_one_label(tmp_path):
    from scalectl.analysis.drawing.trunks import trunks

    points = imported(tmp_path, sweep("wd", in_words))
    lines = list(trunks(points.assign(steps=points["images_seen"]), points, "val_loss", "flops"))
    assert len(lines) == len(SIZES) * len(DECAYS)


def lengths(**columns: Callable[[float, float], float]) -> pd.DataFrame:
    """Eight sizes of three lengths each, as a table with these columns and a seed of nothing."""
    random, rows = np.random.default_rng(0), []
    for size in np.logspace(6, 9.5, 8):
        for images in (1e7, 1e8, 1e9):
            error = (0.05 + 30 / size**0.34 + 20 / images**0.28) * np.exp(0.01 * random.normal())
            rows.append({"model": f"m{size:.0f}", "params": size, "error": error})
            rows[-1] |= {name: of(size, images) for name, of in columns.items()}
    names = [f"run-{n:02d}" for n in range(len(rows))]
    return pd.DataFrame(rows).assign(run=names, name=names, state="done", excluded=False, digest="")[
        ["run", "name", "state", "excluded", "params", "model", *columns, "digest", "error"]
    ]


@pytest.mark.parametrize(
    "columns",
    [
        {"images_seen": lambda _, images: images},
        {"core_days": lambda size, images: size * images / 1e18},
        {"device_seconds": lambda size, images: size * images / 1e12},
        {"flops": lambda size, images: 6 * size * images if images < 1e9 else np.nan, "images_seen": lambda _, i: i},
    ],
)
@pytest.mark.parametrize("over", ["params", "data_size"])
def test_runs_of_another_length_are_no_seeds_whatever_says_how_long_they_were(columns, over):
    """A law over size averaged the runs of a model that saw 1e7, 1e8 and 1e9 images, and predicted 28 % for 11 %."""
    points = lengths(**columns)
    points.insert(5, "data_size", points["params"])
    fitted = scalectl.fit(points, "error", over, draws=20)
    assert set(fitted.frontier["seeds"]) == {1}
    assert float(fitted(3e10)) == pytest.approx(0.05 + 30 / 3e10**0.34 + 20 / 1e9**0.28, rel=0.1)
    assert len(scalectl.fit(points, "error", over, runs="all", draws=0).frontier) == 24


def test_seeds_are_averaged_though_each_took_a_time_of_its_own():
    columns = {"images_seen": lambda _, images: images, "core_days": lambda size, images: size * images / 1e18}
    points = lengths(**columns)
    twice = pd.concat([points, points.assign(run=points["run"] + "b", core_days=1.1 * points["core_days"])])
    fitted = scalectl.fit(twice, "error", "params", draws=0)
    assert set(fitted.frontier["seeds"]) == {2}


def test_a_run_without_flops_parts_no_seeds_of_others():
    columns = {"images_seen": lambda _, images: images, "flops": lambda size, images: 6 * size * images}
    points = lengths(**columns, device_seconds=lambda size, images: size * images / 1e12)
    twice = pd.concat([points, points.assign(run=points["run"] + "b", device_seconds=1.1 * points["device_seconds"])])
    alone = twice.iloc[[0]].assign(run="alone", model="other", flops=np.nan, device_seconds=1e9, error=0.99)
    with_it = scalectl.fit(pd.concat([twice, alone]), "error", "device_seconds", draws=0)
    assert set(with_it.frontier["seeds"]) == {2}


def test_a_map_of_two_settings_compares_runs_of_one_length():
    from scalectl.analysis.comparison import comparable

    points = lengths(images_seen=lambda _, images: images).assign(lr=lambda table: table.index % 2 + 1.0)
    wider = pd.concat([points, points.assign(lr=3.0 - points["lr"], run=points["run"] + "b")], ignore_index=True)
    assert len(comparable(wider, "params", "lr")) == len(wider)
    short = wider[(wider["lr"] == 1) | (wider["images_seen"] < 1e9)]
    assert set(comparable(short, "params", "lr")["images_seen"]) == {1e7, 1e8}


def seeded(points: pd.DataFrame) -> pd.DataFrame:
    """A second seed of each run, whose error is 6 % higher."""
    ids = {name: points[name] + "-s1" for name in ("run", "name")}
    return pd.concat([points, points.assign(**ids, seed=1, **{METRIC: 1.06 * points[METRIC]})], ignore_index=True)


def test_what_is_told_of_a_mean_of_seeds_is_never_said_of_one_of_them():
    points = seeded(laptop())
    held_out = list(points["run"][points["model"] == "mini"])
    fitted = fit(points, hold_out=held_out, draws=0)
    by_run = points.set_index("run")
    document = fitted.to_json()
    for point in document["points"]:
        assert len(point["runs"]) == 2
        assert by_run.loc[point["runs"], METRIC].mean() == pytest.approx(point["value"])
        expected = np.log(point["value"] / fitted.law(point["compute"]))
        assert point["residual"] == pytest.approx(float(expected))
    assert [point["runs"][0] for point in document["points"]] == document["frontier"]
    for run in fitted.held_out:
        assert run.got != by_run.loc[run.run, METRIC] and run.name.endswith(" (mean of 2 seeds)")
    assert all(name.endswith(" (mean of 2 seeds)") for name in fitted.frontier["name"])


def test_all_seeds_of_a_point_are_on_the_frontier_of_a_figure():
    points = seeded(laptop())
    drawn = pd.DataFrame(plot(points, "frontier", draws=0).data["runs"])
    best = drawn[drawn["on_frontier"]]
    assert (best.groupby("flops")["run"].nunique() == 2).all()


def test_a_point_without_an_error_has_no_residual_and_moves_none_of_the_others():
    points = laptop()
    points.loc[points["flops"].idxmax(), METRIC] = 0.0
    told = fit(points, draws=0).to_json()
    assert [point["residual"] for point in told["points"]] == [*told["residuals"], None]


def test_the_page_rings_all_seeds_of_a_point():
    points = seeded(laptop())
    document = law_document(Table(points), Fit(metric=METRIC), "")
    assert document["seeds"] == 2 and len(set(document["frontier"])) == len(document["frontier"])
    best = points[points["run"].isin(document["frontier"])]
    assert (best.groupby("flops")["seed"].nunique() == 2).all()
