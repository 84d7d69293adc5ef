"""Studies small enough for a test: real digits, real training, seconds."""

import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import settings

from scalectl.orchestrator.cluster.process import usable
from scalectl.orchestrator.store.database import APPLICATION

# Programs that one test compiled serve all others and their processes, and nobody's home is touched.
CACHE = Path(__file__).parents[1] / ".pytest_cache" / "jax"
os.environ |= {
    "JAX_COMPILATION_CACHE_DIR": str(CACHE),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    "JAX_NUMPY_RANK_PROMOTION": "raise",  # of arrays; a bias that meets another axis by its length alone is an error
}

# A shell that starts tests in the background has Ctrl-C ignored, and what a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _refuse(time: datetime) -> str:
    raise TypeError(
        f"{time} would reach SQLite by the adapter of Python, which is deprecated from 3.12 on: give its type"
    )


sqlite3.register_adapter(datetime, _refuse)  # so that Python 3.11 tells as well

MOST_WORKERS = 4  # of a run of tests: each has JAX, and some a Ray cluster, of its own

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")

SMALL = """\
version: 1
name: small
store: results.db
artifacts: ./artifacts
models:
  pico: {{width: 8, depth: 1, num_heads: 2, patch_size: 4}}
data:
  source: digits
  sizes: {sizes}
  augment: {{shift: 1}}
train:
  batch_size: 16
  precision: float32
  head: map
  loss: sigmoid
  optimizer: {{name: adafactor, lr: 3e-3, clip_norm: 1.0, weight_decay: {{head: 3.0, body: 0.03}}}}
  schedule: {schedule}
  checkpoint_every: {checkpoint_every}
budgets: {{steps: {steps}}}
grid: {{seeds: {seeds}}}
evals:
  upstream: {{metrics: [loss, error]}}
  fewshot: {{datasets: [digits], shots: {shots}, seeds: 2}}
"""

SCHEDULES = {
    "rsqrt": "{name: rsqrt, warmup: 4, timescale: 10, cooldown: 20%}",
    "constant": "{name: constant, warmup: 4, timescale: 5, cooldown: 20%}",
    "trapezoidal": "{name: trapezoidal, warmup: 4, cooldown: 20%}",
    "linear": "{name: linear, warmup: 4}",
    "cosine": "{name: cosine, warmup: 4}",
}
DEFAULTS = {
    "sizes": "[60]",
    "steps": "[20, 40]",
    "seeds": "[0]",
    "shots": "[1]",
    "schedule": SCHEDULES["rsqrt"],
    "checkpoint_every": 1000,
}


GRID = {"sizes": "[60, 120]", "steps": "[100, 200, 400]", "checkpoint_every": 40, "shots": "[1, 5]"}


class Study:
    """A folder with an experiments.yaml that a test writes and rewrites."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "experiments.yaml"
        self.store = folder / "results.db"

    def write(self, extra: str = "", **changes: object) -> Path:
        self.file.write_text(SMALL.format(**(DEFAULTS | changes)) + extra)
        return self.file


def pytest_xdist_auto_num_workers() -> int:
    """Return how many processes run tests at once where nobody says: one more than cores, as many tests wait."""
    return min(len(usable()) + 1, MOST_WORKERS)


@pytest.fixture(scope="module")
def little_optimised() -> Iterator[None]:
    """Compiles in two thirds of the time what a module computes once, to compare it with formulas."""
    import jax

    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has what is kept of files of images kept apart from that of all other tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = Study(tmp_path)
    made.write()
    return made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time that a launch's progress goes by, in the hands of the test."""
    made = SimpleNamespace(seconds=1000.0, monotonic=lambda: made.seconds)
    for module in ("pace", "progress", "screens"):
        monkeypatch.setattr(f"scalectl.orchestrator.launch.{module}.time", made)
    return made


@pytest.fixture
def begun(study: Study):
    """An open store with two runs planned on one trunk, in four jobs: 0 to 16, 16 to 32, 16 to 20 and 32 to 40."""
    from told import planning

    records, plan = planning(study, steps="[20, 40]")
    with records:
        yield records, plan


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of two runs that are done; nothing changes it."""
    import told

    return told.filled(tmp_path_factory.mktemp("filled"))


@pytest.fixture
def whole(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Another study, of the runs of GRID, for what a launch that nothing disturbs gives."""
    made = Study(tmp_path_factory.mktemp("whole"))
    made.write(**GRID)
    return made


@pytest.fixture
def old(study: Study) -> Study:
    """The study's store as version 5 wrote it."""
    return stored(study, 5)


def stored(study: Study, version: int) -> Study:
    """The study, with its store as that version wrote it."""
    dump = (Path(__file__).parent / "stores" / f"version{version}.sql").read_text()
    with closing(sqlite3.connect(study.store)) as store:
        store.executescript(f"{dump}; PRAGMA user_version = {version}; PRAGMA application_id = {APPLICATION}")
    return study


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window; it may run as root in a container."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the group `browser` of uv has playwright")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium is on the path: apt-get install chromium")
    with playwright.sync_playwright() as started:
        arguments = ["--no-sandbox", "--disable-gpu"]  # no process of a GPU that isn't there holds up a frame
        made = started.chromium.launch(executable_path=path, args=arguments)
        yield made
        made.close()
