"""What the headers of other people's tables mean: the column of `points` that each is, and in how many of its units."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Float, Integer, Text

from scalectl.analysis.vocabulary import AXES
from scalectl.orchestrator.store.tables import SETTINGS

IMAGES = "test_images"
COLUMNS = {**SETTINGS, "device_seconds": Float, "core_days": Float, "name": Text, IMAGES: Integer}
COMPUTE = tuple(axis.name for axis in AXES.values() if axis.grows)
AMOUNTS = ("params", "flops_per_image", "data_size")  # of which nothing has none
SCALES = (*AMOUNTS, "steps")  # beside compute: what a law may be over
SIGNED = {"head_bias"}  # settings that may be below 0
NAMES = {"name", "model", "data_name", "source", "content", "test_content"}  # in words, of digits too
OURS = {
    "run",
    "study",
    "state",
    "excluded",
    "origin",
    "images_per_second",
    "flops_per_second",
    "mfu",
    "digest",
    "labels",
}  # columns of `points` that no file can give
STATES = ("state", "status")  # headers of how runs ended, as W&B and MLflow have them
UNFINISHED = {"running", "crashed", "failed", "killed", "preempted", "preempting", "pending", "scheduled"}
_UNITS = {"thousand": 1e3, "k": 1e3, "million": 1e6, "mio": 1e6, "m": 1e6, "billion": 1e9, "b": 1e9, "trillion": 1e12}
EPOCHS = ("epochs", "epoch", "num_epochs", "n_epochs", "train_epochs")  # of a data set, which the file may tell
PREFIX = re.compile(r"^(metrics|params|tags\.mlflow|config|hparams|summary|trainer)[./]")  # of tables of MLflow and W&B

# Of each column the headers that mean it, the surest first; capitals and separators don't matter but in single letters.
HEADERS: Mapping[str, tuple[str, ...]] = {
    column: tuple(headers.split())
    for column, headers in {
        "model": "model size model_size arch architecture model_name backbone",
        "params": "params n_params num_params parameters n_parameters num_parameters total_params parameter nparams"
        " non_embedding_params param_count mparams mparams_total N",
        "images_seen": "images_seen samples_seen n_samples_seen examples_seen examples n_examples num_examples samples"
        " tokens n_tokens num_tokens tokens_seen train_tokens training_tokens pretraining_tokens total_tokens D",
        "data_size": "data_size dataset_size train_images training_images unique_tokens unique_examples unique_images"
        " training_dataset_size training_dataset_size_datapoints",
        "flops": "total_flops train_flops training_flops flops_total training_compute_flop training_compute"
        " train_compute exaflops zettaflops flops compute budget compute_budget flops_budget pf_days petaflop_days C",
        "device_seconds": "device_seconds gpu_seconds gpu_hours tpu_hours device_hours gpu_days",
        "core_days": "core_days tpu_core_days tpuv3_core_days",
        "steps": "steps step global_step train_steps training_steps num_steps n_steps iterations iters checkpoint ckpt"
        " revision",
        "cooldown": "cooldown cooldown_steps",
        "batch_size": "batch_size global_batch_size train_batch_size bs",
        "lr": "lr learning_rate peak_lr max_lr",
        "seed": "seed random_seed",
        "width": "width d_model n_embd hidden_size embed_dim",
        "depth": "depth n_layers num_layers n_layer",
        "num_heads": "num_heads n_heads n_head",
        "mlp_dim": "mlp_dim d_ff intermediate_size",
        "image_size": "image_size img_size resolution res",
        "flops_per_image": "flops_per_image gflops_per_image gflops_per_image_224 gflops_per_sample gmacs_per_sample"
        " gflops flops_g gmacs macs_g macs",
        IMAGES: "test_images num_test_images n_test_images n_test",
    }.items()
}
FACTORS = {
    "gflops_per_image": 1e9,
    "gflops_per_image_224": 1e9,
    "gflops": 1e9,
    "gflops_per_sample": 1e9,
    "flops_g": 1e9,  # no training takes so few that one counts in 1e9
    "gmacs_per_sample": 2e9,
    "macs_g": 2e9,
    "gmacs": 2e9,  # a multiply-add is 2 FLOPs
    "macs": 2.0,
    "param_count": 1e6,  # timm's
    "mparams": 1e6,
    "mparams_total": 1e6,
    "gpu_hours": 3600.0,
    "tpu_hours": 3600.0,
    "device_hours": 3600.0,
    "gpu_days": 86400.0,
    "exaflops": 1e18,
    "zettaflops": 1e21,
    "pf_days": 8.64e19,
    "petaflop_days": 8.64e19,
}
_PF_DAYS = re.compile(r"(pf|pfs|pflops?|pflops?/s|petaflops?|petaflops?/s)_days$")
_PREFIXES = {"k": 3, "kilo": 3, "m": 6, "mega": 6, "g": 9, "giga": 9, "t": 12, "tera": 12, "p": 15, "peta": 15}
_PREFIXES |= {"e": 18, "exa": 18, "z": 21, "zetta": 21, "y": 24, "yotta": 24}
_FLOPS = re.compile(rf"({'|'.join(_PREFIXES)})flops?$")
_LOGARITHM = re.compile(r"(?:log_?10|log_?2|log|lg|ln)_(.+)$")
_LOGGED = {*COMPUTE, "params", "data_size"}  # what tables give the logarithms of: log_steps says how often one logs
_TEN = re.compile(r"1e(\d{1,2})(_flops?)?$")
SIZES = ("size", "model_size")  # headers of models, or in numbers of their params
RUN_NAMES = ("run_name", "name", "run", "runname", "run_id")  # that serve as a model where no column is one
_PER_CENT = re.compile(r"\s*([(\[]\s*(in\s*)?%\s*[)\]]|,?\s(in\s*)?%)$")
_LEFT_OUT = {"unnamed_0", "index", "index_level_0", "wall_time", "timestamp", "relative_time", "experiment_id"}
_VAGUE = ("budget", "compute")  # that say little behind another word
LEAST_PARAMS = 1e4  # of a size that is no mere number of a model
_NESTS = {  # first words of headers as model/n_params and optim.lr, which say where a setting comes from
    *("model", "arch", "network", "data", "dataset", "train", "training", "trainer", "pretraining", "setup", "run"),
    *("optim", "optimizer", "config", "cfg", "args", "hparams", "hyperparameters", "params", "setting", "settings"),
}
_DEEP = 100  # rank of such headers, after all that stand alone
_IDENTIFIER = re.compile(r"(^|[_./])(id|uuid|guid|sha|hash|commit)$")
_TOKENS = re.compile(r"tokens|^D$")  # of a plain header


@dataclass(frozen=True)
class Meaning:
    """The column that a header means, in how many of its units; its rank among the headers that mean the same."""

    column: str
    factor: float
    rank: int


def plain(header: str) -> str:
    """A header without what tells nothing: capitals, separators, a prefix of MLflow."""
    bare = PREFIX.sub("", header).strip()
    if len(bare) == 1:
        return bare
    return re.sub(r"[^\w@./]+", "_", bare).lower().strip("_.") or bare


def meaning(header: str) -> Meaning | None:
    """What a header means, if that is a column of `points` that a file can give."""
    name = plain(header)
    if header in COLUMNS and header not in HEADERS:
        return Meaning(header, 1.0, 0)
    if found := _alone(name):
        return found
    if name in COLUMNS and name not in HEADERS:
        return Meaning(name, 1.0, 1)
    first, *deeper = re.split(r"[/.]", name)
    if deeper and first in _NESTS:
        for inner in ("_".join([first, *deeper][-2:]), deeper[-1]):  # model/name, model/n_params
            if inner not in (*SIZES, *_VAGUE) and (found := _alone(inner)):
                return replace(found, rank=_DEEP + found.rank)
    return None


def _alone(name: str) -> Meaning | None:
    for factor, stem in _stems(name):
        for column, headers in HEADERS.items():
            if stem in headers:
                return Meaning(column, factor * FACTORS.get(stem, 1.0), headers.index(stem))
    return None


def _stems(name: str) -> Iterator[tuple[float, str]]:
    """Yield a name, and the same without the unit at its end."""
    yield 1.0, name
    stem, _, unit = name.rpartition("_")
    if unit in _UNITS:
        yield _UNITS[unit], stem
    for compute in HEADERS["flops"]:
        if name.startswith(f"{compute}_") and (factor := _of_flops(name.removeprefix(f"{compute}_"))):
            yield factor, compute


def _of_flops(unit: str) -> float | None:
    """The FLOPs of a unit of compute behind a word for it, as EFLOP, PF-days or 1e18; None for anything else."""
    if _PF_DAYS.match(unit):
        return FACTORS["pf_days"]
    if prefixed := _FLOPS.match(unit):
        return float(f"1e{_PREFIXES[prefixed[1]]}")
    if power := _TEN.match(unit):
        return float(f"1e{power[1]}")
    return None


def clue(header: str) -> str:
    """What a header that means no column may be, and how it is said or given; nothing where nothing suggests that."""
    name = plain(header)
    if _FLOPS.match(name):
        said = shlex.quote(f"{header}={_VAGUE[1]}_{name}")
        return f"{header} may be a speed or training compute: --as {said} takes it for that"
    logarithm = _LOGARITHM.match(name)
    named = meaning(logarithm[1]) if logarithm else None
    if named and named.column in _LOGGED:
        return f"{header} has logarithms of {named.column}, of which no law is: give {named.column} itself"
    return ""


def without_per_cent(header: str) -> str:
    """The header without a sign that its numbers are per cent, where it has one."""
    return _PER_CENT.sub("", header).strip() or header


def size_unit(header: str) -> float | None:
    """The unit of a header that is a size, which in numbers is one of parameters; None for any other header."""
    return next((factor for factor, stem in _stems(plain(header)) if stem in SIZES), None)


def is_export(headers: Sequence[str]) -> bool:
    """Whether a file is an export of a store, whose columns all of these are."""
    return OURS - {"labels"} <= {*headers}


def own_settings(headers: Sequence[str]) -> set[str]:
    """The headers of an export that are settings of imported runs alone: behind `digest` stand the metrics."""
    if not is_export(headers):
        return set()
    return {*headers[: headers.index("digest")]} - {*COLUMNS, *OURS}


def is_left_out(header: str) -> bool:
    """Whether a column tells nothing of runs, as row numbers, times, and the ends that W&B draws around a line."""
    return plain(header) in _LEFT_OUT or header.endswith(("__MIN", "__MAX"))


def is_identifier(header: str) -> bool:
    """Whether a column names runs by ids, which may have digits alone, or look like 1e5."""
    return bool(_IDENTIFIER.search(plain(header)))


def are_tokens(header: str) -> bool:
    """Whether a header of examples is one of tokens."""
    return bool(_TOKENS.search(plain(header)))


def run_names(headers: Sequence[str]) -> Iterator[int]:
    """Yield the places of headers that name runs, the surest first."""
    for wanted in RUN_NAMES:
        for place, header in enumerate(headers):
            if plain(header) == wanted:
                yield place
