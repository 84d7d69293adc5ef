"""The benchmarks run, and docs/performance.md calls their parts by their names."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from told import planning, write

from scalectl.orchestrator.experiment.reading import read
from scalectl.trainer.events import Spent

HERE = Path(__file__).parents[1]
PAGE = (HERE / "docs" / "performance.md").read_text()
SIDES = ("scalectl", "linen", "linen*", "timm")


@pytest.fixture
def step(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE / "benchmarks"))
    import step

    return step


@pytest.fixture
def warm(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE / "benchmarks"))
    import warm

    return warm


@pytest.fixture
def tune(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE / "benchmarks"))
    import tune

    return tune


BIG_VISION = {  # as much of its interface as a step needs
    "big_vision/__init__.py": "",
    "big_vision/models/__init__.py": "",
    "big_vision/models/vit.py": """
from flax import linen as nn

class Model(nn.Module):
    num_classes: int
    width: int
    depth: int
    mlp_dim: int
    num_heads: int
    patch_size: tuple
    pool_type: str
    dtype_mm: str

    @nn.compact
    def __call__(self, image, *, train=False):
        x = nn.Conv(self.width, self.patch_size, strides=self.patch_size)(image).mean(axis=(1, 2))
        return nn.Dense(self.num_classes)(x), {}
""",
    "big_vision/utils.py": """
import optax

def sigmoid_xent(*, logits, labels):
    return optax.sigmoid_binary_cross_entropy(logits, labels).sum(axis=-1).mean()
""",
    "big_vision/optax.py": """
import optax

def make(config, params, *, sched_kw):
    rate = optax.linear_schedule(0.0, config.lr, sched_kw["total_steps"])
    chain = getattr(optax, config.optax_name)(**config.get("optax"))
    return optax.chain(chain, optax.scale_by_schedule(rate), optax.scale(-1.0)), [rate]

def get_count(state, jittable):
    return state[1].count
""",
}


def test_a_peer_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE / "benchmarks"))
    import card_parts
    from step_shapes import SMALL

    assert card_parts.peer(None, SMALL["smallest"], "big_vision") == "left out: no module big_vision"


def test_the_laptop_study_has_its_own_shapes_in_the_benchmark(step):
    study = read(HERE / "experiments.yaml")
    for cell in study.cells:
        trunk, work = cell.run.trunk, step.CPU[cell.model]
        data, recipe = trunk.data, trunk.recipe
        assert work.model == trunk.model
        assert (work.side, work.channels, work.classes) == (data.image_size, data.channels, data.num_classes)
        assert (work.batch, work.precision) == (recipe.batch_size, recipe.precision)


@pytest.mark.slow
def test_the_benchmark_compares_the_sides_that_are_there():
    command = [sys.executable, "benchmarks/step.py", "--shapes", "smallest", "--rounds", "1", "--seconds", "0.02"]
    told = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True).stdout.splitlines()
    assert told[0] == "smallest: 8 pixels, batch 2, float32"
    assert [line.split()[0] for line in told[1:]] == ["scalectl", "linen", "linen*"]
    assert all(0 <= float(re.search(r"idle +([\d.]+)%", line)[1]) < 100 for line in told[1:])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_all_parts_of_the_measurements_on_a_card_run_on_a_cpu(tmp_path):
    for name, text in BIG_VISION.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    command = [sys.executable, "benchmarks/card.py", "--tiny", "--big-vision", str(tmp_path)]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    told = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True, env=environment).stdout
    parts = [line.split(maxsplit=1) for line in told.splitlines()[1:]]
    expected = ["rate", "resident", "fed", "readers", "pico", "linen", "big_vision"]
    assert list(dict.fromkeys(part for part, _ in parts)) == expected
    failed = [line for _, line in parts if "images/s" not in line and "FLOP/s" not in line]
    assert [line.split("  ")[0] for line in failed] == ["smallest, attention cudnn"]
    assert re.search(r"cached, crops of 12 .* waited \d+ %; cached at \d+ images/s", told)


class Answers:
    """A side that trains 100 steps a second, half as many for the peer, and multiplies at 1 TFLOP/s."""

    def __init__(self, name, shape, python, asked):
        self.name, self.a_step = name, 0.01 if name == "scalectl" else 0.02
        self.compiling = {"seconds": 2.0, "cpu_seconds": 1.0}

    def ask(self, what):
        if what == "rate":
            return {"rate": 1e12}
        kind, steps = what.split()
        spent = self.a_step * int(steps)
        return {"idle": 0.01} if kind == "idle" else {"seconds": spent, "cpu_seconds": 3 * spent}

    def close(self):
        pass


def test_a_gpu_is_asked_for_the_large_models_and_its_own_rate(step, monkeypatch, capsys):
    monkeypatch.setattr(step, "Side", Answers)
    step.main(["--device", "gpu", "--torch", "python"])
    told = capsys.readouterr().out.splitlines()
    assert [line for line in told if not line.startswith(" ")] == [
        "B/16: 224 pixels, batch 256, bfloat16, matrix products at 1e+12 FLOP/s",
        "L/16: 224 pixels, batch 128, bfloat16, matrix products at 1e+12 FLOP/s",
    ]
    ours, linen, timm = (line.split("  ", 2)[2] for line in told[1:4])
    # 100 steps of 256 images of three forward passes of B/16, which Table 2 prints as 35.1 GFLOPs with more classes
    assert "25600.0 images/s" in ours and float(re.search(r"MFU +([\d.]+)%", ours)[1]) == pytest.approx(
        2.69e5, rel=2e-3
    )
    assert "ours  2.00 x (least 2.00)" in linen and "idle   1.00%" in linen and "idle" not in timm


def test_a_shape_that_is_not_known_is_refused(step, capsys):
    with pytest.raises(SystemExit):
        step.main(["--shapes", "H/14"])
    assert "invalid choice: 'H/14'" in capsys.readouterr().err


def test_time_in_which_spans_overlap_counts_once(step):
    from step_side import covered

    assert covered([(10, 20), (0, 4), (12, 15), (18, 30)]) == 24


def test_the_page_names_every_shape_and_side_and_no_other(step):
    table = re.findall(r"^\| ([^|]+) \| (scalectl|linen\*?|timm) \|", PAGE, re.M)
    assert {shape for shape, _ in table} == set(step.CPU)
    assert {side for _, side in table} == set(SIDES) and len(table) == len(set(table))
    assert {row for row in table if row[1] != "timm"} == {(shape, side) for shape in step.CPU for side in SIDES[:-1]}
    assert all(f"`{shape}`" in PAGE for shape in step.GPU)


def test_the_page_asks_for_what_the_benchmark_takes(step, monkeypatch):
    monkeypatch.setattr(step, "Side", Answers)
    commands = re.findall(r"^uv run python benchmarks/step.py *(.*)$", PAGE, re.M)
    assert commands
    for command in commands:
        step.main(command.split())


def test_the_page_gives_the_sizes_of_the_shapes(step):
    for name, work in (step.CPU | step.GPU).items():
        model = work.model
        sizes = (model.width, model.depth, model.patch_size, work.side, work.batch, work.precision)
        assert f"| `{name}` | {' | '.join(map(str, sizes))} |" in PAGE


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_warm_worker_costs_a_job_less_than_a_process_of_its_own():
    command = [sys.executable, "benchmarks/warm.py", "--jobs", "2", "--sides", "scalectl", "process"]
    told = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True).stdout
    ours, alone = (float(seconds) for seconds in re.findall(r"([\d.]+) s a job", told))
    assert 0 < ours < alone / 5


def test_the_overhead_of_a_job_is_all_but_its_training_its_evaluation_and_its_saving(warm):
    spent = Spent(20, begin=0.25, compile=1.0, train=2.0, evaluate=3.0, save=4.0)
    first, second = warm.overheads([warm.End(at, spent) for at in (100.0, 112.0, 123.0)])
    assert (first.placing, first.begin, first.compile) == (1.75, 0.25, 1.0)
    assert first.seconds == 3.0 and second.seconds == 2.0


def test_the_jobs_of_the_warm_workers_have_one_shape_and_need_no_other(warm, tmp_path):
    jobs = warm.planned(tmp_path, 21)[0].jobs
    assert len(jobs) == 21 and len({job.shape for job in jobs}) == 1
    assert all(job.job.run and not job.needs for job in jobs)


def test_end_points_of_the_store_are_compared_to_the_last_bit(tune, study):
    records, plan = planning(study, steps="[20, 40]")
    with records:
        write(records, plan.jobs, value=0.1)
    ends, steps = tune.stored(study.store)
    metrics = plan.evals.metrics()
    same = {run.id: dict.fromkeys(metrics, 0.1) | {"digest": f"{run.spec.steps:064x}"} for run in plan.runs}
    assert steps == 16 + 4 + 16 + 8 and tune.differing(ends, same) == []
    one, other = same
    same[one] = same[one] | {"upstream/error": 0.1 + 2**-55}
    assert tune.differing(ends, same) == [one]
    assert tune.differing(ends, {one: ends[one]}) == [other]


def test_trials_of_ray_tune_are_all_runs_of_the_study_from_step_0(study, monkeypatch):
    monkeypatch.syspath_prepend(str(HERE / "benchmarks"))
    import tune_side

    study.write(steps="[20, 40]", sizes="[60, 90]")
    jobs = tune_side.jobs(study.folder)
    assert [(job.start, job.stop) for job in jobs.values()] == [(0, 40), (0, 40), (0, 20), (0, 20)]
    assert all(job.run and job.origin is None for job in jobs.values())
    assert len({job.folder for job in jobs.values()}) == 4


def test_the_side_that_is_quick_is_part_of_the_laptop_study(tune, tmp_path):
    from scalectl.orchestrator.experiment.reading import read

    (tmp_path / "experiments.yaml").write_text(f"extends: {tune.STUDY}\n{tune.QUICK}")
    some, whole = (
        {cell.name for cell in read(path).cells} for path in (tmp_path / "experiments.yaml", HERE / "experiments.yaml")
    )
    assert some < whole and len(some) == 12


def test_the_page_has_the_numbers_of_every_side_of_the_warm_workers(warm):
    section = PAGE.partition("## Warm workers")[2].partition("\n## ")[0]
    assert re.findall(r"^\| ([a-z ]+) \| [\d.]+ \|", section, re.M) == [*warm.SIDES]
