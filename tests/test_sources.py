"""What plan and validate show of the images that a study reads, and what they leave out or refuse."""

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from pictures import STUDY, grey, greys, layout, write
from PIL import Image

from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.errors import InvalidExperiment
from scalectl.orchestrator.experiment.reading import read
from scalectl.trainer.data.split import split
from scalectl.trainer.spec import DataSpec


def run(*words: str) -> Result:
    return CliRunner().invoke(scalectl, words)


def study(folder: Path, source: str = "folder:train", more: str = "") -> Path:
    (folder / "e.yaml").write_text(STUDY.format(source=source, more=more))
    return folder / "e.yaml"


def refusal(file: Path) -> str:
    with pytest.raises(InvalidExperiment) as caught:
        read(file)
    return str(caught.value)


def spec(file: Path) -> DataSpec:
    return read(file).cells[0].run.trunk.data


def picture(image: Image.Image, kind: str = "PNG", orientation: int = 1) -> bytes:
    stream, exif = io.BytesIO(), Image.Exif()
    if orientation != 1:
        exif[274] = orientation
    image.save(stream, kind, exif=exif)
    return stream.getvalue()


DEEP = picture(Image.fromarray(np.full((8, 8), 30000, np.uint16)))
FLOAT = picture(Image.fromarray(np.full((8, 8), 0.5, np.float32)), "TIFF")
CLEAR = picture(Image.new("RGBA", (8, 8), (9, 9, 9, 0)))
TURNED = picture(Image.new("RGB", (8, 12)), "JPEG", orientation=6)


def classes(folder: Path, more: dict[str, bytes] | None = None) -> Path:
    """Two classes of ten grey pictures of 16 x 16 pixels, and other files."""
    content = {f"train/{name}/{number}.PNG": grey(number) for name in ("ant", "bee") for number in range(10)}
    for place, data in (content | (more or {})).items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(data)
    return folder


def test_validate_says_what_a_folder_holds(tmp_path):
    classes(tmp_path, {"train/ant/new.tiff": picture(Image.new("RGB", (30, 20)), "TIFF"), "train/ant/notes.txt": b""})
    (tmp_path / "train" / "cat").mkdir()
    done = run("validate", str(study(tmp_path)))
    assert done.exit_code == 0
    for line in (
        "  training: folder:train · 21 images · 5 held out · 3 classes: ant, bee, cat\n",
        "    pictures: 16 x 16 to 30 x 20 pixels, most often 16 x 16; all looked at\n",
        "    left out: .txt (1)\n",
        "    no images of: cat\n",
        "warning: data.source: folder:train has no images of 1 of 3 classes: cat\n",
    ):
        assert line in done.output


def test_plan_says_it_as_text_and_as_json(tmp_path):
    classes(tmp_path, {"test/ant/0.png": TURNED, "test/bee/0.png": CLEAR})
    file = study(tmp_path, more=", test: test")
    shown = run("plan", str(file)).output
    assert "  training: folder:train · 20 images · 2 classes: ant, bee\n" in shown
    assert f"  test: folder:{tmp_path}/test · 2 images · 2 held out · 2 classes: ant, bee\n" in shown
    assert "    pictures: 8 x 8 to 12 x 8 pixels; 1 turned by EXIF; 1 transparent; all looked at\n" in shown
    training, test = json.loads(run("plan", str(file), "-o", "json").output)["data"]
    assert (training["images"], training["class_counts"], training["class_names"]) == (20, [10, 10], ["ant", "bee"])
    assert (test["use"], test["held_out"], test["pictures"]["turned"]) == ("test", 2, 1)


def test_images_that_are_not_in_files_are_described_too(tmp_path):
    file = study(tmp_path, "synthetic", ", held_out: 50")
    assert (
        "  training: synthetic · images without end · 50 held out · 10 classes · 16 x 16 pixels\n"
        in run("validate", str(file)).output
    )


LEFTOVERS = ("__MACOSX/ant/0.png", ".hidden/0.png", "ant/._0.png", "ant/.ipynb_checkpoints/0-checkpoint.png")
LEFTOVERS += ("bee/deep/@eaDir/0.png", "bee/deep/__MACOSX/0.png", "Thumbs.db", "ant/desktop.ini", "$RECYCLE.BIN/0.png")


def test_leftovers_change_nothing_at_any_depth(tmp_path):
    for place in ("clean", "used"):
        classes(tmp_path / place)
    classes(tmp_path / "used", {f"train/{leftover}": grey(200) for leftover in LEFTOVERS})
    clean, used = (spec(study(tmp_path / place)) for place in ("clean", "used"))
    assert clean == used
    assert (
        f"left out: leftovers of other programs ({len(LEFTOVERS)})\n"
        in run("validate", str(study(tmp_path / "used"))).output
    )


@pytest.mark.parametrize("source", ["parquet:train", "parquet:train/**/*.parquet", "parquet:tra*/*.parquet"])
def test_leftovers_among_parquet_files_are_no_files_of_theirs(source, tmp_path):
    greys(tmp_path / "train" / "0.parquet", range(20))
    for name in ("._0.parquet", "__MACOSX/._0.parquet", ".ipynb_checkpoints/0-checkpoint.parquet"):
        (tmp_path / "train" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "train" / name).write_bytes(b"\0\5\x16\7")
    assert spec(study(tmp_path, source)).num_classes == 3


def test_what_is_no_file_is_left_out(tmp_path):
    classes(tmp_path)
    os.mkfifo(tmp_path / "train" / "ant" / "pipe.png")
    (tmp_path / "train" / "ant" / "gone.png").symlink_to("/nowhere/at/all.png")
    done = run("validate", str(study(tmp_path)))
    assert (
        "20 images" in done.output and "links that lead nowhere and other things that are no files (2)" in done.output
    )


def test_damaged_pictures_are_named_at_once(tmp_path):
    classes(tmp_path, {"train/ant/empty.png": b"", "train/bee/cut.jpg": TURNED[:-9], "train/bee/text.gif": b"GIF?"})
    refused = refusal(study(tmp_path))
    assert "3 errors" in refused
    for words in ("ant/empty.png: no image", "bee/cut.jpg: ", "bee/text.gif: not a picture of a format that is read"):
        assert f"data.source: {tmp_path}/train/{words}" in refused


@pytest.mark.parametrize("source", ["folder:train", "parquet:train.parquet"])
def test_floats_need_a_range(source, tmp_path):
    classes(tmp_path, {"train/bee/depth.tif": FLOAT})
    write(tmp_path / "train.parquet", layout([FLOAT, *map(grey, range(20))], [0, 1, 2] * 7))
    place = {"folder:train": "train/bee/depth.tif", "parquet:train.parquet": "train.parquet, row 0"}[source]
    words = f"data.range: missing: {tmp_path}/{place} is grey of 32 bits or floats"
    assert words in refusal(study(tmp_path, source))
    ranged = spec(study(tmp_path, source, ", range: [0, 1], held_out: 1"))
    assert (ranged.black, ranged.white) == (0, 1)
    parts = split(ranged)
    shown = np.concatenate([parts.pool.pixels[:], parts.held_out.pixels[:]])[:, 0, 0, 0]
    assert 128 in np.rint((shown + 1) * 127.5)  # half of the range


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("range: [3, 3]", "both ends are 3"),
        ("range: 3", "3 is not a range"),
        ("range: [0, .inf]", "inf is not a finite number"),
        ("orientation: left", "'left' is not one of kept, turned"),
        ("background: pink", "'pink' is not one of none, white, black, grey"),
        ("max_pixels: 255", "has 16 x 16 pixels, more than 255"),
    ],
)
def test_wrong_keys_are_refused(key, words, tmp_path):
    assert words in refusal(study(classes(tmp_path), more=f", {key}"))


def test_keys_of_pictures_are_refused_where_there_are_none(tmp_path):
    words = "data.background: synthetic have no pictures to decode"
    assert words in refusal(study(tmp_path, "synthetic", ", background: white"))


def test_a_run_has_another_id_only_where_its_pictures_need_something(tmp_path):
    plain = spec(study(classes(tmp_path / "plain")))
    before = DataSpec(
        **{name: getattr(plain, name) for name in ("source", "size", "held_out", "subset_seed", "shift", "image_size")},
        channels=3,
        num_classes=2,
        resize=16,
        content=plain.content,
    )
    assert plain == before
    needs = {"deep.png": DEEP, "clear.png": CLEAR, "turned.jpg": TURNED}
    decided = {
        "deep.png": ("levels", "scaled"),
        "clear.png": ("background", "white"),
        "turned.jpg": ("orientation", "turned"),
    }
    for name, content in needs.items():
        seen = spec(study(classes(tmp_path / name, {f"train/ant/{name}": content})))
        key, value = decided[name]
        assert getattr(seen, key) == value != getattr(plain, key)
    kept = spec(study(tmp_path / "turned.jpg", more=", orientation: kept"))
    assert kept.orientation == "kept" == plain.orientation


def test_few_pictures_of_many_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr("scalectl.trainer.data.survey.LOOKED_AT", 5)
    done = run("validate", str(study(classes(tmp_path))))
    assert "pictures: 16 x 16 pixels; 5 of 20 looked at" in done.output
    for number in range(4):
        greys(tmp_path / "many" / f"{number}.parquet", range(30))
    assert "5 of 120 looked at" in run("validate", str(study(tmp_path, "parquet:many"))).output
