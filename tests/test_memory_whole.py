"""The estimate of steps whose small model is whole on each device, against what libtpu 0.0.50.1 said of such steps.

None of them was fitted: the cells of benchmarks/preflight_cells.csv were compiled while the state of every model was
divided.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

from scalectl.trainer.memory import GIB, arrays, estimate, length_of
from scalectl.trainer.state_size import parts_of
from scalectl.trainer.topology import topology

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
from preflight_cells import Cell

IMAGES = (16, 224, 1000)
PEAKS = {  # GiB
    Cell(192, 12, 768, 3, *IMAGES, "map", "bfloat16", "scan", "full", "adafactor", 16_384, 0, "v5e:8x8"): 0.889,
    Cell(384, 4, 1536, 6, *IMAGES, "gap", "bfloat16", "loop", "none", "adamw", 2048, 0, "v5e:4x4"): 1.339,
    Cell(512, 6, 2048, 8, *IMAGES, "map", "float32", "scan", "none", "adamw", 256, 0, "v6e:2x4"): 3.316,
    Cell(256, 2, 1024, 8, 28, 224, 1000, "tok", "bfloat16", "loop", "full", "adamw", 2048, 0, "v4:2x2x4"): 0.223,
    Cell(192, 3, 768, 3, *IMAGES, "gap", "bfloat16", "loop", "none", "adafactor", 8192, 0, "v5p:2x4x4"): 1.125,
    Cell(384, 12, 1536, 6, *IMAGES, "map", "bfloat16", "scan", "full", "adamw", 4096, 0, "v5e:4x4"): 1.661,
    Cell(512, 4, 2048, 8, 32, 224, 1000, "map", "bfloat16", "scan", "full", "adafactor", 8192, 0, "v6e:2x4"): 2.183,
    Cell(384, 3, 1536, 6, 32, 224, 1000, "map", "float32", "loop", "full", "adafactor", 4096, 0, "v5e:4x4"): 0.716,
}


def test_estimates_are_near_the_peak_of_the_compiler():
    errors = np.array(
        [estimate(cell.trunk, topology(cell.topology)).peak / GIB / peak - 1 for cell, peak in PEAKS.items()]
    )
    assert np.abs(errors).max() < 0.14, errors


@pytest.mark.parametrize("cell", PEAKS, ids=lambda cell: f"{cell.width} on {cell.topology}")
def test_no_part_of_weights_is_passed_on_where_each_device_has_all_of_them(cell):
    slices = topology(cell.topology)
    assert parts_of(cell.trunk, slices.devices) == 1
    assert arrays(cell.trunk, slices, length_of(cell.trunk)).passed == 0
