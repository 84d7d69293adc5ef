"""Whether a study fits on a slice: the compiler's own words, the estimate without it, the cache and the exit code."""

import json

import pytest
from click.testing import CliRunner

from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.plan import preflight
from scalectl.trainer import aot
from scalectl.trainer.aot import GIB, Memory, compiler_here, refused
from scalectl.trainer.memory import temporaries
from scalectl.trainer.spec import DataSpec, RecipeSpec, TrunkSpec, preset

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
MESSAGE = (  # of libtpu 0.0.42.1 on L/16 at batch 512, a scan without rematerialisation, on v5e:2x2
    "RESOURCE_EXHAUSTED: Ran out of memory on HBM, the total memory required for HLO temporaries (65.93G) "
    "exceeds available HBM (15.75G)."
)


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """A preflight of one model from the command line, with a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def asked(name, *options):
        file = tmp_path / "experiments.yaml"
        file.write_text(STUDY.replace("MODEL", name).replace("PRESET", name))
        words = ["preflight", str(file), "--topology", "v5e:2x2", "-o", "json", *options]
        done = CliRunner().invoke(scalectl, words, standalone_mode=False)
        assert done.exception is None, done.exception
        return done.return_value, json.loads(done.stdout)

    return asked


@pytest.fixture
def without_compiler(monkeypatch):
    for room in (aot, preflight):
        monkeypatch.setattr(room, "compiler_here", lambda: False)


def trunk(name, remat="none", batch=512):
    data = DataSpec("synthetic", 10**4, 1000, 0, 0, 224, 3, 1000)
    later = {"layers": "scan", "remat": remat}
    return TrunkSpec(
        preset(name, 16),
        data,
        RecipeSpec(batch, "bfloat16", "map", -10.0, "sigmoid", "adafactor", 1e-3, 1.0, 3.0, 0.03, 10, 10, **later),
        0,
    )


def test_the_compilers_refusal_is_understood():
    before = Memory("v5e:2x2", 4, 556_969_932, None, None, 556_969_932, 16 * GIB, True, 0.0)
    found = refused(MESSAGE, before)
    assert not found.fits and found.limit == round(15.75 * GIB)
    assert found.needed - found.arguments == found.temporaries == round(65.93 * GIB)
    with pytest.raises(RuntimeError, match="something else"):
        refused("INTERNAL: something else", before)


@pytest.mark.parametrize(("name", "measured"), [("Ti", 7_379_509_760), ("L", 65.93 * GIB)])
def test_the_estimate_is_within_a_tenth_of_what_the_compiler_said(name, measured):
    assert temporaries(trunk(name), 4) == pytest.approx(measured, rel=0.1)


def test_the_estimate_falls_with_devices_and_with_rematerialisation():
    whole, parted = (temporaries(trunk("L"), devices) for devices in (4, 16))
    assert 3 < whole / parted < 4
    assert temporaries(trunk("L", "full"), 4) < whole / 5


def test_without_the_compiler_a_large_model_is_refused_by_estimate(ask, without_compiler):
    code, told = ask("L")
    assert code == 4 and not told["fits"]
    (one,) = told["shapes"]
    assert one["models"] == ["L"] and one["over_gib"] > 40 and not one["compiled"]
    assert one["smallest"] == "v5e:4x8" and not one["smallest_compiled"]


def test_an_answer_is_kept_for_the_next_question(ask, without_compiler, monkeypatch):
    code, told = ask("Ti")
    assert code == 0 and told["shapes"][0]["smallest"] == "v5e:2x2"
    monkeypatch.setattr(preflight, "memory", lambda *_: pytest.fail("asked again"))
    assert ask("Ti") == (code, told)


def test_a_topology_that_there_is_none_of_is_refused(ask, tmp_path, without_compiler):
    (tmp_path / "experiments.yaml").write_text(STUDY.replace("MODEL", "Ti").replace("PRESET", "Ti"))
    for topology, code, said in (
        ("v9:2x2", 2, "is not a topology"),
        ("v5e", 2, "is not a topology"),
        ("v5e:99999x99999", 2, "has 8,960 chips"),
        ("v5e:3x3", 4, "can't be shared by 9 devices"),
    ):
        words = ["preflight", str(tmp_path / "experiments.yaml"), "--topology", topology]
        done = CliRunner().invoke(scalectl, words, standalone_mode=False)
        assert done.exception is not None
        assert done.exception.exit == code
        with pytest.raises(type(done.exception), match=said):
            raise done.exception


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not compiler_here(), reason="needs libtpu: uv sync --extra aot")
def test_the_compiler_refuses_a_large_model_within_a_minute(ask):
    code, told = ask("L")
    (one,) = told["shapes"]
    assert code == 4 and one["compiled"] and 40 < one["over_gib"] < 60 and one["seconds"] < 60
