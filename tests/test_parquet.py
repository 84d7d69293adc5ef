"""Pictures in parquet files: from a study's file to batches, and what is refused with file and row."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pictures import STUDY, as_seen, cifar10, grey, greys, jpeg, layout, levels, refusal, study, write
from PIL import Image
from pyarrow import parquet as files
from test_cli import HEAVY
from told import from_scratch

from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan
from scalectl.trainer.data.batches import Batches
from scalectl.trainer.data.facts import Unreadable
from scalectl.trainer.data.headers import BadImage
from scalectl.trainer.data.split import load, split
from scalectl.trainer.events import Done, Measurement
from scalectl.trainer.identity import identity
from scalectl.trainer.spec import DataSpec
from scalectl.trainer.train import train

pytestmark = pytest.mark.usefixtures("own_cache")


def spec(folder: Path, source: str = "parquet:train.parquet", more: str = "") -> DataSpec:
    return study(folder, source, more).cells[0].run.trunk.data


def test_footers_say_how_many_images_of_how_many_classes_there_are(tmp_path):
    greys(tmp_path / "train.parquet", range(40), classes=4)
    found = spec(tmp_path)
    assert (found.source, found.held_out, found.num_classes, found.channels) == ("parquet", 8, 4, 3)
    assert (found.image_size, found.resize) == (16, 16)


def test_the_names_of_classes_count_them(tmp_path):
    features = {"info": {"features": {"label": {"names": ["a", "b", "c", "d", "e"], "_type": "ClassLabel"}}}}
    table = layout([grey(one) for one in range(9)], [0] * 9).replace_schema_metadata(
        {"huggingface": json.dumps(features)}
    )
    write(tmp_path / "train.parquet", table)
    assert spec(tmp_path).num_classes == 5
    assert spec(tmp_path, more=", num_classes: 7").num_classes == 7


def test_every_image_is_read_once_with_its_label(tmp_path):
    greys(tmp_path / "train.parquet", range(40))
    found = split(spec(tmp_path))
    pool, apart = (levels(part.pixels[:]) for part in (found.pool, found.held_out))
    assert sorted(pool + apart) == list(range(40)) and len(apart) == 8
    assert found.pool.labels[:].tolist() == [level % 3 for level in pool]
    assert pool != sorted(pool)


@pytest.mark.parametrize("source", ["parquet:parts", "parquet:parts/*.parquet", "parquet:parts/**"])
def test_a_folder_and_a_pattern_are_all_their_files_in_order(source, tmp_path):
    greys(tmp_path / "whole" / "a.parquet", range(40))
    greys(tmp_path / "parts" / "b.parquet", range(11, 40))
    greys(tmp_path / "parts" / "a.parquet", range(11))
    apart, whole = (load(spec(tmp_path, name)).pixels[:] for name in (source, "parquet:whole/a.parquet"))
    np.testing.assert_array_equal(apart, whole)


def test_a_flattened_column_of_bytes_reads_the_same(tmp_path):
    greys(tmp_path / "nested.parquet", range(40))
    table = pa.table({"image.bytes": [grey(one) for one in range(40)], "label": [one % 3 for one in range(40)]})
    write(tmp_path / "flat.parquet", table)
    flat, nested = (load(spec(tmp_path, f"parquet:{name}.parquet")) for name in ("flat", "nested"))
    np.testing.assert_array_equal(flat.pixels[:], nested.pixels[:])


def test_held_out_images_are_of_the_test_split_where_there_is_one(tmp_path):
    greys(tmp_path / "train.parquet", range(40))
    greys(tmp_path / "test.parquet", range(100, 120))
    whole, some = (split(spec(tmp_path, more=f", test: test.parquet{more}")) for more in ("", ", held_out: 5"))
    assert sorted(levels(whole.pool.pixels[:])) == list(range(40))
    assert sorted(levels(whole.held_out.pixels[:])) == list(range(100, 120))
    assert levels(some.held_out.pixels[:]) == levels(whole.held_out.pixels[:5])


def test_stratified_subsets_have_as_many_of_each_class(tmp_path):
    greys(tmp_path / "train.parquet", range(60))
    assert np.bincount(load(spec(tmp_path, more=", stratified: true")).labels[:]).tolist() == [2, 2, 2]


def test_moved_files_are_the_same_run_and_changed_ones_another(tmp_path):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    greys(tmp_path / "here" / "train.parquet", range(40))
    shutil.copy(tmp_path / "here" / "train.parquet", tmp_path / "there" / "train.parquet")
    one, moved = (study(tmp_path / folder).cells[0].run for folder in ("here", "there"))
    greys(tmp_path / "there" / "train.parquet", range(1, 41))
    changed = study(tmp_path / "there").cells[0].run
    assert one.trunk.data.path != moved.trunk.data.path
    assert identity(one) == identity(moved) != identity(changed)


def test_a_picture_is_resized_and_its_central_square_cut_out(tmp_path):
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:, 32:64] = 255  # the central square is white
    Image.fromarray(wide).save(tmp_path / "wide.png")
    write(tmp_path / "train.parquet", layout([(tmp_path / "wide.png").read_bytes()] * 9, [0] * 9))
    whole, part = (load(spec(tmp_path, more=more)).pixels[:] for more in ("", ", resize: 32"))
    assert whole.shape == part.shape == (6, 16, 16, 3)
    assert whole[:, :, 1:-1].min() == part.min() == 1.0 and whole.min() > 0.5


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "L"), ("PNG", "P"), ("PNG", "RGBA"), ("PNG", "1"), ("JPEG", "CMYK"), ("WEBP", "RGB")]
)
def test_all_kinds_of_pictures_become_three_channels(kind, mode, tmp_path):
    write(tmp_path / "train.parquet", layout([jpeg((255, 255, 255), (20, 30), kind, mode)] * 9, [0] * 9))
    np.testing.assert_allclose(load(spec(tmp_path)).pixels[:], 1.0, atol=0.02)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (pa.table({"a": [b"x"], "b": [b"x"], "label": [1]}), "data.columns: {image: NAME}; there are a (binary), b"),
        (pa.table({"image": ["a.png"], "label": [1]}), "column image is string; encoded pictures are bytes"),
        (pa.table({"image": [b"x"], "fine": [1], "coarse": [1]}), "data.columns: {label: NAME}; there are"),
        (pa.table({"image.bytes": [b"x"], "label": [0.5]}), "column label is double; labels are whole numbers, words"),
        (pa.table({"image.bytes": [b"x"] * 2, "label": [1, None]}), "rows 0 to 1: a label is missing"),
        (pa.table({"image.bytes": [b"x"] * 2, "label": ["cat", None]}), "row 1: no label"),
        (pa.table({"image.bytes": [b"x"], "label": pa.array([None], pa.int64())}), "rows 0 to 0: a label is missing"),
        (pa.table({"image.bytes": [b"x"] * 2, "label": [1, -1]}), "rows 0 to 1: a label is -1"),
    ],
)
def test_wrong_columns_are_refused_at_planning_with_the_file(table, words, tmp_path):
    write(tmp_path / "train.parquet", table)
    said = refusal(tmp_path)
    assert f"data.source: {tmp_path}/train.parquet" in said and words in said


def test_labels_above_the_classes_are_refused_at_planning(tmp_path):
    greys(tmp_path / "train.parquet", range(40), classes=4)
    assert "has the label 3, and 3 classes" in refusal(tmp_path, more=", num_classes: 3")
    greys(tmp_path / "test.parquet", range(40), classes=5)
    assert "data.test: it has the label 4" in refusal(tmp_path, more=", test: test.parquet")


def test_files_that_do_not_tell_their_classes_ask_for_them(tmp_path):
    table = layout([grey(one) for one in range(9)], [5] * 9)
    write(tmp_path / "train.parquet", table, write_statistics=False)
    assert "data.num_classes: missing" in refusal(tmp_path)
    with pytest.raises(Unreadable, match=r"train.parquet, row 0: label 5 is not from 0 to 3"):
        load(spec(tmp_path, more=", num_classes: 4"))


def test_a_training_and_a_test_file_that_cannot_be_read_are_each_told_of_themselves(tmp_path):
    write(tmp_path / "train.parquet", pa.table({"image": [b"x"], "fine": [1], "coarse": [1]}))
    gone = refusal(tmp_path, more=", test: gone.parquet")
    assert f"data.test: {tmp_path}/gone.parquet: no parquet files there" in gone and gone.count("data.columns") == 1
    greys(tmp_path / "test.parquet", range(3))
    assert refusal(tmp_path, more=", test: test.parquet").endswith("1 error; nothing was started.")


def test_too_few_images_are_refused_at_planning(tmp_path):
    greys(tmp_path / "train.parquet", range(7))
    assert "6 is more than 5: parquet:train.parquet has 7 images, 2 are held out" in refusal(tmp_path)
    greys(tmp_path / "test.parquet", range(3))
    greys(tmp_path / "train.parquet", range(5))
    assert "lower data.held_out" not in refusal(tmp_path, more=", test: test.parquet")
    assert "4 is more than the 3 of data.test" in refusal(tmp_path, more=", test: test.parquet, held_out: 4")


def test_a_file_that_is_no_parquet_is_refused_at_planning(tmp_path):
    (tmp_path / "train.parquet").write_bytes(b"PAR1 but no more than that PAR1")
    assert f"data.source: {tmp_path}/train.parquet: " in refusal(tmp_path)


@pytest.mark.parametrize("damaged", [grey(1)[:60], b"not a picture", b"", None, jpeg((9, 9, 9), (500, 500))[:-700]])
def test_a_corrupt_image_is_named_with_file_and_row(damaged, tmp_path, monkeypatch):
    monkeypatch.setattr("scalectl.trainer.data.survey.LOOKED_AT", 0)  # planning sees none of them
    greys(tmp_path / "a" / "0.parquet", range(20))
    pictures = [damaged if number == 13 else grey(number) for number in range(20)]
    write(tmp_path / "a" / "1.parquet", layout(pictures, [number % 3 for number in range(20)]))
    with pytest.raises(BadImage, match=r"a/1\.parquet, row 13: "):
        split(spec(tmp_path, "parquet:a", ", held_out: 1")).pool.pixels[:]


def test_a_file_that_changed_since_the_plan_is_said(tmp_path):
    greys(tmp_path / "train.parquet", range(40))
    planned = spec(tmp_path)
    greys(tmp_path / "train.parquet", range(1, 41))
    with pytest.raises(Unreadable, match="changed since the study was planned"):
        load(planned)


def test_batches_show_what_the_subset_holds(tmp_path):
    greys(tmp_path / "train.parquet", range(40))
    trunk = study(tmp_path).cells[0].run.trunk
    pixels, labels = Batches(trunk).stacked(0, 3)
    seen = levels(as_seen(pixels).reshape(-1, 16, 16, 3))
    assert sorted(seen[:6]) == sorted(seen[6:]) == sorted(levels(load(trunk.data).pixels[:]))
    assert labels.reshape(-1).tolist() == [level % 3 for level in seen]


@pytest.mark.slow
def test_a_run_on_pictures_ends_with_its_metrics(tmp_path):
    greys(tmp_path / "train.parquet", range(40))
    events = list(train(from_scratch(plan(study(tmp_path)).jobs[-1].job, str(tmp_path / "alone"))))
    assert isinstance(events[-1], Done)
    readings = {event.metric: event.value for event in events if isinstance(event, Measurement)}
    assert set(readings) == {"upstream/loss", "upstream/error"} and 0.0 <= readings["upstream/error"] <= 1.0


def test_planning_loads_no_heavy_library(tmp_path):
    greys(tmp_path / "train.parquet", range(40))
    file = study(tmp_path).path
    reading = f"import sys; from scalectl.orchestrator.experiment.reading import read; read({file!r})"
    code = f"{reading}; print({HEAVY!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_cifar10_reads_as_it_lies_there(tmp_path):
    source = cifar10("test")
    (tmp_path / "experiments.yaml").write_text(STUDY.format(source=f"parquet:{source}", more="").replace(" 16", " 32"))
    found = read(tmp_path / "experiments.yaml").cells[0].run.trunk.data
    assert (found.num_classes, found.held_out) == (10, 2000)
    labels = files.read_table(source, columns=["label"])["label"].to_numpy()
    both = split(found)
    seen = np.concatenate([both.pool.labels[:], both.held_out.labels[:]])
    assert np.bincount(seen).tolist() == np.bincount(labels).tolist() == [1000] * 10
    assert load(found).pixels[:].shape == (6, 32, 32, 3)
