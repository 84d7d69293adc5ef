"""The plain script of other_trainer.py from the first weights of a study's runs, and on their batches.

uv run python benchmarks/same_start.py studies/cifar10/peer.yaml [--set KEY=VALUE] [--models M ...] [--steps S ...]
    [--seeds S ...] [--layouts matrices script] > same_start.csv

With equal weights and batches nothing is left between the two but how each computes. `matrices`: the script's step on
parameters laid out as scalectl has them. `script`: as the script has them, query, key and value apart and head by head
and the patches as a convolution, which are too narrow for Adafactor to factor their second moments. Each row is a run:
the errors of both on the study's test images, and how far apart the losses of a batch were at most.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import other_trainer as script
from flax.training.train_state import TrainState

from scalectl.orchestrator.experiment.reading import read
from scalectl.trainer.data.batches import Batches
from scalectl.trainer.evalset import EvalSet, evalsets
from scalectl.trainer.optimizer import settings
from scalectl.trainer.programs import Programs
from scalectl.trainer.spec import RunSpec
from scalectl.trainer.step import State, shape
from scalectl.trainer.views import seen

Tree = Mapping[str, Any]
LAYOUTS = ("matrices", "script")


def laid_out(ours: Tree, run: RunSpec) -> dict[str, Any]:
    """Parameters of scalectl's ViT as those of the script's, which names the layers of an MLP from the outer one."""
    model = run.trunk.model
    heads, size, pool = model.num_heads, model.patch_size, ours["pool"]

    def by_head(array: Any) -> Any:
        return array.reshape(*array.shape[:-1], heads, -1)

    def attention(layers: Mapping[str, Tree], out: Tree) -> dict[str, Any]:
        kernel = out["kernel"].reshape(heads, -1, model.width)
        return {**jax.tree.map(by_head, layers), "out": {"kernel": kernel, "bias": out["bias"]}}

    def mlp(layers: Tree) -> dict[str, Any]:
        return {"Dense_0": layers["down"], "Dense_1": layers["up"]}

    def block(layers: Tree) -> dict[str, Any]:
        return {
            "LayerNorm_0": layers["attention_norm"],
            "LayerNorm_1": layers["mlp_norm"],
            "MultiHeadDotProductAttention_0": attention(split(layers["qkv"], "query", "key", "value"), layers["out"]),
            "Mlp_0": mlp(layers["mlp"]),
        }

    kernel = ours["embedding"]["kernel"]
    return {
        "Conv_0": {"kernel": kernel.reshape(size, size, -1, model.width), "bias": ours["embedding"]["bias"]},
        "positions": ours["positions"][None],
        **{f"Block_{layer}": block(ours[f"block_{layer}"]) for layer in range(model.depth)},
        "LayerNorm_0": ours["norm"],
        "probe": pool["probe"][None],
        "MultiHeadDotProductAttention_0": attention(
            {"query": pool["q"], **split(pool["kv"], "key", "value")}, pool["out"]
        ),
        "LayerNorm_1": pool["norm"],
        "Mlp_0": mlp(pool["mlp"]),
        "head": ours["head"],
    }


def split(layer: Tree, *names: str) -> dict[str, Tree]:
    """A layer as those that lie side by side in it."""
    kernels, biases = (jnp.split(layer[kind], len(names), axis=-1) for kind in ("kernel", "bias"))
    return {name: {"kernel": k, "bias": b} for name, k, b in zip(names, kernels, biases, strict=True)}


def beginning(ours: Tree, run: RunSpec, layout: str) -> TrainState:
    """The script's state before its first step, with scalectl's parameters in a layout."""
    model, optimizer = script.ViT(run.trunk.model.width), script.optimizer(run.steps)
    ours = jax.tree.map(jnp.copy, ours)  # since a step takes the buffers that it is given
    if layout == "script":
        return TrainState.create(apply_fn=model.apply, params=laid_out(ours, run), tx=optimizer)

    def apply(variables: Tree, images: Any) -> Any:
        return model.apply({"params": laid_out(variables["params"], run)}, images)

    return TrainState.create(apply_fn=apply, params=ours, tx=optimizer)


def trained(run: RunSpec, layout: str) -> tuple[float, Programs, State, TrainState]:
    """Both after a run's steps, and the largest difference between their losses of a batch."""
    trunk, apart = run.trunk, 0.0
    programs, batches, numbers = Programs(shape(trunk)), Batches(trunk), settings(trunk.recipe, run)
    own = programs.first(trunk.seed)
    theirs = beginning(own.params["params"], run, layout)
    for step in range(run.steps):
        images, labels = batches.batch(step)
        pixels = seen(jax.tree.map(jnp.asarray, images), trunk.data.image_size)
        loss = loss_of(theirs, pixels, labels)
        theirs = script.train_step(theirs, pixels, labels)
        own, metrics = programs.train(own, *batches.stacked(step, 1), numbers)
        apart = max(apart, abs(float(loss - metrics.loss[0])))
    return apart, programs, own, theirs


@jax.jit
def loss_of(state: TrainState, images: Any, labels: Any) -> Any:
    """The script's loss of a batch before its step."""
    logits = state.apply_fn({"params": state.params}, images)
    return optax.sigmoid_binary_cross_entropy(logits, jax.nn.one_hot(labels, script.CLASSES)).sum(axis=-1).mean()


def errors(programs: Programs, params: Any, theirs: TrainState, test: EvalSet) -> tuple[float, float]:
    """The shares of images that scalectl's model and the script's get wrong."""
    wrong = np.zeros(2)
    for start in range(0, len(test), 500):
        images, labels = test[start : start + 500], test.labels[start : start + 500]
        hits = int(script.right(theirs, images, labels))
        wrong += programs.read(params, images, labels).wrong.sum(), len(labels) - hits
    return wrong[0] / len(test), wrong[1] / len(test)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("study", type=Path)
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE")
    for name, kind in (("models", str), ("steps", int), ("seeds", int)):
        parser.add_argument(f"--{name}", type=kind, nargs="+")
    parser.add_argument("--layouts", nargs="+", choices=LAYOUTS, default=LAYOUTS)
    asked = parser.parse_args()
    experiment = read(asked.study, [tuple(change.split("=", 1)) for change in asked.set])
    print("model,steps,seed,layout,loss_apart,error,script_error")
    for cell in experiment.cells:
        run, name = cell.run, cell.model
        chosen = ((asked.models, name), (asked.steps, run.steps), (asked.seeds, run.trunk.seed))
        if all(not wanted or value in wanted for wanted, value in chosen):
            _, test = evalsets(run.trunk.data, run.trunk.data.image_size, run.trunk.data.channels)
            for layout in asked.layouts:
                apart, programs, own, theirs = trained(run, layout)
                wrong = ",".join(f"{share:.4f}" for share in errors(programs, own.params, theirs, test))
                print(f"{name},{run.steps},{run.trunk.seed},{layout},{apart:.3g},{wrong}", flush=True)


if __name__ == "__main__":
    main()
