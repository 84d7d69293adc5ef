"""Forward passes in NumPy of the layouts that others publish, written from their models and not from our conversion.

`big_vision` is google-research/big_vision's models/vit.py, and `timm` is timm's models/vision_transformer.py.
"""

from collections.abc import Mapping

import numpy as np

Arrays = Mapping[str, np.ndarray]


def softmax(x: np.ndarray) -> np.ndarray:
    weights = np.exp(x - x.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def normed(x: np.ndarray, scale: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6) * scale + bias


def windows(images: np.ndarray, size: int) -> np.ndarray:
    """Squares (batch, rows, columns, size, size, channels) of images (batch, height, width, channels)."""
    rows, columns = images.shape[1] // size, images.shape[2] // size
    squares = [
        images[:, y * size : (y + 1) * size, x * size : (x + 1) * size] for y in range(rows) for x in range(columns)
    ]
    return np.stack(squares, axis=1).reshape(len(images), rows, columns, size, size, -1)


def big_vision(file: Arrays, images: np.ndarray, pool: str) -> np.ndarray:
    """Logits of images (batch, height, width, channels)."""
    w = {name.removeprefix("params/"): array.astype(np.float64) for name, array in file.items()}

    def attention(name: str, queries: np.ndarray, x: np.ndarray) -> np.ndarray:
        q, k, v = (
            np.einsum("bnd,dhk->bnhk", inputs, w[f"{name}/{part}/kernel"]) + w[f"{name}/{part}/bias"]
            for part, inputs in (("query", queries), ("key", x), ("value", x))
        )
        weights = softmax(np.einsum("bqhk,bnhk->bhqn", q / np.sqrt(q.shape[-1]), k))
        mixed = np.einsum("bhqn,bnhk->bqhk", weights, v)
        return np.einsum("bqhk,hkd->bqd", mixed, w[f"{name}/out/kernel"]) + w[f"{name}/out/bias"]

    def norm(name: str, x: np.ndarray) -> np.ndarray:
        return normed(x, w[f"{name}/scale"], w[f"{name}/bias"])

    def mlp(name: str, x: np.ndarray) -> np.ndarray:
        hidden = gelu(x @ w[f"{name}/Dense_0/kernel"] + w[f"{name}/Dense_0/bias"])
        return hidden @ w[f"{name}/Dense_1/kernel"] + w[f"{name}/Dense_1/bias"]

    kernel = w["embedding/kernel"]
    x = np.einsum("byxijc,ijcd->byxd", windows(images, kernel.shape[0]), kernel) + w["embedding/bias"]
    x = x.reshape(len(images), -1, kernel.shape[-1]) + w["pos_embedding"]
    if pool == "tok":
        x = np.concatenate([np.tile(w["cls"], (len(images), 1, 1)), x], axis=1)
    layer = 0
    while f"Transformer/encoderblock_{layer}/LayerNorm_0/scale" in w:
        block = f"Transformer/encoderblock_{layer}"
        y = norm(f"{block}/LayerNorm_0", x)
        x = x + attention(f"{block}/MultiHeadDotProductAttention_0", y, y)
        x = x + mlp(f"{block}/MlpBlock_0", norm(f"{block}/LayerNorm_1", x))
        layer += 1
    x = norm("Transformer/encoder_norm", x)
    if pool == "map":
        probe = np.tile(w["MAPHead_0/probe"], (len(images), 1, 1))
        x = attention("MAPHead_0/MultiHeadDotProductAttention_0", probe, x)
        x = (x + mlp("MAPHead_0/MlpBlock_0", norm("MAPHead_0/LayerNorm_0", x)))[:, 0]
    else:
        x = {"gap": x.mean(axis=1), "tok": x[:, 0]}[pool]
    if "pre_logits/kernel" in w:
        x = np.tanh(x @ w["pre_logits/kernel"] + w["pre_logits/bias"])
    return x @ w["head/kernel"] + w["head/bias"]


def timm(state: Arrays, images: np.ndarray, arguments: Mapping[str, object]) -> np.ndarray:
    """Logits of images (batch, height, width, channels) by the arguments of `create_model`."""
    w = {name: array.astype(np.float64) for name, array in state.items()}
    heads = int(arguments["num_heads"])

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(name: str, x: np.ndarray) -> np.ndarray:
        return normed(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def split(x: np.ndarray, parts: int) -> np.ndarray:
        return x.reshape(*x.shape[:2], parts, heads, -1).transpose(2, 0, 3, 1, 4)  # part, batch, head, token, K

    def attend(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
        mixed = softmax(q @ k.swapaxes(-1, -2) * q.shape[-1] ** -0.5) @ v
        return mixed.transpose(0, 2, 1, 3).reshape(len(mixed), -1, heads * q.shape[-1])

    def mlp(name: str, x: np.ndarray) -> np.ndarray:
        return linear(f"{name}.fc2", gelu(linear(f"{name}.fc1", x)))

    kernel = w["patch_embed.proj.weight"]
    x = np.einsum("byxijc,dcij->byxd", windows(images, kernel.shape[-1]), kernel) + w["patch_embed.proj.bias"]
    x = x.reshape(len(images), -1, kernel.shape[0]) + w["pos_embed"]
    if arguments["class_token"]:
        assert arguments["no_embed_class"]
        x = np.concatenate([np.tile(w["cls_token"], (len(images), 1, 1)), x], axis=1)
    for layer in range(int(arguments["depth"])):
        block = f"blocks.{layer}"
        q, k, v = split(linear(f"{block}.attn.qkv", norm(f"{block}.norm1", x)), 3)
        x = x + linear(f"{block}.attn.proj", attend(q, k, v))
        x = x + mlp(f"{block}.mlp", norm(f"{block}.norm2", x))
    assert arguments["fc_norm"] is False
    x = norm("norm", x)
    if arguments["global_pool"] == "map":
        q = split(linear("attn_pool.q", np.tile(w["attn_pool.latent"], (len(images), 1, 1))), 1)[0]
        k, v = split(linear("attn_pool.kv", x), 2)
        y = linear("attn_pool.proj", attend(q, k, v))
        x = (y + mlp("attn_pool.mlp", norm("attn_pool.norm", y)))[:, 0]
    else:
        x = {"avg": x.mean(axis=1), "token": x[:, 0]}[arguments["global_pool"]]
    return linear("head", x)
