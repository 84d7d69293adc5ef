"""The layout of timm's VisionTransformer: its state dict, and the arguments of `timm.create_model` that fit it."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from scalectl.trainer.exchange.parameters import Parameters
from scalectl.trainer.spec import ModelSpec, TrunkSpec

ARCHITECTURE = "vit_base_patch16_224"  # of which every size is an argument
POOLS = {"map": "map", "gap": "avg", "tok": "token"}

Named = Iterator[tuple[str, np.ndarray]]


def arrays(variables: Any, trunk: TrunkSpec) -> dict[str, np.ndarray]:
    """The arrays of a model by timm's names; raises Unwritable."""
    source = Parameters(variables, trunk)
    named = dict(_model(source))
    source.finish()
    return named


def arguments(trunk: TrunkSpec) -> dict[str, Any]:
    """The arguments of `timm.create_model` beside the name and the number of classes."""
    model, head = trunk.model, trunk.recipe.head
    return {
        "img_size": trunk.data.image_size,
        "patch_size": model.patch_size,
        "in_chans": trunk.data.channels,
        "embed_dim": model.width,
        "depth": model.depth,
        "num_heads": model.num_heads,
        "mlp_ratio": mlp_ratio(model),
        "act_layer": "gelu_tanh",
        "global_pool": POOLS[head],
        "class_token": head == "tok",
        "no_embed_class": True,
        "fc_norm": False,
    }


def reads_npz(trunk: TrunkSpec) -> bool:
    """Whether timm reads a model from big_vision's files: not a patch of one number, nor a layer after pooling."""
    return (trunk.model.patch_size > 1 or trunk.data.channels > 1) and trunk.recipe.pre_logits == "none"


def config(trunk: TrunkSpec, document: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a run with what timm reads of the config.json of a folder, its `local-dir:`."""
    seen, classes = document["preprocessing"], trunk.data.num_classes
    entries = {
        "architecture": ARCHITECTURE,
        "num_classes": classes,
        "num_features": trunk.model.width,
        "model_args": arguments(trunk),
        "pretrained_cfg": {
            "num_classes": classes,
            "input_size": [trunk.data.channels, trunk.data.image_size, trunk.data.image_size],
            "fixed_input_size": True,
            "crop_pct": crop_share(trunk.data.image_size, seen["resize"] or trunk.data.image_size),
            "crop_mode": "center",
            "interpolation": seen["interpolation"],
            "mean": seen["mean"],
            "std": seen["std"],
            "pool_size": None,
            "first_conv": "patch_embed.proj",
            "classifier": "head",
        },
    }
    if document["labels"]:
        entries["label_names"] = document["labels"]
    return entries | dict(document)


def crop_share(side: int, resize: int) -> float:
    """The share of the resized side that is shown, as timm takes it: divided by, then cut to a whole number."""
    share = side / resize
    while int(side / share) < resize:
        share = math.nextafter(share, 0)
    return share


def mlp_ratio(model: ModelSpec) -> float:
    """The factor that makes `mlp_dim` of the width, as timm does it: multiplied, then cut to a whole number."""
    ratio = model.mlp_dim / model.width
    while int(model.width * ratio) < model.mlp_dim:
        ratio = math.nextafter(ratio, math.inf)
    return ratio


def _model(source: Parameters) -> Named:
    kernel, bias = source.patches()
    yield "patch_embed.proj.weight", kernel.transpose(3, 2, 0, 1)
    yield "patch_embed.proj.bias", bias
    yield "pos_embed", source.positions()
    if source.trunk.recipe.head == "tok":
        yield "cls_token", source.take("token")
    for layer in range(source.trunk.model.depth):
        ours, theirs = f"block_{layer}", f"blocks.{layer}"
        yield from _norm(f"{theirs}.norm1", source.norm(f"{ours}/attention_norm"))
        yield from _linear(f"{theirs}.attn.qkv", source.dense(f"{ours}/qkv"))
        yield from _linear(f"{theirs}.attn.proj", source.dense(f"{ours}/out"))
        yield from _norm(f"{theirs}.norm2", source.norm(f"{ours}/mlp_norm"))
        yield from _mlp(source, f"{ours}/mlp", f"{theirs}.mlp")
    yield from _norm("norm", source.norm("norm"))
    if source.trunk.recipe.head == "map":
        yield "attn_pool.latent", source.take("pool/probe")[None]
        for part, name in (("q", "q"), ("kv", "kv"), ("out", "proj")):
            yield from _linear(f"attn_pool.{name}", source.dense(f"pool/{part}"))
        yield from _norm("attn_pool.norm", source.norm("pool/norm"))
        yield from _mlp(source, "pool/mlp", "attn_pool.mlp")
    yield from _linear("head", source.dense("head"))


def _mlp(source: Parameters, ours: str, theirs: str) -> Named:
    yield from _linear(f"{theirs}.fc1", source.dense(f"{ours}/up"))
    yield from _linear(f"{theirs}.fc2", source.dense(f"{ours}/down"))


def _linear(name: str, layer: tuple[np.ndarray, np.ndarray]) -> Named:
    yield f"{name}.weight", layer[0].T
    yield f"{name}.bias", layer[1]


def _norm(name: str, layer: tuple[np.ndarray, np.ndarray]) -> Named:
    yield f"{name}.weight", layer[0]
    yield f"{name}.bias", layer[1]
