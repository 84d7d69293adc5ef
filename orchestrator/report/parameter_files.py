"""The formats of exported parameters: how each is written, and the lines of Python that load it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flax.serialization import msgpack_serialize
from safetensors import SafetensorError
from safetensors.numpy import save_file

from scalectl.trainer.canonical import science
from scalectl.trainer.exchange import FORMATS, big_vision, timm
from scalectl.trainer.exchange.parameters import named
from scalectl.trainer.spec import TrunkSpec

Document = Mapping[str, Any]
Code = Mapping[str, str]  # lines of Python, by what they load a file with
STEM = "model"  # of the name of a file in a folder


@dataclass(frozen=True)
class Format:
    """A format: `write` puts variables into a new file, which a document describes; `code` loads it in some ways."""

    write: Callable[[Any, TrunkSpec, Document, Path], None]
    code: Callable[[TrunkSpec, str], Code]
    config: Callable[[TrunkSpec, Document], Document] = lambda trunk, document: document  # what config.json has


def _safetensors(arrays: Mapping[str, np.ndarray], document: Document, path: Path) -> None:
    """Write arrays in C order, as safetensors 0.8.0 takes no heed of strides; it orders several entries by chance."""
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    try:
        save_file(plain, path, metadata={"scalectl": json.dumps(document)})
    except SafetensorError as error:  # a full disk as well
        raise OSError(str(error)) from error


def _write_safetensors(variables: Any, trunk: TrunkSpec, document: Document, path: Path) -> None:
    _safetensors(named(variables, "."), document, path)


def _write_timm(variables: Any, trunk: TrunkSpec, document: Document, path: Path) -> None:
    _safetensors(timm.arrays(variables, trunk), document, path)


def _write_msgpack(variables: Any, trunk: TrunkSpec, document: Document, path: Path) -> None:
    path.write_bytes(msgpack_serialize(variables))


def _write_npz(variables: Any, trunk: TrunkSpec, document: Document, path: Path) -> None:
    with path.open("wb") as file:  # given a path, NumPy would add a suffix
        np.savez(file, **big_vision.arrays(variables, trunk))  # type: ignore[arg-type]


def _model(trunk: TrunkSpec) -> str:
    recipe, data = trunk.recipe, trunk.data
    arguments: dict[str, Any] = {
        "image_size": data.image_size,
        "channels": data.channels,
        "num_classes": data.num_classes,
    }
    arguments |= {"head": recipe.head, "head_bias": 0.0, "dtype": recipe.precision, "positions": recipe.positions}
    if recipe.pre_logits != "none":
        arguments["pre_logits"] = recipe.pre_logits
    spec = ", ".join(f"{name}={_literal(value)}" for name, value in science(trunk.model).items())
    return f"model = {_class(trunk)}(\n    ModelSpec({spec}),\n{_lines(arguments)})"


def _class(trunk: TrunkSpec) -> str:
    """The name of what calls a model."""
    return "Net" if trunk.model.is_own else "ViT"


def _imports(trunk: TrunkSpec) -> str:
    """The lines that import what calls a model."""
    if trunk.model.is_own:
        net = "from scalectl.trainer.own_model import Net\nfrom scalectl.trainer.spec import ModelSpec"
        return f"{net}\n\n# on another machine first: scalectl.extend.load(FILE) of the file that adds it"
    return "from scalectl.trainer.spec import ModelSpec\nfrom scalectl.trainer.vit import ViT"


def _code_safetensors(trunk: TrunkSpec, file: str) -> Code:
    lines = f"""\
from flax.traverse_util import unflatten_dict
from safetensors.numpy import load_file
{_imports(trunk)}

{_model(trunk)}
variables = {{"params": unflatten_dict(load_file({json.dumps(file)}), sep=".")}}
logits, features = model.apply(variables, images)  # images (batch, height, width, channels)
"""
    return {"Flax": lines}


def _code_msgpack(trunk: TrunkSpec, file: str) -> Code:
    lines = f"""\
from pathlib import Path

from flax.serialization import msgpack_restore
{_imports(trunk)}

{_model(trunk)}
variables = msgpack_restore(Path({json.dumps(file)}).read_bytes())
logits, features = model.apply(variables, images)  # images (batch, height, width, channels)
"""
    return {"Flax": lines}


def _code_npz(trunk: TrunkSpec, file: str) -> Code:
    lines = f"""\
from big_vision.models import vit

config = dict(
{_lines(big_vision.arguments(trunk))})
params = vit.load(None, {json.dumps("./" + file)}, config)
logits, layers = vit.Model(**config).apply({{"params": params}}, images)  # images (batch, height, width, channels)
"""
    code = {"big_vision": lines}
    if timm.reads_npz(trunk):
        code["timm"] = _code_timm(trunk, f"model.load_pretrained({json.dumps(file)})")
    return code


def _code_of_timm(trunk: TrunkSpec, file: str) -> Code:
    load = f"model.load_state_dict(load_file({json.dumps(file)}))"
    code = {"timm": _code_timm(trunk, load, "from safetensors.torch import load_file\n")}
    if file == f"{STEM}{FORMATS['timm']}":
        code["timm, from this folder"] = LOCAL
    return code


def _code_timm(trunk: TrunkSpec, load: str, more: str = "") -> str:
    counts = {"num_classes": trunk.data.num_classes}
    return f"""\
import timm
{more}
model = timm.create_model(
    {_literal(timm.ARCHITECTURE)},
{_lines(counts | timm.arguments(trunk))}).eval()
{load}
logits = model(images)  # images (batch, channels, height, width)
"""


LOCAL = """\
import timm

model = timm.create_model("local-dir:.", pretrained=True).eval()
logits = model(images)  # images (batch, channels, height, width)
"""


def _lines(arguments: Mapping[str, Any]) -> str:
    """The arguments of a call, each on a line."""
    return "".join(f"    {name}={_literal(value)},\n" for name, value in arguments.items())


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value)
    return repr(value)


FILES: dict[str, Format] = {
    "safetensors": Format(_write_safetensors, _code_safetensors),
    "msgpack": Format(_write_msgpack, _code_msgpack),
    "npz": Format(_write_npz, _code_npz),
    "timm": Format(_write_timm, _code_of_timm, timm.config),
}
