"""The names of tests are the same in every process: pytest-xdist refuses to run where its workers collected others."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def names(seed: int) -> list[str]:
    words = ["--collect-only", "-q", "-n", "0", "-m", "slow or not slow"]
    said = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
    ).stdout
    return [line for line in said.splitlines() if "::" in line]


@pytest.mark.slow
def test_names_hold_neither_the_time_nor_the_order_of_a_set():
    first = names(1)
    time.sleep(1.1)  # gzip writes whole seconds
    assert first and names(2) == first
