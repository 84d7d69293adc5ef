"""Exported parameters as others read them: forward passes of the layouts that they publish, and their own loaders."""

import json
import os
import re
import shutil
from contextlib import chdir
from dataclasses import replace
from functools import cache
from pathlib import Path

import jax
import layouts
import numpy as np
import pytest
from click.testing import CliRunner
from damage import flip
from hypothesis import given
from hypothesis import strategies as st
from pages import DOCS
from pictures import grey
from pictures import study as pictures_study
from safetensors import safe_open
from told import planning, rows, told

from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.report import parameters
from scalectl.orchestrator.report.model_card import class_names
from scalectl.orchestrator.report.parameter_files import FILES
from scalectl.orchestrator.report.parameters import export, target
from scalectl.trainer import checkpoint
from scalectl.trainer.events import Checkpoint
from scalectl.trainer.exchange import FORMATS, big_vision, timm
from scalectl.trainer.exchange.parameters import Unwritable
from scalectl.trainer.presets import preset
from scalectl.trainer.spec import DataSpec, ModelSpec, RecipeSpec, TrunkSpec
from scalectl.trainer.step import State, abstract, shape, zeros
from scalectl.trainer.vit import build

pytestmark = pytest.mark.usefixtures("little_optimised")


def trunk(
    head: str, model: ModelSpec, side: int, channels: int, positions: str = "learned", classes: int = 7
) -> TrunkSpec:
    data = DataSpec("digits", 60, 12, 0, 0, side, channels, classes)
    recipe = RecipeSpec(
        16, "float32", head, 0.0, "sigmoid", "adafactor", 1e-3, 1.0, 3.0, 0.03, 4, 10, positions=positions
    )
    return TrunkSpec(model, data, recipe, 0)


def dense_tanh(spec: TrunkSpec) -> TrunkSpec:
    return replace(spec, recipe=replace(spec.recipe, pre_logits="tanh"))


CASES = {
    "map": trunk("map", ModelSpec(24, 2, 50, 3, 2), 8, 1),
    "gap, images cut at their edges": trunk("gap", ModelSpec(16, 1, 64, 2, 4), 11, 3),
    "tok": trunk("tok", ModelSpec(12, 2, 59, 3, 4), 8, 3),
    "fixed positions": trunk("map", ModelSpec(16, 1, 70, 4, 4), 12, 3, "sincos2d"),
    "tok and a layer of tanh": dense_tanh(trunk("tok", ModelSpec(8, 1, 20, 2, 4), 8, 3)),
    "patches of a pixel": trunk("gap", ModelSpec(8, 1, 20, 2, 1), 3, 1),
}
every_case = pytest.mark.parametrize("case", CASES)
held_by_timm = pytest.mark.parametrize("case", [case for case in CASES if "tanh" not in case])


def drawn(spec: TrunkSpec, seed: int = 37):
    """Parameters of which none is zero."""
    random = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: random.normal(0.1, 0.4, leaf.shape).astype(np.float32), abstract(shape(spec)).params
    )


@cache
def answers(case: str):
    """Parameters, images (batch, height, width, channels), and the logits that our own model gives."""
    spec = CASES[case]
    side = spec.data.image_size
    images = np.random.default_rng(5).uniform(-1, 1, (4, side, side, spec.data.channels)).astype(np.float32)
    return drawn(spec), images, np.asarray(jax.jit(build(spec).apply)(drawn(spec), images)[0])


def same(logits, expected) -> None:
    np.testing.assert_allclose(np.asarray(logits), expected, rtol=1e-4, atol=1e-5)


@every_case
def test_the_layout_of_big_vision_gives_the_same_logits(case):
    variables, images, expected = answers(case)
    arrays = big_vision.arrays(variables, CASES[case])
    same(layouts.big_vision(arrays, images, big_vision.arguments(CASES[case])["pool_type"]), expected)


@held_by_timm
def test_the_layout_of_timm_gives_the_same_logits(case):
    variables, images, expected = answers(case)
    same(layouts.timm(timm.arrays(variables, CASES[case]), images, timm.arguments(CASES[case])), expected)


def written(form: str, case: str, folder: Path) -> tuple[Path, dict[str, str]]:
    """The file of a format, and the lines that load it."""
    file = folder / f"model{FORMATS[form]}"
    FILES[form].write(answers(case)[0], CASES[case], {"run": "here"}, file)
    return file, dict(FILES[form].code(CASES[case], file.name))


def ran(lines: str, folder: Path, images) -> np.ndarray:
    """The logits that lines give, run in a folder."""
    names = {"images": images}
    with chdir(folder):
        exec(lines, names)
    return names["logits"]


@pytest.mark.parametrize(("form", "case"), [("safetensors", "fixed positions"), ("msgpack", "map")])
def test_the_lines_for_flax_give_the_same_logits(form, case, tmp_path):
    _, code = written(form, case, tmp_path)
    _, images, expected = answers(case)
    same(ran(code["Flax"], tmp_path, images), expected)


@pytest.mark.slow
@held_by_timm
def test_timm_itself_gives_the_same_logits(case, tmp_path):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: uv pip install torch timm")
    pytest.importorskip("timm", reason="timm is not installed: uv pip install timm")
    _, images, expected = answers(case)
    tensor = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    for form in ("timm", "npz"):
        (tmp_path / form).mkdir()
        _, code = written(form, case, tmp_path / form)
        if form == "timm":
            facts = {"preprocessing": {"resize": None, "interpolation": "bilinear", "mean": [0.5], "std": [0.5]}}
            config = FILES[form].config(CASES[case], facts | {"labels": None})
            (tmp_path / form / "config.json").write_text(json.dumps(config))
        loading = {library: lines for library, lines in code.items() if library.startswith("timm")}
        assert len(loading) == {"timm": 2, "npz": int(case != "patches of a pixel")}[form]
        for lines in loading.values():
            same(ran(lines, tmp_path / form, tensor).detach().numpy(), expected)


@pytest.mark.slow
@every_case
def test_big_vision_itself_gives_the_same_logits(case, tmp_path):
    pytest.importorskip("big_vision.models.vit", reason="google-research/big_vision is not on the path")
    _, images, expected = answers(case)
    _, code = written("npz", case, tmp_path)
    same(ran(code["big_vision"], tmp_path, images), expected)


@given(width=st.integers(1, 4000), mlp_dim=st.integers(1, 20_000))
def test_timm_makes_the_very_width_of_the_mlp_from_the_ratio(width, mlp_dim):
    ratio = timm.mlp_ratio(ModelSpec(width, 1, mlp_dim, 1, 1))
    assert int(width * ratio) == mlp_dim


@given(side=st.integers(1, 1000), more=st.integers(0, 500))
def test_timm_makes_the_very_size_of_pictures_from_the_share_that_is_shown(side, more):
    assert int(side / timm.crop_share(side, side + more)) == side + more


@pytest.mark.parametrize("layout", [big_vision, timm])
def test_what_a_layout_has_no_place_for_is_refused_by_name(layout):
    spec = CASES["tok"]
    with pytest.raises(Unwritable, match="no place for the parameters block_1/gate, registers"):
        more = drawn(spec)["params"] | {"registers": np.ones((1, 4, 12))}
        more["block_1"] = more["block_1"] | {"gate": np.ones(12)}
        layout.arrays({"params": more}, spec)
    with pytest.raises(Unwritable, match=r"train\.head: register"):
        layout.arrays(drawn(spec), replace(spec, recipe=replace(spec.recipe, head="register")))
    with pytest.raises(Unwritable, match="a place for norm/bias, which the model lacks"):
        layout.arrays({"params": drawn(spec)["params"] | {"norm": {"scale": np.ones(12)}}}, spec)


def trained(study, extra: str = "", **changes: object):
    """The study with its runs done, and real checkpoints at their ends."""
    study.write(extra, **changes)
    records, plan = planning(study, **changes)
    with records:
        for job in plan.jobs:
            *events, end = told(job)
            if job.job.run:
                moments = zeros(shape(job.job.trunk)).moments
                state = State(np.int32(job.job.stop), drawn(job.job.trunk, job.job.stop), moments)
                saved = checkpoint.save(job.job.folder, state, 0.0, [])
                events = [
                    replace(event, digest=saved.digest) if isinstance(event, Checkpoint) else event for event in events
                ]
                end = replace(end, digest=saved.digest)
            records.write(records.start(job, "here"), [*events, end])
    return study


def said(study, *words: str):
    return CliRunner().invoke(scalectl, ["checkpoint", "export", *words, "--store", str(study.store)])


@pytest.mark.parametrize("form", FORMATS)
def test_a_run_is_exported_with_what_loads_and_describes_it(study, form):
    trained(study, steps="[20]")
    mask = os.umask(0o022)
    os.umask(mask)
    answer = said(study, "pico", "-o", str(study.folder / "out"), "--format", form)
    assert answer.exit_code == 0, answer.output
    files = {path.name: path for path in (study.folder / "out").iterdir()}
    assert sorted(files) == ["README.md", "config.json", f"model{FORMATS[form]}"]
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o666 & ~mask}
    facts = json.loads(files["config.json"].read_text())
    assert rows(study, "SELECT id, digest FROM runs") == [(facts["run"]["id"], facts["sha256"])]
    assert facts["metrics"]["upstream/error"] == 0.25 and facts["settings"]["lr"] == 3e-3
    assert facts["preprocessing"]["image_size"] == 8 and facts["preprocessing"]["mean"] == [0.5]
    page = files["README.md"].read_text()
    assert facts["run"]["id"] in page and len(re.findall(r"```python\n.+?```", page, re.S)) in (1, 2)
    before = {name: path.read_bytes() for name, path in files.items()}
    again = said(study, "pico", "-o", str(study.folder / "out"), "--format", form)
    assert isinstance(again.exception, Refusal) and "are there already" in str(again.exception)
    assert said(study, "pico", "-o", str(study.folder / "out"), "--format", form, "--force").exit_code == 0
    assert {name: path.read_bytes() for name, path in files.items()} == before


def test_a_layer_of_tanh_is_refused_for_timm_which_has_no_place_for_it(tmp_path):
    spec = CASES["tok and a layer of tanh"]
    with pytest.raises(Unwritable, match="no place for the parameters pre_logits/bias, pre_logits/kernel"):
        timm.arrays(drawn(spec), spec)
    _, code = written("npz", "tok and a layer of tanh", tmp_path)
    assert set(code) == {"big_vision"} and "rep_size=True" in code["big_vision"]


def test_a_file_has_its_description_beside_it_and_in_its_metadata(study):
    trained(study, steps="[20]")
    assert said(study, "pico", "-o", str(study.folder / "best.safetensors")).exit_code == 0
    with safe_open(study.folder / "best.safetensors", "np") as file:
        assert json.loads(file.metadata()["scalectl"]) == json.loads(
            (study.folder / "best.safetensors.json").read_text()
        )
    assert 'load_file("best.safetensors")' in (study.folder / "best.safetensors.md").read_text()
    assert said(study, "pico", "-o", str(study.folder / "best.npz")).exit_code == 0
    assert "params/head/kernel" in np.load(study.folder / "best.npz")
    wrong = said(study, "pico", "-o", str(study.folder / "worst.npz"), "--format", "timm")
    assert isinstance(wrong.exception, Refusal) and wrong.exception.exit == Exit.INVALID
    assert "a file of timm ends in .safetensors" in str(wrong.exception)


def refused(study, word: str = "pico", **options: object) -> str:
    with pytest.raises(Refusal) as caught:
        export(word, study.store, target(study.folder / "out", "npz"), **options)
    assert not (study.folder / "out" / "model.npz").exists()
    return str(caught.value)


def test_a_checkpoint_that_is_not_there_is_named_with_the_way_to_keep_it(study):
    trained(study, steps="[20, 40]")
    short, long = rows(study, "SELECT path FROM checkpoints WHERE run IS NOT NULL ORDER BY step")
    moved = shutil.move(short, study.folder / "copy")
    message = refused(study, "pico-60-20")
    assert short in message and "--checkpoint" in message and "scalectl prune keeps" in message
    assert "it is of another run or step" in refused(study, "pico-60-20", folder=long)
    inside = f"{study.folder} is no checkpoint: give the folder that has its step as its name."
    assert refused(study, "pico-60-20", folder=str(study.folder)) == inside  # not all that lies in it
    assert f"such as {long}." in refused(study, "pico-60-20", folder=str(Path(long).parent))
    assert export("pico-60-20", study.store, target(study.folder / "out", "npz"), folder=str(moved)) == "pico-60-20"


def test_a_checkpoint_in_a_bucket_is_named_by_its_whole_address(study, monkeypatch):
    """Its address was gs:/bucket."""
    planning(study, steps="[20]")[0].close()
    monkeypatch.setattr(parameters, "is_one", lambda _: False)
    monkeypatch.setattr(parameters, "steps", lambda _: [20, 40])
    assert "such as gs://bucket/run/40." in refused(study, "pico-60-20", folder="gs://bucket/run/")


def test_a_run_whose_checkpoint_was_pruned_says_so(study):
    trained(study, steps="[20, 40]")
    study.write(steps="[40]")
    assert CliRunner().invoke(scalectl, ["prune", str(study.file), "--yes"]).exit_code == 0
    assert "its last checkpoint was pruned" in refused(study, "pico-60-20")
    assert export("pico-60-40", study.store, target(study.folder / "out", "npz")) == "pico-60-40"


def test_a_run_that_is_not_done_has_nothing_to_export(study):
    records, _ = planning(study, steps="[20]")
    records.close()
    assert "is planned: it has no parameters of its last step" in refused(study)


def test_a_damaged_checkpoint_is_refused_and_stays_where_it_is(study):
    trained(study, steps="[20]")
    (path,) = rows(study, "SELECT path FROM checkpoints WHERE run IS NOT NULL")
    for file in (Path(path) / "packed").rglob("d/*"):
        flip(file)
    assert path in refused(study) and Path(path).is_dir()


def test_classes_have_the_names_of_their_folders_while_these_are_there(tmp_path):
    for name in ("ant", "bee", "Asp"):
        (tmp_path / "train" / name).mkdir(parents=True)
        for level in range(5):
            (tmp_path / "train" / name / f"{level}.png").write_bytes(grey(level))
    data = pictures_study(tmp_path, "folder:train").cells[0].run.trunk.data
    assert class_names(data) == ["Asp", "ant", "bee"]
    (tmp_path / "train" / "ant" / "0.png").unlink()
    assert class_names(data) is None
    assert class_names(replace(data, path=str(tmp_path / "elsewhere"))) is None


def test_the_lines_on_the_page_are_those_that_an_export_writes():
    spec = trunk("map", preset("Ti", 16), 224, 3, classes=1000)
    blocks = re.findall(r"```python\n(.+?)```", (DOCS / "using_models.md").read_text(), re.S)
    code = [FILES[form].code(spec, f"model{suffix}") for form, suffix in FORMATS.items()]
    assert sorted(blocks) == sorted(lines for ways in code for lines in ways.values())
