"""A system that can't bind processes to cores, such as macOS, runs studies as well."""

import os
import subprocess
import sys

import pytest

from scalectl.orchestrator.cluster.process import bind, usable

LIKE_MACOS = "import os; del os.sched_setaffinity, os.sched_getaffinity; "


def python(code, *words, folder):
    command = [sys.executable, "-c", LIKE_MACOS + code, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)


def test_without_affinity_all_cores_are_usable_and_nothing_is_bound(tmp_path):
    done = python("from scalectl.orchestrator.cluster.process import *; bind([0]); print(usable())", folder=tmp_path)
    assert done.stdout.strip() == str(list(range(os.cpu_count())))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs a system that binds processes to cores")
def test_a_process_is_bound_to_the_cores_that_it_is_given():
    before = usable()
    try:
        bind(before[:1])
        assert usable() == before[:1]
    finally:
        bind(before)


@pytest.mark.slow
def test_a_study_is_launched_without_affinity(study):
    main = "from scalectl.orchestrator.cli.main import main; main()"
    done = python(main, "launch", "experiments.yaml", "--slots", "1", folder=study.folder)
    assert "2 of 2 runs done" in done.stdout
