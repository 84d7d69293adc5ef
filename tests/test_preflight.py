"""Whether a study fits on a slice: the answers, what they are kept by, the spellings of a slice, and the exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.plan import preflight
from scalectl.trainer import aot
from scalectl.trainer.apart import apart
from scalectl.trainer.memory import GIB, Need, Verdict, compiler_here

ROOT = Path(__file__).parents[1]
STUDY = """\
version: 1
name: large
models: {MODEL: {preset: PRESET, patch_size: 16}}
data: {source: synthetic, sizes: [10k], image_size: 224, num_classes: 1000}
train:
  batch_size: 512
  layers: scan
  precision: bfloat16
  optimizer: {name: adafactor, lr: 1e-3}
  schedule: {warmup: 10, timescale: 10}
budgets: {steps: [100]}
"""


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """A preflight of one model from the command line, with a cache of its own: code, standard output and error."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def asked(name, *options, extra=""):
        file = tmp_path / "experiments.yaml"
        file.write_text(STUDY.replace("MODEL", name).replace("PRESET", name) + extra)
        done = CliRunner().invoke(scalectl, ["preflight", str(file), *options], standalone_mode=False)
        if done.exception is not None:
            raise done.exception
        return done.return_value, done.stdout, done.stderr

    return asked


@pytest.fixture
def without_compiler(monkeypatch):
    monkeypatch.setattr(preflight, "compiler_here", lambda: False)


def shapes(stdout):
    return json.loads(stdout)["shapes"]


def test_without_the_compiler_the_answer_is_an_estimate_and_says_so(ask, without_compiler):
    code, stdout, _ = ask("L", "--topology", "v5e:2x2", "-o", "json")
    (one,) = shapes(stdout)
    assert code == 4 and one["verdict"] == "out_of_memory" and not one["fits"] and not one["compiled"]
    assert one["peak_bytes"] == pytest.approx(65.93 * GIB, rel=one["margin"])  # what the compiler says
    assert one["left_bytes"] == one["limit_bytes"] - one["peak_bytes"] < 0
    assert one["smallest"] == "v5e:4x8" and not one["smallest_compiled"]
    code, stdout, _ = ask("Ti", "--topology", "v5e:2x2")
    assert code == 0 and "Ti on v5e:2x2: fits (" in stdout and "GiB left; estimated, within 30 %)" in stdout
    assert "estimates: after pip install 'scalectl[aot]'" in stdout


def test_near_the_limit_an_estimate_is_no_promise(ask, without_compiler):
    code, stdout, _ = ask("L", "--topology", "v5e:4x4")
    assert code == 4 and "L on v5e:4x4: unsure: the compiler has to be asked" in stdout


def test_a_slice_has_one_name_however_it_is_written(ask, without_compiler):
    places = "resources: {default: {type: v5litepod-4}}\n"
    for options, extra in (
        (["--topology", "v5e:2x2"], ""),
        (["--topology", "v5litepod-4"], ""),
        (["--topology", "2x2"], places),
        ([], places),
    ):
        code, stdout, _ = ask("Ti", *options, "-o", "json", extra=extra)
        assert code == 0 and shapes(stdout)[0]["topology"] == "v5e:2x2"


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--topology", "v9:2x2"], 2, "is not a topology"),
        (["--topology", "v5e"], 2, "is not a topology"),
        (["--topology", "v5e:3x3"], 2, "the nearest are v5e:2x4"),
        (["--topology", "4x4"], 2, "write one such as v5e:4x4"),
        ([], 2, "--topology is missing"),
        (["--topology", "v3:32x32"], 4, "can't be shared by 2048 devices"),
    ],
)
def test_a_slice_that_there_is_none_of_is_refused(ask, without_compiler, options, code, said):
    with pytest.raises(Exception, match=said) as raised:
        ask("Ti", *options)
    assert raised.value.exit == code


def test_a_slice_that_cannot_share_a_batch_of_fine_tuning_is_refused(ask, without_compiler):
    tuning = "evals: {finetune: {dataset: synthetic, steps: 10, batch_size: BATCH, lrs: [0.03]}}\n"
    with pytest.raises(
        Exception, match=r"evals\.finetune\.batch_size on v5e:4x4: 24 images can't be shared by 16 dev"
    ) as raised:
        ask("Ti", "--topology", "v5e:4x4", extra=tuning.replace("BATCH", "24"))
    assert raised.value.exit == 4
    assert ask("Ti", "--topology", "v5e:4x4", extra=tuning.replace("BATCH", "32"))[0] == 0


def test_an_answer_of_the_compiler_is_kept_for_the_next_question(ask, monkeypatch):
    asked = []

    def compiled(trunk, slices):
        asked.append(str(slices))
        return Need(Verdict.FITS, 3 * GIB, 15 * GIB, GIB, compiled=True, seconds=37.0)

    monkeypatch.setattr(preflight, "compiler_here", lambda: True)
    monkeypatch.setattr(preflight, "version", lambda name: "1")
    monkeypatch.setattr(preflight, "apart", lambda _, *arguments: compiled(*arguments))
    first, again = (ask("Ti", "--topology", "v5e:2x2") for _ in range(2))
    assert asked == ["v5e:2x2"] and first[:2] == again[:2] and first[0] == 0
    assert "fits (3.00 of 15.00 GiB a device, 12.00 GiB left; compiled in 37 s)" in first[1]
    assert first[2] == "Compiling Ti for v5e:2x2, 1 of 1 ...\n" and again[2] == ""


def aborted(*_):
    os.abort()


def test_a_compiler_that_ends_its_process_ends_no_preflight(ask, monkeypatch):
    """As libtpu 0.0.50.1 does on some programs: Check failed: Cannot find a valid window for %fusion."""
    monkeypatch.setattr(preflight, "compiler_here", lambda: True)
    monkeypatch.setattr(preflight, "version", lambda name: "1")
    monkeypatch.setattr(aot, "compiled", aborted)
    code, stdout, stderr = ask("Ti", "--topology", "v5e:2x2")
    assert code == 0 and "estimated, within 30 %; libtpu 1 ended without an answer)" in stdout
    assert stderr == "Compiling Ti for v5e:2x2, 1 of 1 ...\n"
    assert apart(os.getpid) != os.getpid()  # and the next question has an answer


def test_the_papers_eleven_models_are_answered_without_the_compiler(tmp_path):
    code = (
        "import sys; from scalectl.trainer import memory; from scalectl.orchestrator.plan import preflight;"
        "preflight.compiler_here = lambda: False; from scalectl.__main__ import main; sys.exit(main())"
    )
    words = ["preflight", "studies/paper.yaml", "-o", "json", "--set", "store=paper.db"]
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode in (0, 4), done.stderr
    assert {name for shape in shapes(done.stdout) for name in shape["models"]} >= {"s/28", "g/14", "G/14"}
    assert {shape["topology"] for shape in shapes(done.stdout)} == {"v3:4x4", "v3:8x8", "v3:16x16"}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not compiler_here(), reason="needs libtpu: uv sync --extra aot")
def test_the_compiler_refuses_a_large_model(ask):
    code, stdout, stderr = ask("L", "--topology", "v5e:2x2", "-o", "json")
    (one,) = shapes(stdout)
    assert code == 4 and one["compiled"] and one["peak_bytes"] > 50 * GIB and one["verdict"] == "out_of_memory"
    assert "Compiling L for v5e:2x2, 1 of 1" in stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not compiler_here(), reason="needs libtpu: uv sync --extra aot")
def test_the_compiler_leaves_nothing_in_a_cache_of_compiled_programs(tmp_path):
    file, programs = tmp_path / "experiments.yaml", tmp_path / "programs"
    file.write_text(STUDY.replace("MODEL", "Ti").replace("PRESET", "Ti"))
    caches = {"JAX_COMPILATION_CACHE_DIR": str(programs), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    command = [sys.executable, "-W", "error", "-m", "scalectl", "preflight", str(file), "--topology", "v5e:2x2"]
    environment = os.environ | caches | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0 and "compiled in" in done.stdout
    assert not programs.exists() or not any(programs.iterdir())


def test_every_batch_that_a_slice_cannot_share_is_named_at_once_before_anything_is_compiled(ask, monkeypatch):
    monkeypatch.setattr(preflight, "needed", lambda *_: pytest.fail("a compiler was asked"))
    sweep = "grid: {sweep: {batch_size: [24, 40, 512]}}\n"
    with pytest.raises(Exception, match=r"^refused: Ti on v5e:4x4: 24 images") as raised:
        ask("Ti", "--topology", "v5e:4x4", extra=sweep)
    assert "\nrefused: Ti on v5e:4x4: 40 images can't be shared by 16 devices: give a" in str(raised.value)
    assert "512" not in str(raised.value) and raised.value.exit == 4
