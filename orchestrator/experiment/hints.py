"""What people type who know other programs, and what it is called here: keys, values, and paths without their kind."""

import re
from pathlib import Path
from typing import Any

from scalectl.orchestrator.errors import KeyPath, did_you_mean
from scalectl.trainer.presets import SIZES

_WORDS = {  # a key of this file -> what other programs call it
    "grid.seeds": "seed random_seed rng_seed",
    "budgets.images": "epoch epochs num_epochs n_epochs max_epochs train_epochs",
    "budgets.steps": "iterations iters num_steps max_steps total_steps train_steps n_steps max_iters",
    "budgets.flops": "compute compute_budget max_compute",
    "train.optimizer.lr": "learning_rate learning_rates lrs base_lr peak_lr max_lr",
    "train.optimizer.weight_decay": "wd weight_decays",
    "train.optimizer.clip_norm": "grad_clip clip clip_grad max_grad_norm gradient_clip_val gradient_clip",
    "train.optimizer": "optim opt",
    "train.schedule": "scheduler lr_schedule lr_scheduler",
    "train.schedule.warmup": "warmup_steps num_warmup_steps warmup_epochs",
    "train.batch_size": "batch bs batchsize global_batch_size",
    "train.precision": "dtype amp mixed_precision fp16 bf16",
    "train.head": "pool pooling classifier",
    "data.source": "dataset data_path data_dir data_root root train_dir",
    "data.sizes": "data_sizes data_size train_size num_train n_train subsets dataset_size",
    "data.test": "val validation test_dir val_dir test_split val_split",
    "data.num_classes": "classes n_classes nb_classes",
    "data.image_size": "img_size input_size image_resolution",
    "data.augment": "augmentation augmentations aug transforms",
    "models.NAME.width": "dim embed_dim hidden_dim hidden_size d_model emb_dim",
    "models.NAME.depth": "layers num_layers n_layers n_layer num_hidden_layers blocks num_blocks",
    "models.NAME.num_heads": "heads n_heads n_head nhead num_attention_heads",
    "models.NAME.mlp_dim": "mlp_ratio ff_dim d_ff intermediate_size",
    "evals.upstream.metrics": "accuracy acc top1",
    "resources.default.device": "gpus num_gpus gpu accelerator",
    "resources.default.workers": "num_workers dataloader_workers",
}
_SEEDS = 10  # from which on they aren't written out
_KEYS = {word: key for key, words in _WORDS.items() for word in words.split()}
_CHOICES = {  # a choice of this file -> what other programs call it
    "gpu": "cuda nvidia",
    "bfloat16": "half fp16",
    "float32": "fp32 single",
    "softmax": "crossentropy cross_entropy ce categorical_crossentropy",
    "sigmoid": "bce bce_with_logits binary_crossentropy",
    "tok": "cls cls_token",
    "gap": "avg mean",
}
_CHOSEN = {word: choice for choice, words in _CHOICES.items() for word in words.split()}
_SHAPES = {"tiny": "Ti", "small": "S", "base": "B", "large": "L", "giant": "g", "gigantic": "G"}  # words for presets
_NOTES = {
    "grid.seeds": "It takes a list, such as [0]",
    "budgets.images": "It counts images seen: the number of epochs times a data size",
    "evals.upstream.metrics": "Accuracy is 1 - error",
    "models.NAME.mlp_dim": "It is a number of features: 4 x width when left out",
}


def elsewhere(section: str, word: str) -> str:
    """The key that a word of other programs stands for in a section, as `schema.keys` lists it; or nothing."""
    key = _KEYS.get(word.lower().replace("-", "_"), "")
    if key.startswith("models.") and not section.startswith("models."):
        return ""
    return key


def question(section: str, key: str) -> str:
    """The question that offers a key, by its last name in its own section, with what it takes where that surprises."""
    name = key
    if key.rpartition(".")[0] == section:
        name = key.rpartition(".")[2]
    return f"did you mean {name!r}? {_NOTES.get(key, '')}".rstrip()


def choice(path: KeyPath, value: Any, choices: list[str]) -> str:
    """What to write in place of a word that is none of the choices; or nothing."""
    if path[-1] == "preset" and (shape := _preset(value)):
        name, patch = shape
        if not patch:
            return f"did you mean {name!r}?"
        return f"write preset: {name}, patch_size: {patch}"
    if (known := _CHOSEN.get(str(value).lower())) in choices:
        return f"did you mean {known!r}?"
    if "error" in choices and (hint := accuracy(value, "error")):
        return hint
    return did_you_mean(str(value), choices)


def accuracy(value: Any, error: str) -> str:
    """The hint to write the name of the error in place of an accuracy; nothing for another word."""
    if isinstance(value, str) and re.search("acc|top.?1", value.lower()):
        return f"accuracy is 1 - error: write {error}"
    return ""


def mapping(path: KeyPath, value: Any) -> str:
    """What to write in place of a value that is no mapping."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    word = isinstance(value, str) and value.isprintable()
    key = str(path[-1]) if path else ""
    if key == "weight_decay" and number:
        return f"write {{head: {value}, body: {value}}}"
    if key == "optimizer" and word:
        return f"write {{name: {value}, lr: 1e-3}}"
    if key == "schedule" and word:
        return f"write {{name: {value}, warmup: 100}}"
    if key == "data" and word:
        return f"write {{source: {value}, sizes: [100]}}"
    if path == ("models",) and isinstance(value, tuple) and value and (shape := _preset(value[0])):
        name, patch = shape[0], shape[1] or 16
        return f"write {{{value[0]}: {{preset: {name}, patch_size: {patch}}}, ...}}"
    if path[:1] == ("models",) and (shape := _preset(value)):
        name, patch = shape[0], shape[1] or 16
        return f"write {{preset: {name}, patch_size: {patch}}}"
    return "write keys and values: {key: value}"


def listed(path: KeyPath, value: Any) -> str:
    """What to write in place of a value that is no list; a number of seeds may be meant as how many."""
    if not isinstance(value, str | int | float):
        return ""
    hint = f"write [{value}]"
    if path == ("grid", "seeds") and isinstance(value, int) and 1 < value < _SEEDS:
        hint += f" for seed {value} alone, [{', '.join(map(str, range(value)))}] for {value} seeds"
    return hint


def _preset(value: Any) -> tuple[str, int] | None:
    """The preset and the patch size, or 0, of a name such as Ti/16, ViT-B or vit_base_patch16_224; or None."""
    match = re.fullmatch(
        r"(?:vit[-_/ ]?)?([A-Za-z]+?)(?:[-_/ ]?(?:patch)?([0-9]{1,2})(?:[-_][0-9]+)?)?", str(value), re.IGNORECASE
    )
    if match is None:
        return None
    sizes = {name for name, _ in SIZES}
    for name in (match[1], match[1].capitalize(), match[1].upper(), _SHAPES.get(match[1].lower())):
        if name in sizes:
            return name, int(match[2] or 0)
    return None


def source(value: Any, kinds: list[str], folder: Path) -> str:
    """What to write in place of a source that has no kind, or one that isn't known."""
    if not isinstance(value, str):
        return ""
    kind, colon, _ = value.partition(":")
    if kind in kinds and not colon:
        return f"write {kind}:PATH"
    if colon:
        return did_you_mean(kind, kinds)
    if re.search(r"[/\\.~]", value) or (folder / value).exists():
        return f"write {_kind(value, folder)}:{value}"
    return did_you_mean(value, kinds) or "a folder of pictures is folder:PATH"


def _kind(path: str, folder: Path) -> str:
    """The kind of source that a path from a folder is of, by its ending or by what lies there."""
    place = folder / Path(path).expanduser()
    for kind in ("parquet", "array_record"):
        if place.suffix == f".{kind}" or any(place.glob(f"*.{kind}")):
            return kind
    return "folder"
