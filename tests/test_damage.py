"""Damaged pictures: what is found before the first step, and how a run that meets one ends."""

import io

import numpy as np
import pytest
from pictures import STUDY, grey, jpeg, layout, write
from PIL import Image
from told import from_scratch

from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan
from scalectl.trainer.data import headers
from scalectl.trainer.data.headers import BadImage, damage, refuse
from scalectl.trainer.events import Failed
from scalectl.trainer.train import train

pytestmark = pytest.mark.usefixtures("own_cache")


def noise(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(37).integers(0, 256, (40, 60, 3), np.uint8)).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_a_sound_picture_has_none_and_a_part_of_it_is_damaged(kind):
    whole = noise(kind)
    assert damage(whole) == damage(memoryview(whole)) == ""
    assert all(damage(whole[:length]) for length in (0, 1, 10, len(whole) // 2))


def test_bytes_after_the_end_of_a_picture_are_no_damage():
    assert damage(noise("JPEG") + b"\0\0") == damage(noise("PNG") + b"more") == ""


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_that_begins_and_ends_well_is_not_decoded(kind, monkeypatch):
    monkeypatch.setattr(headers, "opened", None)
    assert damage(noise(kind)) == ""


def test_nothing_is_no_image():
    assert damage(None) == damage(b"") == "no image"


def test_damaged_pictures_are_named_together():
    refuse([])
    with pytest.raises(BadImage) as caught:
        refuse([f"row {row}" for row in range(8)])
    assert str(caught.value) == "row 0; row 1; row 2; row 3; row 4; and 3 more"


@pytest.mark.parametrize(
    ("damaged", "workers", "words"),
    [(jpeg((9, 9, 9))[:-70], 0, "row 13: "), (grey(13).replace(b"IDAT", b"JUNK"), 1, "row 13: not a picture")],
)
def test_a_run_that_meets_one_fails_with_file_and_row_and_no_traceback(damaged, workers, words, tmp_path, monkeypatch):
    monkeypatch.setattr("scalectl.trainer.data.survey.LOOKED_AT", 0)  # planning sees none of them
    write(tmp_path / "train.parquet", layout([damaged if at == 13 else grey(at) for at in range(30)], [0, 1, 2] * 10))
    text = STUDY.format(source="parquet:train.parquet", more=", held_out: 1").replace("[6]", "[29]")
    (tmp_path / "experiments.yaml").write_text(text + f"resources: {{default: {{workers: {workers}}}}}\n")
    experiment = read(tmp_path / "experiments.yaml")
    job = plan(experiment).jobs[-1].job
    *_, end = train(from_scratch(job, str(tmp_path / "alone")))
    assert isinstance(end, Failed) and end.kind == "bad_config"
    assert end.reason.startswith(f"{tmp_path}/train.parquet, {words}") and "\n" not in end.reason
