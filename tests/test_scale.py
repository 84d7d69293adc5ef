"""Answers from a store of thousands of runs, by the CPU time of the commands that people type."""

import subprocess
import sys

import pytest
from conftest import Study
from told import planning, rows, write

RUNS = 4000
TIMED = """
import sys, time
import scalectl.orchestrator.cli.main as cli
try: cli.main()
finally: print(time.process_time(), file=sys.stderr)
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


@pytest.mark.parametrize("words", ["status", "status --runs", "show pico-60-20", "logs pico-60-20"])
def test_answers_take_less_than_a_second_of_cpu(store, words):
    command = [sys.executable, "-c", TIMED, *words.split(), "--store", str(store)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout
    assert float(done.stderr.splitlines()[-1]) < 1
