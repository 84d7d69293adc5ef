#!/bin/sh
# Hugging Face's datasets: a map whose function looks at a JPEG picture writes it again, compressed anew at Pillow's quality of 75,
# also where the function returns another column only. The picture of the new data set has other pixels, each further such map takes
# it further off, and nothing is said. A function that doesn't touch the picture, input_columns without it, and a filter keep
# the bytes; a picture that is returned converted is stored as PNG, without loss. Shown with datasets 5.2.0 and Pillow 13.0.0 from PyPI.
# Exit 0: it is as described. 1: the bytes are kept now where the picture was only looked at, or are changed elsewhere.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check datasets==5.2.0 pillow==13.0.0 numpy==2.4.6
cd "$folder"
HF_HOME="$folder/hf" HF_HUB_OFFLINE=1 venv/bin/python - <<'PYTHON'
import io
import sys

import datasets
import numpy as np
import PIL
from PIL import Image

datasets.disable_progress_bars()
walk = np.random.default_rng(0).normal(0, 6, (64, 64, 3)).cumsum(axis=0) + 128
file = io.BytesIO()
Image.fromarray(walk.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=95)
jpeg = file.getvalue()
features = datasets.Features(image=datasets.Image(), label=datasets.Value("int64"))
rows = datasets.Dataset.from_dict({"image": [{"bytes": jpeg, "path": None}], "label": [3]}, features=features)


def stored(rows):
    return rows.cast_column("image", datasets.Image(decode=False))[0]["image"]["bytes"]


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def width(row):
    return {"width": row["image"].width}


kept = {
    "label only": rows.map(lambda row: {"next": row["label"] + 1}),
    "input_columns=['label']": rows.map(lambda label: {"next": label + 1}, input_columns=["label"]),
    "filter by width": rows.filter(lambda row: row["image"].width > 0),
}
looked = {"width": rows.map(width), "width, twice": rows.map(width).map(width)}
print("datasets", datasets.__version__, "Pillow", PIL.__version__, f"a JPEG of {len(jpeg)} bytes")
for way, made in (kept | looked).items():
    data = stored(made)
    print(f"{way}: {len(data)} bytes, pixels off by {np.abs(pixels(data) - pixels(jpeg)).mean():.2f} on average")
right = all(stored(made) == jpeg for made in kept.values())
converted = stored(rows.map(lambda row: {"image": row["image"].convert("RGB")}))
right &= converted.startswith(b"\x89PNG") and np.array_equal(pixels(converted), pixels(jpeg))
quality75 = io.BytesIO()
Image.open(io.BytesIO(jpeg)).save(quality75, "JPEG", quality=75)
right &= stored(looked["width"]) == quality75.getvalue() != jpeg
sys.exit(not right)
PYTHON
