"""What a run's identity depends on, and what it never depends on."""

import json
import random
import subprocess
import sys
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args

import pytest
from ruamel.yaml import YAML
from test_spec import TRUNK

from scalectl.orchestrator.experiment.reading import read
from scalectl.trainer.identity import Identities, identity
from scalectl.trainer.selection import Selection
from scalectl.trainer.spec import RunSpec

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).with_name("identities.json")
STUDIES = ("experiments.yaml", "studies/synthetic.yaml", "studies/paper.yaml")
RUN = RunSpec(TRUNK, 100, 20)

STUDY = """\
version: 1
name: order
models:
  pico: {width: 8, depth: 1, num_heads: 2, patch_size: 4}
  nano: {width: 16, depth: 2, num_heads: 2, patch_size: 2, mlp_dim: 37}
data: {source: digits, sizes: [60, 350], stratified: true, augment: {shift: 1, flip: true}}
train:
  batch_size: 16
  optimizer: {name: adafactor, lr: 3e-3, clip_norm: 0.5, weight_decay: {head: 2.5, body: 0.03}}
  schedule: {name: rsqrt, warmup: 4, timescale: 10, cooldown: 25%}
budgets: {steps: [20, 40]}
grid: {seeds: [0, 37]}
evals: {upstream: {metrics: [loss]}}
resources: {default: {device: auto}}
limits: {retries: 3}
"""


def ids(file: Path) -> set[str]:
    return {identity(cell.run) for cell in read(file).cells}


def shuffled(value: Any, chance: random.Random) -> Any:
    """Return the value with the keys of every mapping in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key], chance) for key in chance.sample(list(value), len(value))}
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


def test_neither_the_order_of_keys_nor_folders_resources_and_limits_change_an_id(tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY)
    before, chance = ids(tmp_path / "study.yaml"), random.Random(37)
    for n in range(200):
        study = shuffled(YAML(typ="safe", pure=True).load(STUDY), chance)
        study["resources"]["default"] = {"device": chance.choice(["auto", "cpu"]), "workers": chance.randrange(9)}
        study["limits"] = {"retries": chance.randrange(9)}
        study["train"]["checkpoint_every"] = chance.randrange(1, 999)
        study["store"], study["artifacts"] = f"{n}.db", f"./artifacts-{n}"
        folder = tmp_path / f"folder-{n}"
        folder.mkdir()
        (folder / "other.yaml").write_text(json.dumps(study))
        assert ids(folder / "other.yaml") == before


def test_neither_hash_seeds_nor_working_folders_change_an_id(tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY)
    code = "import sys; from scalectl.orchestrator.experiment.reading import read;"
    code += "from scalectl.trainer.identity import identity;"
    code += "print(sorted(identity(cell.run) for cell in read(sys.argv[1]).cells))"
    said = {
        subprocess.check_output(
            [sys.executable, "-c", code, str(tmp_path / "study.yaml")],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            cwd=folder,
            text=True,
        )
        for seed, folder in (("0", tmp_path), ("1", ROOT), ("37", "/"), ("4294967295", tmp_path))
    }
    assert len(said) == 1


def science(spec: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the path of every field of a spec and of the specs in it."""
    found = []
    for one in fields(spec):
        value = getattr(spec, one.name)
        found += science(value, (*path, one.name)) if is_dataclass(value) else [(*path, one.name)]
    return found


def changed(spec: Any, path: tuple[str, ...]) -> Any:
    """Return the spec with another value at a path: every field is changed, one that is yet to be written too."""
    name, *below = path
    value = getattr(spec, name)
    if below:
        return replace(spec, **{name: changed(value, tuple(below))})
    kind = next(one.type for one in fields(spec) if one.name == name)
    choices = [choice for choice in get_args(kind) if choice != value]
    if choices:
        return replace(spec, **{name: choices[0]})
    if isinstance(value, bool):
        return replace(spec, **{name: not value})
    return replace(spec, **{name: value + "-37" if isinstance(value, str) else value + 37})


# where files lie now, what they are called, and what is refused: no science
PLACES = {("trunk", "data", name) for name in ("path", "test_path", "name", "max_pixels", "cached", "left_open")}
PLACES |= {  # what is read there is in the hash of the contents
    ("trunk", "data", selection, part.name)
    for selection in ("selection", "test_selection")
    for part in fields(Selection)
}


@pytest.mark.parametrize("path", science(RUN), ids=".".join)
def test_every_science_field_changes_the_id_and_no_place_does(path):
    assert (identity(changed(RUN, path)) == identity(RUN)) == (path in PLACES)


def test_no_two_fields_stand_for_each_other():
    found = {identity(changed(RUN, path)) for path in science(RUN) if path not in PLACES}
    assert len(found) == len(science(RUN)) - len(PLACES)


def test_a_run_and_its_trunk_are_never_the_same():
    assert identity(RUN) != identity(RUN.trunk)


def test_a_run_has_the_same_id_among_others_as_alone():
    """Equal numbers of two types are two texts: each run has the id of its own."""
    whole = replace(RUN, trunk=replace(TRUNK, recipe=replace(TRUNK.recipe, lr=1)))
    real = replace(RUN, trunk=replace(TRUNK, recipe=replace(TRUNK.recipe, lr=1.0)))
    together, runs = Identities(), [RUN, whole, real, replace(RUN, steps=137), TRUNK]
    assert [together.of(run) for run in runs] == [identity(run) for run in runs]
    assert whole == real and identity(whole) != identity(real)


def golden() -> dict[str, dict[str, str]]:
    """Return the ids of every run of the studies that come with scalectl, by settings."""
    found: dict[str, dict[str, str]] = {}
    for study in STUDIES:
        cells = read(ROOT / study).cells
        names = [f"{cell.model} {cell.run.trunk.data.size} {cell.run.steps} {cell.run.trunk.seed}" for cell in cells]
        found[study] = {name: identity(cell.run) for name, cell in zip(names, cells, strict=True)}
    return found


def test_the_ids_of_the_studies_are_those_that_stores_hold():
    """If this fails, every run of every store is trained again: give a new field a default and LATER instead."""
    assert golden() == json.loads(GOLDEN.read_text())


def test_a_spec_without_a_stable_serialisation_is_refused():
    with pytest.raises(ValueError, match="no stable serialisation"):
        identity(replace(RUN, trunk=replace(TRUNK, recipe=replace(TRUNK.recipe, lr=float("nan")))))


if __name__ == "__main__":  # writes the file anew, for a study that is new
    GOLDEN.write_text(json.dumps(golden(), indent=1) + "\n")
