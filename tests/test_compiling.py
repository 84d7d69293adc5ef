"""Compiling on the one core of a slot: who gives way, the same numbers, and what whoever waits is told."""

import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import pytest

from scalectl.trainer.checkpoint import sha256
from scalectl.trainer.compiling import compiled
from scalectl.trainer.programs import Programs
from scalectl.trainer.spec import DataSpec, ModelSpec, RecipeSpec, TrunkSpec
from scalectl.trainer.step import shape

TIMES = Path(f"/proc/self/task/{os.getpid()}/schedstat")
COMPILED = """
import os, sys
os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
cores = sorted(os.sched_getaffinity(0))
if sys.argv[1] == "one":
    os.sched_setaffinity(0, cores[:1])
os.nice(int(sys.argv[2]))
import jax
from test_compiling import drawn
compile_, told = jax.stages.Lowered.compile, []

def watched(*arguments, **options):
    program = compile_(*arguments, **options)
    own, tasks = os.getpriority(os.PRIO_PROCESS, os.getpid()), os.listdir("/proc/self/task")
    nice = {os.getpriority(os.PRIO_PROCESS, int(task)) for task in tasks}
    told[:] = own in nice, sorted(other - own for other in nice - {own})
    return program

jax.stages.Lowered.compile = watched
print(drawn(), *told)
"""


def drawn() -> str:
    """The digest of parameters that a program draws which is compiled now."""
    data = DataSpec("digits", 100, 360, 0, 0, 8, 1, 10)
    recipe = RecipeSpec(8, "float32", "gap", 0.0, "sigmoid", "adamw", 1e-3, 1.0, 0.0, 0.0, 10, 10)
    return sha256(Programs(shape(TrunkSpec(ModelSpec(8, 1, 16, 2, 2), data, recipe, 0))).first(0).params)


@pytest.mark.skipif(not TIMES.exists(), reason="the system tells no times of threads")
@pytest.mark.parametrize(
    ("cores", "nice", "told"),
    [("one", "0", "[10]"), ("one", "5", "[10]"), ("one", "15", "[4]"), ("all", "0", "[]")],
)
def test_on_one_core_the_thread_that_hands_fusions_out_gives_way_to_those_that_lower_them(cores, nice, told):
    if (cores == "all" and len(os.sched_getaffinity(0)) == 1) or os.getpriority(os.PRIO_PROCESS, 0) > 0:
        pytest.skip("there is one core, or this process is nice itself")
    done = subprocess.run(
        [sys.executable, "-c", COMPILED, cores, nice],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == f"{drawn()} True {told}"


@pytest.fixture
def one_core():
    """This thread on one core, as on a slot."""
    if not TIMES.exists():
        pytest.skip("the system tells no times of threads")
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)


def test_what_compiling_raises_on_one_core_comes_with_the_place_where_it_was_raised(one_core):
    def refused() -> None:
        raise SystemError("no such option")

    with pytest.raises(SystemError, match="no such option") as told:
        compiled(refused)
    assert told.traceback[-1].name == "refused"


def test_what_compiling_raises_on_one_core_holds_no_memory_once_it_is_handled(one_core):
    """Arrays of the training that ran out of memory stayed until Python looked for garbage."""

    class Array:
        pass

    def training() -> weakref.ref[Array]:
        array = Array()
        with pytest.raises(MemoryError):
            compiled(refused)
        return weakref.ref(array)

    def refused() -> None:
        raise MemoryError

    gc.disable()
    try:
        assert training()() is None
    finally:
        gc.enable()


def test_an_interrupt_on_one_core_does_not_wait_for_the_program(one_core):
    begun, go, ended = (threading.Event() for _ in range(3))

    def slow() -> None:
        begun.set()
        go.wait()
        ended.set()

    def interrupt() -> None:
        begun.wait()
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        compiled(slow)
    assert not ended.is_set()
    go.set()
    assert ended.wait(60)
