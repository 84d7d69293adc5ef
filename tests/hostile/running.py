"""Run commands given as JSON lines, each in a child of one warm process; print its exit code, seconds and memory."""

import json
import os
import resource
import sys

import scalectl.analysis.store
import scalectl.orchestrator.experiment.reading
import scalectl.orchestrator.report.exports
import scalectl.orchestrator.store.imported
import scalectl.orchestrator.store.records
import scalectl.trainer.data.parquet  # noqa: F401 - each command would spend its first second on these
from scalectl.orchestrator.cli.main import main

SECONDS, BYTES = 60, 4 << 30


def run(words: list[str]) -> dict[str, object]:
    """The outcome of a command; memory in bytes."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        sys.argv = ["scalectl", *words]
        code = 70
        try:
            main()
        except SystemExit as end:
            code = int(str(end.code))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read().decode(errors="replace")
    _, status, usage = os.wait4(child, 0)
    seconds, memory = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
    return {"code": os.waitstatus_to_exitcode(status), "seconds": seconds, "bytes": memory, "said": said}


for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), flush=True)
