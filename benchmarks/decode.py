"""What a training image costs beside the bare decoding of its JPEG, on one core.

uv run python benchmarks/decode.py [--images 400] [--parquet FILE --side 32] [--array-record] [--cached]

Without a parquet file, photograph-like pictures of 500 x 375 pixels are made and seen at 224 pixels.
With --array-record the same pictures are read from an ArrayRecord file. With --cached they are read from `data.cache`,
too: whole, and as squares that are an eighth larger, of which the device takes crops.
"""

import argparse
import io
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet as files

from scalectl.trainer.data import squares
from scalectl.trainer.data.batches import Batches
from scalectl.trainer.data.registry import Part
from scalectl.trainer.data.split import split
from scalectl.trainer.spec import DataSpec, ModelSpec, RecipeSpec, TrunkSpec

BATCH = 50
ROUNDS = 5


def photograph(seed: int) -> bytes:
    """A JPEG of 500 x 375 pixels with the spectrum of a photograph: amplitudes fall as one over the frequency."""
    random = np.random.default_rng(seed)
    down, across = np.fft.fftfreq(375)[:, None], np.fft.fftfreq(500)
    spectrum = np.fft.fft2(random.normal(size=(3, 375, 500))) / (np.hypot(down, across) + 1e-3)
    shades = np.fft.ifft2(spectrum).real
    colours = 127.5 + 60 * shades / shades.std(axis=(1, 2), keepdims=True)
    file = io.BytesIO()
    Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8).transpose(1, 2, 0)).save(file, "JPEG", quality=90)
    return file.getvalue()


def photographs(folder: Path, count: int) -> Path:
    images = [{"bytes": photograph(seed)} for seed in range(count)]
    files.write_table(pa.table({"image": images, "label": [0] * count}), folder / "photographs.parquet")
    return folder / "photographs.parquet"


def array_record(folder: Path, file: Path, count: int) -> Path:
    """The first pictures of a parquet file as tf.train.Example records."""
    from array_record.python.array_record_module import ArrayRecordWriter

    writer = ArrayRecordWriter(str(folder / "pictures.array_record"), "group_size:1")
    pictures = Part("parquet", str(file)).store(Part("parquet", str(file)).contents().digest)
    for row in range(count):
        features = {b"image": tagged(1, tagged(1, bytes(pictures.encoded(row)))), b"label": tagged(3, tagged(1, b"\0"))}
        entries = [tagged(1, tagged(1, name) + tagged(2, feature)) for name, feature in features.items()]
        writer.write(tagged(1, b"".join(entries)))
    writer.close()
    return folder / "pictures.array_record"


def tagged(number: int, content: bytes) -> bytes:
    """A field of a protobuf message: its number and kind, the length, the content."""
    length, count = b"", len(content)
    while count > 127:
        length, count = length + bytes([count & 127 | 128]), count >> 7
    return bytes([number << 3 | 2]) + length + bytes([count]) + content


def best(work: Callable[[int], object]) -> float:
    """The least CPU seconds of several rounds; the first one warms up."""
    spent = []
    for number in range(ROUNDS + 1):
        began = time.process_time()
        work(number)
        spent.append(time.process_time() - began)
    return min(spent[1:])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--parquet", type=Path)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--array-record", action="store_true")
    parser.add_argument("--cached", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        kind, file = "parquet", asked.parquet or photographs(Path(folder), asked.images)
        if asked.array_record:
            kind, file = "array_record", array_record(Path(folder), file, asked.images)
        measure(kind, file, asked.images, asked.side, cached=asked.cached)


def measure(kind: str, file: Path, images: int, side: int, *, cached: bool) -> None:
    content = Part(kind, str(file)).contents().digest
    data = DataSpec(kind, images, 0, 0, 0, side, 3, 1000, resize=side * 8 // 7, content=content, path=str(file))
    recipe = RecipeSpec(BATCH, "float32", "map", 0.0, "sigmoid", "adafactor", 1e-3, 1.0, 3.0, 0.03, 20, 100)
    trunk = TrunkSpec(ModelSpec(192, 12, 768, 3, 16), data, recipe, 0)
    training = Batches(replace(trunk, data=replace(data, crop=True, flip=True)))
    evaluation = Batches(trunk)
    steps = images // BATCH
    encoded = [bytes(Part(kind, str(file)).store(content).encoded(int(row))) for row in training.images.rows]

    def bare(_: int) -> None:
        for one in encoded:
            np.asarray(Image.open(io.BytesIO(one)))

    ways = {
        "bare decode": bare,
        "training, crop and flip": lambda number: [training.batch(number * steps + step) for step in range(steps)],
        "evaluation, central crop": lambda number: [evaluation.batch(number * steps + step) for step in range(steps)],
    }
    if cached:
        for name, more in {"whole": {}, "crops": {"crop": True, "cache": side * 8 // 7}}.items():
            batches = kept(replace(trunk, data=replace(data, cached=images, flip=True, **more)))
            ways[f"cached, {name}"] = lambda number, of=batches: [of.batch(number * steps + n) for n in range(steps)]
    alone = 0.0
    for name, way in ways.items():
        spent = best(way) / images
        alone = alone or spent
        print(f"{name:26}{1e3 * spent:8.3f} ms an image {spent / alone:6.2f} x bare {1 / spent:8.0f} images/s a core")


def kept(trunk: TrunkSpec) -> Batches:
    """Batches of cached images, which are written first."""
    for _ in squares.write(trunk.data, split(trunk.data).pool):
        pass
    return Batches(trunk)


if __name__ == "__main__":
    main()
