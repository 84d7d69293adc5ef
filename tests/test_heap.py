"""What is freed stays with the process, until it is given back; counted in pages that the kernel had to clear."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from scalectl.orchestrator.cluster import process as heap
from scalectl.trainer.compiling import library

ROOT = Path(__file__).parent.parent
MIB = 2**20
SIZE = 256 * MIB
WORK = f"""
import json, resource, threading
from pathlib import Path
from scalectl.trainer.compiling import give_back
from ctypes import CDLL, c_void_p, c_size_t, c_int
c = CDLL(None)
c.malloc.restype, c.malloc.argtypes, c.free.argtypes = c_void_p, [c_size_t], [c_void_p]
c.memset.argtypes = [c_void_p, c_int, c_size_t]

def work():
    piece = c.malloc({SIZE})
    c.memset(piece, 1, {SIZE})
    c.free(piece)

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    one = threading.Thread(target=work)  # XLA computes in threads of its own
    one.start()
    one.join()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

first, again = faults(), [faults() for _ in range(3)]
held = resident()
large = sum(int(line.split()[1]) for line in open("/proc/self/smaps") if line.startswith("AnonHugePages"))
give_back()
print(json.dumps([first, max(again), held, resident(), 1024 * large]))
"""
HUGE = Path("/sys/kernel/mm/transparent_hugepage/enabled")

pytestmark = pytest.mark.skipif(not hasattr(library(), "mallopt"), reason="the C library is not glibc")


def worked(**environment: str) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", WORK], cwd=ROOT, env=os.environ | environment, capture_output=True, check=True
    )
    return json.loads(done.stdout)


def test_by_default_glibc_asks_for_clear_pages_each_time():
    first, again, held, *_ = worked()
    assert again > first / 2 and held < SIZE


def test_a_worker_uses_the_same_pages_again_and_gives_them_back_when_asked_to():
    _, again, held, left, _ = worked(**heap.ENVIRONMENT)
    assert again < SIZE / resource.getpagesize() / 20
    assert held > SIZE and held - left > 0.9 * SIZE


@pytest.mark.skipif(not HUGE.exists() or "[never]" in HUGE.read_text(), reason="the kernel gives no huge pages")
def test_the_heap_of_a_worker_lies_in_huge_pages():
    *_, large = worked(**heap.ENVIRONMENT)
    assert large > SIZE / 2


def test_tunables_of_the_user_come_after_those_of_a_worker():
    code = "from scalectl.orchestrator.cluster import process; print(process.ENVIRONMENT['GLIBC_TUNABLES'])"
    given = os.environ | {"GLIBC_TUNABLES": "glibc.malloc.perturb=7"}
    done = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "glibc.malloc.hugetlb=1:glibc.malloc.perturb=7"
