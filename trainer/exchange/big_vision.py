"""The layout of google-research/big_vision's models/vit.py, as its npz files have it; timm reads these as well."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from scalectl.trainer.exchange.parameters import Parameters
from scalectl.trainer.spec import TrunkSpec

Named = Iterator[tuple[str, np.ndarray]]


def arrays(variables: Any, trunk: TrunkSpec) -> dict[str, np.ndarray]:
    """The arrays of a model by big_vision's names, under `params/`; raises Unwritable."""
    source = Parameters(variables, trunk)
    named = {f"params/{name}": array for name, array in _model(source)}
    source.finish()
    return named


def arguments(trunk: TrunkSpec) -> dict[str, Any]:
    """The arguments of its `Model`; fixed positions are a table in the file, so they count as learned."""
    model = trunk.model
    layer = {"rep_size": True} if trunk.recipe.pre_logits == "tanh" else {}
    return {
        "num_classes": trunk.data.num_classes,
        "patch_size": (model.patch_size, model.patch_size),
        "width": model.width,
        "depth": model.depth,
        "mlp_dim": model.mlp_dim,
        "num_heads": model.num_heads,
        "posemb": "learn",
        "pool_type": trunk.recipe.head,
        "dtype_mm": trunk.recipe.precision,
        **layer,
    }


def _model(source: Parameters) -> Named:
    yield from _pair("embedding", "kernel", source.patches())
    yield "pos_embedding", source.positions()
    if source.trunk.recipe.head == "tok":
        yield "cls", source.take("token")
    for layer in range(source.trunk.model.depth):
        yield from _block(source, f"block_{layer}", f"Transformer/encoderblock_{layer}")
    yield from _pair("Transformer/encoder_norm", "scale", source.norm("norm"))
    if source.trunk.recipe.head == "map":
        yield from _pool(source)
    if source.trunk.recipe.pre_logits == "tanh":
        yield from _pair("pre_logits", "kernel", source.dense("pre_logits"))
    yield from _pair("head", "kernel", source.dense("head"))


def _block(source: Parameters, ours: str, theirs: str) -> Named:
    yield from _pair(f"{theirs}/LayerNorm_0", "scale", source.norm(f"{ours}/attention_norm"))
    attention, heads = f"{theirs}/MultiHeadDotProductAttention_0", source.trunk.model.num_heads
    yield from _inputs(attention, ("query", "key", "value"), source.dense(f"{ours}/qkv"), heads)
    yield from _output(attention, source.dense(f"{ours}/out"), heads)
    yield from _pair(f"{theirs}/LayerNorm_1", "scale", source.norm(f"{ours}/mlp_norm"))
    yield from _mlp(source, f"{ours}/mlp", f"{theirs}/MlpBlock_0")


def _pool(source: Parameters) -> Named:
    attention, heads = "MAPHead_0/MultiHeadDotProductAttention_0", source.trunk.model.num_heads
    yield "MAPHead_0/probe", source.take("pool/probe")[None]
    yield from _inputs(attention, ("query",), source.dense("pool/q"), heads)
    yield from _inputs(attention, ("key", "value"), source.dense("pool/kv"), heads)
    yield from _output(attention, source.dense("pool/out"), heads)
    yield from _pair("MAPHead_0/LayerNorm_0", "scale", source.norm("pool/norm"))
    yield from _mlp(source, "pool/mlp", "MAPHead_0/MlpBlock_0")


def _mlp(source: Parameters, ours: str, theirs: str) -> Named:
    yield from _pair(f"{theirs}/Dense_0", "kernel", source.dense(f"{ours}/up"))
    yield from _pair(f"{theirs}/Dense_1", "kernel", source.dense(f"{ours}/down"))


def _inputs(name: str, parts: tuple[str, ...], layer: tuple[np.ndarray, np.ndarray], heads: int) -> Named:
    """Yield projections that lie side by side in one layer, each as (D, heads, K) with a bias (heads, K)."""
    kernels, biases = (np.split(array, len(parts), axis=-1) for array in layer)
    for part, kernel, bias in zip(parts, kernels, biases, strict=True):
        yield f"{name}/{part}/kernel", kernel.reshape(len(kernel), heads, -1)
        yield f"{name}/{part}/bias", bias.reshape(heads, -1)


def _output(name: str, layer: tuple[np.ndarray, np.ndarray], heads: int) -> Named:
    kernel, bias = layer
    yield f"{name}/out/kernel", kernel.reshape(heads, -1, kernel.shape[-1])
    yield f"{name}/out/bias", bias


def _pair(name: str, first: str, layer: tuple[np.ndarray, np.ndarray]) -> Named:
    yield f"{name}/{first}", layer[0]
    yield f"{name}/bias", layer[1]
