"""The benchmark of the step runs, and docs/performance.md calls its parts by their names."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1]
PAGE = (HERE / "docs" / "performance.md").read_text()
SIDES = ("scalectl", "linen", "linen*", "timm")


@pytest.fixture
def step(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE / "benchmarks"))
    import step

    return step


@pytest.mark.slow
def test_the_benchmark_compares_the_sides_that_are_there():
    command = [sys.executable, "benchmarks/step.py", "--shapes", "smallest", "--rounds", "1", "--seconds", "0.02"]
    told = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True).stdout.splitlines()
    assert told[0] == "smallest: 8 pixels, batch 2, float32"
    assert [line.split()[0] for line in told[1:]] == ["scalectl", "linen", "linen*"]
    assert all(0 <= float(re.search(r"idle +([\d.]+)%", line)[1]) < 100 for line in told[1:])


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
    assert {side for _, side in table} == set(SIDES) and len(table) == len(set(table)) == len(SIDES) * len(step.CPU)
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
