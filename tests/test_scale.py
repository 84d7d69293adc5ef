"""What people type needs no table of thousands of runs, and no launch slows down."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Study
from sqlalchemy import event
from told import planning, rows, write

RUNS = 4000
HEAVY = """
import sys
import scalectl.orchestrator.cli.main as cli
try: cli.main()
except SystemExit as ended: assert not ended.code, ended.code
print(sorted({'pandas', 'numpy', 'pydantic'} & set(sys.modules)), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of many runs, some of them done."""
    study = Study(tmp_path_factory.mktemp("many"))
    records, found = planning(study, seeds=str([*range(RUNS // 4)]), steps="[20, 25, 30, 35]")
    assert len(found.runs) == RUNS
    write(records, found.jobs[:16])
    records.close()
    assert rows(study, "SELECT count(*) FROM runs WHERE state = 'done'") == [8]
    return study.store


@pytest.mark.parametrize(
    "words",
    [
        "status",
        "status --runs",
        "status --columns name,state,flops --sort -flops",
        "show pico-60-20",
        "logs pico-60-20",
    ],
)
def test_answers_are_printed_without_the_table_of_points(store, words):
    command = [sys.executable, "-c", HEAVY, *words.split(), "--store", str(store)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"
    assert len(done.stdout.splitlines()) == RUNS + 1 if "--columns" in words else done.stdout


def statements(folder, seeds: int) -> list[str]:
    """The SQL of two jobs, the third and the fourth of a study of so many seeds."""
    study = Study(folder)
    records, found = planning(study, seeds=str([*range(seeds)]), steps="[20, 25, 30, 35]")
    said: list[str] = []
    with records:
        write(records, found.jobs[:2])
        event.listen(records._engine, "before_cursor_execute", lambda *given: said.append(given[2]))
        write(records, found.jobs[2:4])
    return said


def test_a_job_takes_as_many_statements_in_a_large_study_as_in_a_small_one(tmp_path):
    (tmp_path / "small").mkdir()
    (tmp_path / "large").mkdir()
    small, large = statements(tmp_path / "small", 1), statements(tmp_path / "large", 50)
    assert small == large and len(small) <= 2 * 18


def test_the_benchmark_plans_simulates_and_launches(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    import scale

    assert scale.planning(tmp_path, 200)["done"] == 200
    assert scale.simulating(tmp_path, 200)["done"] == 400
    assert 24 <= scale.looping(tmp_path, 200, 24)["done"] <= 24 + scale.SLOTS
