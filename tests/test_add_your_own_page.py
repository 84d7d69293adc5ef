"""The code of docs/add_your_own.md runs, and does what the page says; each section in a process of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pages import DOCS

PAGE = (DOCS / "add_your_own.md").read_text()
SECTIONS = dict(re.findall(r"^## An? ([a-z ]+)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
ENDS = """
from scalectl.orchestrator.cluster.base import Request
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan

job = plan(read("experiments.yaml")).jobs[0].job
cluster = Threads(Request())
(slot,) = cluster.slots
kinds = []
cluster.start(slot, job)
while not {"Done", "Stopped", "Failed"} & set(kinds):
    kinds += [type(event).__name__ for _, batch in cluster.events(0.5) for event in batch]
    if stop and "Progress" in kinds:
        cluster.stop(slot)
cluster.close()
print(kinds[0], "Checkpoint" in kinds, kinds[-1])
"""


def run(section: str, check: str, folder: Path) -> str:
    """What the code of a section and then `check` print, in a folder."""
    code = "".join(re.findall(r"^```python\n(.*?)^```$", SECTIONS[section], re.M | re.S))
    (folder / "section.py").write_text(f"{code}\n{check}")
    command = [sys.executable, "section.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def store(tmp_path):
    """A folder with a store of runs on the law E = 2000 (C + 1e9)^-0.4, in two sizes of model."""
    lines = ["model,params,flops,test_error"]
    for number in range(12):
        model, flops = "small", 1e8 * 3**number
        if number > 5:
            model = "large"
        lines.append(f"{model},{1000 * (number + 1)},{flops},{2000 * (flops + 1e9) ** -0.4}")
    (tmp_path / "runs.csv").write_text("\n".join(lines))
    program = Path(sys.executable).with_name("scalectl")
    subprocess.run([program, "import", "runs.csv"], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def test_it_has_a_section_for_each_row_of_the_table():
    table = (DOCS / "architecture.md").read_text()
    assert list(SECTIONS) == re.findall(r"^\| an? ([a-z ]+) \| `", table, re.M)


def test_the_verb_is_a_command_with_its_line_in_the_help(store):
    assert run("verb", "program(['cheapest'], standalone_mode=False)", store).startswith("small")
    lines = run("verb", "program(['--help'])", store).splitlines()
    assert "cheapest Print the cheapest run of the store." in [" ".join(line.split()) for line in lines]


@pytest.mark.slow
def test_the_source_is_one_that_a_study_trains_on(study):
    study.file.write_text(study.file.read_text().replace("digits", "stripes"))
    check = "from scalectl.orchestrator.cli.main import scalectl; scalectl(['launch', '--here'])"
    assert "2 of 2 runs done" in run("source of images", check, study.folder)


def test_the_schedule_halves_the_rate(tmp_path):
    check = "from scalectl.trainer import own; curve = own.thing('schedule', own.names('schedule')['halving'])[1]\n"
    check += "print(curve(37.0, 37.0, 100))"
    assert float(run("schedule", check, tmp_path)) == 0.5


def test_the_metric_is_measured(tmp_path):
    check = "from scalectl.trainer import own; from scalectl.trainer.evaluate import upstream\n"
    check += "from scalectl.trainer.step import Readings; name = own.names('metric')['median_loss']\n"
    check += "print(upstream(Readings(np.array([1.0, 2.0, 9.0]), np.zeros(3, bool), None, None, None), name))"
    assert run("metric", check, tmp_path) == "(2.0, 3)\n"


def test_the_law_finds_what_was_planted(store):
    output = run("law", "print(*(float(fitted.law.params()[name]) for name in LAW.names))", store)
    assert "E = a (C + d)^-b" in output
    assert list(map(float, output.splitlines()[-1].split())) == pytest.approx([2000, 1e9, 0.4], rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("stop", "end"), [(False, "Done"), (True, "Stopped")])
def test_the_backend_runs_a_job_and_stops_one_at_a_checkpoint(study, stop, end):
    study.write(steps="[2000]")
    assert run("cluster backend", f"stop = {stop}\n{ENDS}", study.folder).split() == ["Started", "True", end]


def test_the_exporter_writes_a_table(store):
    command = "from scalectl.orchestrator.cli.main import scalectl; scalectl(['export', '-o', 'runs.tex'])"
    assert run("exporter", command, store).endswith(" runs written to runs.tex.\n")
    table = (store / "runs.tex").read_text()
    assert re.findall(r"^(small|large) & \S+ & \S+ \\\\$", table, re.M) == ["large", "small"]


def test_the_figure_is_saved_with_its_data(store):
    run("figure", "", store)
    assert (store / "sizes.pdf").read_bytes().startswith(b"%PDF")
    assert '"small' in (store / "sizes.json").read_text()


def test_the_failure_kind_is_one_that_a_job_can_fail_with(tmp_path):
    check = "from scalectl.trainer.events import Failed; print(Failed('overheated', 37, 'a fan broke').kind)"
    assert run("failure kind", check, tmp_path) == "overheated\n"
