"""Parquet files of small pictures, made by hand, and those that are shared where they are at hand."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet
from runs import SHARED

from scalectl.orchestrator.errors import InvalidExperiment
from scalectl.orchestrator.experiment.reading import Experiment, read
from scalectl.trainer.data.colours import Colours
from scalectl.trainer.views import seen

STUDY = """\
version: 1
name: pictures
models: {{pico: {{width: 8, depth: 1, num_heads: 2, patch_size: 8}}}}
data: {{source: "{source}", sizes: [6], image_size: 16{more}}}
train: {{batch_size: 4, optimizer: {{name: adamw, lr: 3e-3}}, schedule: {{warmup: 2, timescale: 10}}}}
budgets: {{steps: [10]}}
"""


def study(folder: Path, source: str = "parquet:train.parquet", more: str = "") -> Experiment:
    """The study of these images, read from a file in a folder."""
    (folder / "experiments.yaml").write_text(STUDY.format(source=source, more=more))
    return read(folder / "experiments.yaml")


def refusal(folder: Path, source: str = "parquet:train.parquet", more: str = "") -> str:
    """What is wrong with the study of these images."""
    with pytest.raises(InvalidExperiment) as caught:
        study(folder, source, more)
    return str(caught.value)


def jpeg(colour: Sequence[int], size: tuple[int, int] = (16, 16), kind: str = "JPEG", mode: str = "RGB") -> bytes:
    """A picture of one colour as bytes."""
    file = io.BytesIO()
    Image.new("RGB", size, tuple(colour)).convert(mode).save(file, kind)
    return file.getvalue()


def grey(level: int) -> bytes:
    """A picture whose level of grey says which one it is."""
    return jpeg((level, level, level), kind="PNG")


def layout(images: Sequence[bytes | None], labels: Sequence[Any]) -> pa.Table:
    """Images and labels as Hugging Face's datasets lay them out."""
    rows = [{"bytes": one, "path": f"{number}.jpg"} for number, one in enumerate(images)]
    return pa.table({"image": rows, "label": pa.array(labels)})


def write(file: Path, table: pa.Table, **how: Any) -> Path:
    """Write a parquet file with several row groups."""
    file.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, file, row_group_size=7, **how)
    return file


def greys(file: Path, levels: Sequence[int], classes: int = 3) -> Path:
    """Write pictures of these levels of grey; the class of each is its level modulo the classes."""
    return write(file, layout([grey(level) for level in levels], [level % classes for level in levels]))


def as_seen(images: Any, side: int = 0) -> np.ndarray:
    """Batches as steps see them, from -1 to 1: what the device makes of Colours, and arrays as they are."""
    if not isinstance(images, Colours):
        return np.asarray(images)
    *stack, _, width, _ = images.pixels.shape
    flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[len(stack) :]), images)
    pixels = np.asarray(jax.jit(seen, static_argnums=1)(flat, side or width))
    return pixels.reshape(*stack, *pixels.shape[1:])


def levels(pixels: np.ndarray) -> list[int]:
    """The level of grey of each image."""
    assert pixels.dtype == np.float32 and np.ptp(pixels, axis=(1, 2, 3)).max() < 1e-6
    return np.rint((pixels[:, 0, 0, 0] + 1) * 127.5).astype(int).tolist()


def cifar10(name: str) -> Path:
    """The shared parquet file of CIFAR-10; skips where it is not at hand."""
    file = SHARED / "data" / "cifar10" / f"{name}.parquet"
    if not file.exists():
        pytest.skip(f"needs {file}: set SCALECTL_SHARED to the folder of shared data")
    return file
