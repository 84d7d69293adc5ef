"""The versions that were tested are the same in pyproject.toml and, with hashes, in requirements.lock."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text()


def test_the_constraints_are_those_of_the_lock():
    constraints = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["constraint-dependencies"]
    locked = re.findall(r"^([\w.-]+==[^\\\n]*?) *\\?$", LOCK, re.M)
    assert sorted(line.replace(" ", "") for line in constraints) == sorted(line.replace(" ", "") for line in locked)


def test_every_version_is_hashed_and_no_index_is_named():
    entries = re.split(r"^(?=[\w.-]+==)", LOCK, flags=re.M)[1:]
    assert len(entries) > 50 and all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in LOCK
