"""A launch that the system gives few threads says so; JAX would abort, and OpenBLAS send itself a signal."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from conftest import Study
from test_cli import COMMAND

# root has no such limit, so that another user with root's right to read this folder asks
CAPABILITIES = "+dac_override,+dac_read_search"
NOBODY = [
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    *(f"--inh-caps={CAPABILITIES}", f"--ambient-caps={CAPABILITIES}", "--bounding-set=-sys_admin,-sys_resource"),
]


def limited(number: int, *words: object) -> subprocess.CompletedProcess[str]:
    """Run scalectl as a user who may have so many threads and processes."""
    command = ["bash", "-c", f'ulimit -u {number}; exec "$@"', "bash", *COMMAND, *map(str, words)]
    if os.geteuid() == 0:
        if not shutil.which("setpriv") or subprocess.run([*NOBODY, "true"], capture_output=True).returncode:
            pytest.skip("root has no limit of processes")
        command = [*NOBODY, *command]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture
def study():
    """A study in a folder that others may read, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        made = Study(Path(folder))
        made.write()
        yield made


@pytest.mark.skipif(not shutil.which("bash"), reason="it takes bash")
@pytest.mark.parametrize(("number", "flags"), [(1, ["--here"]), (8, ["--here"]), (40, [])])
def test_few_threads_are_named_before_anything_is_written(study, number, flags):
    done = limited(number, "launch", study.file, *flags)
    lacking = f"This command needs more threads or processes than it may have: ulimit -u is {number}. Raise it.\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", lacking)
    assert not study.store.exists()
