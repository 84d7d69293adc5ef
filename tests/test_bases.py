"""Files that extend others: what holds, and where errors are."""

import json
from pathlib import Path

import pytest
from test_grid import GRID

from scalectl.orchestrator.errors import InvalidExperiment
from scalectl.orchestrator.experiment.reading import Experiment, read


@pytest.fixture
def write(tmp_path: Path):
    """Return a function that writes a file, and the base beside it or in a folder above."""

    def written(text: str, name: str = "mine.yaml") -> Path:
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return file

    written(GRID, "base.yaml")
    return written


def ids(experiment: Experiment) -> list[tuple[str, int]]:
    return [(cell.model, cell.run.steps) for cell in experiment.cells]


def test_a_file_that_only_extends_is_its_base(write, tmp_path):
    assert read(write("extends: base.yaml\n")).cells == read(tmp_path / "base.yaml").cells


def test_mappings_are_laid_over_each_other_and_lists_replaced(write):
    mine = read(write("extends: base.yaml\nname: mine\ntrain: {optimizer: {lr: 2e-3}}\ndata: {sizes: [37]}\n"))
    recipe = mine.cells[0].run.trunk.recipe
    assert (mine.name, recipe.lr, recipe.optimizer, recipe.batch_size) == ("mine", 2e-3, "adamw", 37)
    assert {cell.run.trunk.data.size for cell in mine.cells} == {37}


def test_an_empty_value_takes_a_key_away(write):
    mine = read(write("extends: base.yaml\nbudgets: {steps: , images: [3700]}\nmodels: {wide: }\ngrid:\n"))
    assert ids(mine) == [("nano", 100)] * 2


def test_bases_extend_bases_from_their_own_folders(write):
    write("extends: ../base.yaml\ngrid: {seeds: [1]}\n", "more/middle.yaml")
    mine = read(write("extends: more/middle.yaml\nbudgets: {steps: [303]}\n"))
    assert ids(mine) == [("wide", 303), ("wide", 303), ("nano", 303), ("nano", 303)]
    assert {cell.run.trunk.seed for cell in mine.cells} == {1}


def test_places_start_from_the_folder_of_the_file_that_is_launched(write, tmp_path):
    write("extends: ../base.yaml\n", "more/mine.yaml")
    assert read(tmp_path / "more" / "mine.yaml").store == str(tmp_path / "more" / "results.db")


@pytest.mark.parametrize(
    ("base", "mine", "where"),
    [
        (
            GRID.replace("warmup: 10", "wramup: 10"),
            "extends: base.yaml\n",
            "base.yaml:10:14: error: train.schedule.wra",
        ),
        (GRID, "extends: base.yaml\ntrain: {batch_sise: 7}\n", "mine.yaml:2:9: error: train.batch_sise: unknown"),
        (GRID, "extends: base.yaml\nmodels: {nano: {preset: Ti}}\n", "base.yaml:5:10: error: models.nano.width: pr"),
        (GRID, "extends: base.yaml\ndata: {sizes: [7, 9k]}\n", "mine.yaml:2:19: error: data.sizes[1]: 9,000 is more"),
        ("a: [", "extends: base.yaml\n", "base.yaml:1:"),
        ("- a\n", "extends: base.yaml\n", "mine.yaml:1:10: error: extends: "),
    ],
)
def test_errors_are_where_they_were_typed(write, base, mine, where):
    write(base, "base.yaml")
    with pytest.raises(InvalidExperiment) as refused:
        read(write(mine))
    assert f"/{where}" in str(refused.value)


def test_circles_are_refused(write):
    write("extends: mine.yaml\n", "other.yaml")
    with pytest.raises(InvalidExperiment, match=r"other.yaml:1:10: .*mine.yaml -> other.yaml -> mine.yaml"):
        read(write("extends: other.yaml\n"))


def test_the_store_keeps_all_that_the_files_say(write):
    mine = read(write("extends: base.yaml\nfits: {main: {metric: upstream/loss}}\n"))
    kept = json.loads(mine.document)
    assert kept["fits"] and kept["models"]["wide"]["width"] == 48


def test_options_lie_over_everything(write):
    assert len(read(write("extends: base.yaml\n"), [("grid.seeds", "[7]")]).cells) == 8
