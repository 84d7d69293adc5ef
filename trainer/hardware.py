"""The published rates of matrix products of accelerators, and the share of them that a training speed is (MFU)."""

from collections.abc import Collection

from scalectl.trainer.spec import Precision

# Dense products, in FLOP/s of one JAX device, from the makers' own pages: cloud.google.com/tpu/docs (the page of each
# version; a chip of v2 or v3 is two devices) and NVIDIA's data sheets of A100, H100, H200 and B200, whose figures with
# sparsity are halved. JAX's default for products of float32 is one pass of bfloat16 on a TPU and tf32 on these GPUs
# (jax.lax.Precision), so those rates are what a float32 model can reach there.
_PEAKS: dict[str, tuple[float, float]] = {  # bfloat16, float32
    "TPU v2": (22.5e12, 22.5e12),
    "TPU v3": (61.5e12, 61.5e12),
    "TPU v4": (275e12, 275e12),
    "TPU v5 lite": (197e12, 197e12),
    "TPU v5e": (197e12, 197e12),
    "TPU v5": (459e12, 459e12),
    "TPU v5p": (459e12, 459e12),
    "TPU v6 lite": (918e12, 918e12),
    "TPU v6e": (918e12, 918e12),
    "TPU7x": (1153.5e12, 1153.5e12),  # a chip is two devices
    "NVIDIA A100-SXM4-40GB": (312e12, 156e12),
    "NVIDIA A100-SXM4-80GB": (312e12, 156e12),
    "NVIDIA A100-PCIE-40GB": (312e12, 156e12),
    "NVIDIA A100 80GB PCIe": (312e12, 156e12),
    "NVIDIA H100 80GB HBM3": (989.4e12, 494.7e12),
    "NVIDIA H100 PCIe": (756e12, 378e12),
    "NVIDIA H100 NVL": (835.5e12, 417.5e12),
    "NVIDIA H200": (989.5e12, 494.5e12),
    "NVIDIA H200 NVL": (835.5e12, 417.5e12),
    "NVIDIA B200": (2250e12, 1125e12),
}


def peak(kinds: Collection[str], precision: Precision) -> float | None:
    """The FLOP/s of devices of these kinds together; None where one has no published rate, as no CPU has."""
    if not set(kinds) <= _PEAKS.keys():
        return None
    return sum(_PEAKS[kind][precision == "float32"] for kind in kinds)


def utilisation(flops_per_second: float, peak: float | None) -> float | None:
    """Model FLOPs utilisation (PaLM, arXiv 2204.02311, appendix B) as a fraction; None without a peak.

    The FLOPs are those of `trainer.flops.training_flops`: three forward passes, element-wise ones included, and none
    for what rematerialisation computes again.
    """
    return flops_per_second / peak if peak else None
