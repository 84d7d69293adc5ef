#!/bin/sh
# TensorFlow's sample_distorted_bounding_box, the crop of Inception that big_vision and many ViT recipes train on, doesn't draw the
# area uniformly from area_range, as torchvision's RandomResizedCrop and most descriptions of it do. It draws the aspect ratio, then
# the height in pixels uniformly between the bounds that the area allows. Areas go with the square of the height, so that small crops
# are far more frequent: with area_range (0.05, 1) of a picture of 224 x 224 the mean share is about .37, where a uniform area has .525,
# and 40 % of the crops in place of 21 % show less than a quarter of the picture. The function has no option for the other rule.
# Shown with tensorflow-cpu 2.19.0 from PyPI alone. Exit 0: it is as described. 1: areas look uniform, or otherwise unlike this.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tensorflow-cpu==2.19.0 numpy==2.1.3
TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES= "$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import tensorflow as tf

SIDE, DRAWS = 224, 4000
whole = tf.zeros([0, 0, 4])


@tf.function(autograph=False)
def drawn():
    def one(seed):
        _, size, _ = tf.image.stateless_sample_distorted_bounding_box(
            [SIDE, SIDE, 3],
            whole,
            seed=tf.stack([seed, 7]),
            aspect_ratio_range=(3 / 4, 4 / 3),
            area_range=(0.05, 1.0),
            max_attempts=100,
            min_object_covered=0.0,
            use_image_if_no_bounding_boxes=True,
        )
        return size[:2]

    return tf.map_fn(one, tf.range(DRAWS), fn_output_signature=tf.int32)


height, width = drawn().numpy().T
share = height * width / SIDE**2
square = np.abs(width / height - 1) < 0.1  # of nearly square crops the bounds are those of the area alone
heights = height[square] / SIDE
quarters, _ = np.histogram(heights, bins=np.linspace(np.sqrt(0.05), 1, 5))
print("tensorflow", tf.__version__, f"{DRAWS} crops of {SIDE} x {SIDE}, area_range (0.05, 1)")
print(f"mean share of the area {share.mean():.3f} (uniform: 0.525)")
print(f"below a quarter of the picture {np.mean(share < 0.25):.3f} (uniform: 0.211)")
print(f"heights of nearly square crops, by quarter of their range: {(quarters / quarters.sum()).round(2).tolist()}")
uniform_in_height = abs(quarters / quarters.sum() - 0.25).max() < 0.06
sys.exit(not (0.36 < share.mean() < 0.39 and 0.38 < np.mean(share < 0.25) < 0.42 and uniform_in_height))
PYTHON
