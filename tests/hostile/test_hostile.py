"""Inputs that no user means to give end with their exit code and a message, in bounded seconds and memory."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from corpora import CORPORA

from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.errors import Refusal

RUNNING = Path(__file__).with_name("running.py")
SECONDS, BYTES = 20, 500_000_000  # of CPU; the promise is 10, which a busy machine may double
SEED, FEW = 37, 6


@pytest.mark.slow
def test_every_input_has_an_answer_in_bounds(tmp_path):
    cases = {}
    for corpus, made in CORPORA.items():
        (tmp_path / corpus).mkdir()
        cases |= {f"{corpus}, {name}": case for name, case in made(tmp_path / corpus)}
    lines = "".join(json.dumps(words) + "\n" for words, _ in cases.values())
    done = subprocess.run(
        [sys.executable, RUNNING], input=lines, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    wrong = {}
    for (name, (_, codes)), line in zip(cases.items(), done.stdout.splitlines(), strict=True):
        outcome = json.loads(line)
        bounded = outcome["seconds"] <= SECONDS and outcome["bytes"] <= BYTES
        unexplained = "internal error" in outcome["said"] or "Traceback" in outcome["said"] or not outcome["said"]
        if outcome["code"] not in codes or unexplained or not bounded:
            wrong[name] = outcome
    assert wrong == {}


def test_a_few_stores_of_others_at_each_change(tmp_path):
    cases = dict(CORPORA["stores"](tmp_path))
    for name in random.Random(SEED).sample(sorted(cases), FEW):
        words, codes = cases[name]
        done = CliRunner().invoke(scalectl, words, standalone_mode=False)
        code = done.return_value
        if isinstance(done.exception, Refusal):
            code = done.exception.exit
        assert code in codes, (name, done.exception)
