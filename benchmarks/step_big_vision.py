"""The peer big_vision: its model, optimizer and loss in a step as its trainer has one, in a plain Python loop.

It is no package; github.com/google-research/big_vision has to be cloned and its folder to be on the path. The model and
the optimizer are theirs, the settings those of their ImageNet recipe for ViTs where `step_shapes` has no others.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from step_shapes import CLIP, DECAY, FETCH, LR, TOTAL, WARMUP, Work, timed

import big_vision.optax as bv_optax  # isort: skip
import big_vision.utils as u  # isort: skip
from big_vision.models import vit  # isort: skip


class Config(dict):  # type: ignore[type-arg]
    """Settings by key and by attribute, as ml_collections has them."""

    __getattr__ = dict.__getitem__


CONFIG = Config(
    grad_clip_norm=CLIP,
    optax_name="scale_by_adam",
    optax={"mu_dtype": "bfloat16"},
    lr=LR,
    wd=DECAY * LR,  # decay, too, is multiplied by their schedule alone, whose height is 1
    schedule={"warmup_steps": WARMUP, "decay_type": "cosine"},
)


def norm(tree: Any) -> jax.Array:
    return jnp.sqrt(sum(jnp.sum(leaf * leaf) for leaf in jax.tree.leaves(tree)))


class Side:
    def __init__(self, work: Work, images: np.ndarray, labels: np.ndarray) -> None:
        spec = work.model
        shape = {"width": spec.width, "depth": spec.depth, "mlp_dim": spec.mlp_dim, "num_heads": spec.num_heads}
        patch = (spec.patch_size, spec.patch_size)
        self.model = vit.Model(work.classes, patch_size=patch, pool_type="gap", dtype_mm=work.precision, **shape)
        self.batch = {"image": images, "labels": np.eye(work.classes, dtype=np.float32)[labels]}
        params = jax.jit(self.model.init)(jax.random.key(0), images[:1])["params"]
        steps = {"total_steps": TOTAL, "batch_size": work.batch, "data_size": 1_281_167}
        self.tx, _ = bv_optax.make(CONFIG, params, sched_kw=steps)
        self.state = {"params": params, "opt": jax.jit(self.tx.init)(params)}
        self.rng = jax.random.key(1)
        self.compiling = timed(self._compile)

    def _compile(self) -> None:
        self.step = jax.jit(self._update, donate_argnums=0).lower(self.state, self.rng, self.batch).compile()

    def _update(self, state: Any, rng: Any, batch: Any) -> tuple[Any, Any]:
        """A step that reports what theirs does: the loss and the norms of gradients, parameters and updates."""
        dropout = jax.random.fold_in(rng, bv_optax.get_count(state["opt"], jittable=True))

        def loss_of(params: Any) -> jax.Array:
            logits, _ = self.model.apply({"params": params}, batch["image"], train=True, rngs={"dropout": dropout})
            return u.sigmoid_xent(logits=logits, labels=batch["labels"])

        loss, grads = jax.value_and_grad(loss_of)(state["params"])
        updates, opt = self.tx.update(grads, state["opt"], state["params"])
        params = optax.apply_updates(state["params"], updates)
        told = {"loss": loss, "grads": norm(grads), "params": norm(params), "updates": norm(updates)}
        return {"params": params, "opt": opt}, told

    def advance(self, steps: int) -> float:
        told = None
        for number in range(steps):
            self.state, told = self.step(self.state, self.rng, self.batch)
            if number % FETCH == 0:
                float(told["loss"])
        jax.block_until_ready(self.state)
        return float(told["loss"])
