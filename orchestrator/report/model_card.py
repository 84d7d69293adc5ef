"""What a trained model is, for those who take it elsewhere: a document for programs, and a page for people."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from scalectl.orchestrator.format import counted, one_line
from scalectl.orchestrator.store.details import Details
from scalectl.trainer.data.facts import Unreadable
from scalectl.trainer.data.registry import Part
from scalectl.trainer.spec import VIT, DataSpec, RunSpec

EPSILON = 1e-6  # of every LayerNorm, Flax's own
SHAPE = ("width", "depth", "mlp_dim", "num_heads", "patch_size")
LISTED = 100  # names of classes at most that the page has

Document = dict[str, Any]


def document(details: Details, spec: RunSpec, digest: str) -> Document:
    """All that is known of a model: its run, shape, images, classes, settings and metrics."""
    run, trunk = details.run, spec.trunk
    return {
        "scalectl": version("scalectl"),
        "run": {name: run[name] for name in ("id", "name", "study", "seed", "steps", "images_seen", "flops")},
        "sha256": digest,  # as results.db has it: of the names, types, shapes and bytes of all parameters
        "model": {
            **asdict(trunk.model),
            "head": trunk.recipe.head,
            "pre_logits": trunk.recipe.pre_logits,
            "positions": trunk.recipe.positions,
            "activation": "gelu_tanh",
            "layer_norm_epsilon": EPSILON,
            "precision": trunk.recipe.precision,
            "num_classes": trunk.data.num_classes,
            "params": run["params"],
        },
        "preprocessing": preprocessing(trunk.data),
        "labels": class_names(trunk.data),
        "loss": trunk.recipe.loss,
        "settings": details.settings,
        "metrics": {row["metric"]: row["value"] for row in details.measurements if row["step"] == spec.steps},
    }


def preprocessing(data: DataSpec) -> Document:
    """How a picture becomes what the model sees; mean and deviation are of values from 0 to 1."""
    return {
        "image_size": data.image_size,
        "channels": data.channels,
        "resize": data.resize or None,  # nothing: the images of the source have their size
        "crop": "center",
        "interpolation": "bilinear",
        "mean": [0.5] * data.channels,
        "std": [0.5] * data.channels,
        "patch_order": "rows, columns, channels",
        "orientation": data.orientation,
        "background": data.background,
    }


def class_names(data: DataSpec) -> list[str] | None:
    """The names of the classes in the order of their numbers; None where the images have none or aren't at hand."""
    if not data.content:
        return None
    try:
        contents = Part(data.source, data.path, data.selection).contents().expect(data.content, data.path)
    except (Unreadable, OSError):
        return None
    if len(contents.classes) != data.num_classes:
        return None
    return list(contents.classes)


def page(facts: Mapping[str, Any], code: Mapping[str, str], config: str) -> str:
    """A README for a model: what it is, the lines that load it, its images and classes; `config` has the rest."""
    parts = [f"# {one_line(facts['run']['name'])}", _origin(facts), _metrics(facts), f"All settings are in {config}."]
    for library, lines in code.items():
        parts += [f"## Load it with {library}", f"```python\n{lines}```"]
    parts += ["## Images", _images(facts["preprocessing"]), "## Classes", _classes(facts, config)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _origin(facts: Mapping[str, Any]) -> str:
    run, model = facts["run"], facts["model"]
    shape = ", ".join(f"{name.replace('_', ' ')} {model[name]}" for name in SHAPE)
    return (
        f"{_kind(model)} of {model['params']:,} parameters in float32 ({shape}, head {model['head']}):"
        f" run {run['id']} of the study {one_line(run['study'])},"
        f" after {run['steps']:,} steps that computed in {model['precision']}."
        f" Written by scalectl {facts['scalectl']}."
    )


def _kind(model: Mapping[str, Any]) -> str:
    if model["architecture"] == VIT:
        return "A Vision Transformer"
    return f"A model of architecture {model['architecture']}"


def _metrics(facts: Mapping[str, Any]) -> str:
    measured = {one_line(name): value for name, value in facts["metrics"].items() if value is not None}
    return "\n".join(f"- {name}: {value:.4g}" for name, value in measured.items())


def _images(seen: Mapping[str, Any]) -> str:
    side = seen["image_size"]
    text = f"{side} x {side} pixels, {counted(seen['channels'], 'channel')}, values from -1 to 1:"
    text += " (v - 0.5) / 0.5 of v from 0 to 1."
    if seen["resize"]:
        text += f" Pictures were resized to {seen['resize']} pixels on their smaller side (bilinear)"
        text += " and cut to the middle."
    return text


def _classes(facts: Mapping[str, Any], config: str) -> str:
    names = facts["labels"]
    if names is None:
        return f"{facts['model']['num_classes']:,} classes, by number."
    if len(names) > LISTED:
        return f"{len(names):,} classes; {config} has their names as `labels`."
    return "\n".join(f"{number}. {one_line(name)}" for number, name in enumerate(names))
