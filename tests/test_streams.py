"""Readers that go away, full disks behind stdout, and streams that were closed before a command began."""

import subprocess
import sys

import pytest
from test_cli import COMMAND
from told import rows


def shell(line: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a line of bash, in which $@ is scalectl with these words; a pipe has the code of its first command."""
    code = f"set -o pipefail; {line}"
    command = ["bash", "-c", code, "bash", *COMMAND, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
@pytest.mark.parametrize("line", ['"$@" 2>&1 | true', '"$@" >/dev/full 2>&-'])
def test_a_launch_trains_on_when_nobody_can_read_it(study, line):
    done = shell(line, "launch", study.file, "--here")
    assert (done.returncode, done.stderr) == (0, "")
    assert rows(study, "SELECT DISTINCT state FROM runs") == ["done"]


@pytest.mark.slow
def test_a_full_disk_is_told_in_a_few_lines(study):
    file = study.write(steps="[100]", checkpoint_every=20)
    file.write_text(file.read_text().replace("width: 8", "width: 128") + "limits: {retries: 0}\n")
    few = "ulimit -f 400; "  # KiB of each file, in place of a small disk: the store has less, a checkpoint more
    done = shell(f'{few}"$@"', "launch", file, "--here")
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and [line.split()[0] for line in lines] == ["small", "1", "paused", "failed"]
    assert "Failed to write" in lines[3]
    assert done.stdout.rstrip().splitlines()[-1].startswith("Next: scalectl status")


def test_any_other_command_ends_quietly_with_its_reader():
    done = shell('"$@" | head -1', "schema")
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "{\n")


def test_a_disk_that_is_full_is_said_to_be():
    done = shell('"$@" >/dev/full', "schema")
    assert done.returncode == 1 and done.stderr == "stdout can't be written: No space left on device.\n"


def test_a_command_whose_stdout_is_closed_ends_well(study):
    assert shell('"$@" >&-', "plan", study.file).returncode == 0
    done = shell('"$@" >&-', "status", "--store", study.store)
    assert done.returncode == 5 and "internal error" not in done.stderr


def test_a_command_that_ends_looks_for_no_garbage():
    code = """
import gc
from scalectl.orchestrator.cli.streams import leave
class Told:
    def __del__(self):
        print("found")
gc.disable()
garbage = Told()
garbage.itself = garbage
del garbage
leave(3)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")
