"""Rates of devices against what their makers publish of whole machines."""

import pytest

from scalectl.trainer.hardware import peak, utilisation

# PFLOP/s as printed: Cloud TPU's pages of v3, v4 and v5p pods; NVIDIA's DGX A100 (with sparsity, which doubles it), and
# DGX H100 (of 8 bits with sparsity, four times as much)
MACHINES = [
    ("TPU v3", 2048, 1, 126),
    ("TPU v4", 4096, 1, 1126),
    ("TPU v5p", 8960, 1, 4113),
    ("TPU v6e", 256, 1, 235),
    ("NVIDIA A100-SXM4-80GB", 8, 2, 5),
    ("NVIDIA H100 80GB HBM3", 8, 4, 32),
]


@pytest.mark.parametrize(("kind", "devices", "counted", "printed"), MACHINES)
def test_devices_make_up_the_machines_that_are_built_of_them(kind, devices, counted, printed):
    assert counted * peak([kind] * devices, "bfloat16") == pytest.approx(printed * 1e15, rel=0.011)


def test_float32_is_multiplied_as_tf32_on_gpus_and_as_bfloat16_on_tpus():
    assert peak(["NVIDIA H200"], "float32") == pytest.approx(peak(["NVIDIA H200"], "bfloat16") / 2, rel=1e-3)
    assert peak(["TPU v4"], "float32") == peak(["TPU v4"], "bfloat16")


@pytest.mark.parametrize("kinds", [["cpu"], ["TPU v4", "cpu"], ["NVIDIA A100-SXM4-80GB MIG 1g.10gb"]])
def test_a_device_without_a_published_rate_has_no_peak_and_no_utilisation(kinds):
    assert utilisation(1e12, peak(kinds, "bfloat16")) is None


def test_the_paper_s_largest_model_ran_at_two_fifths_of_its_cores():
    # G/14 of arXiv 2106.04560: 27,498 TPUv3 core-days for 5M steps of 4096 images of 3 x 965.3 GFLOPs
    speed = 5e6 * 4096 * 3 * 965.3e9 / (27_498 * 86_400)
    assert utilisation(speed, peak(["TPU v3"], "float32")) == pytest.approx(0.41, abs=0.005)
