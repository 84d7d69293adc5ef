"""One job in this process, for the sides of benchmarks that have no launcher.

python benchmarks/alone.py < JOB        JOB is a pickled trainer.spec.Job; prints where its time went, as JSON
"""

import json
import pickle
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from scalectl.orchestrator.cluster.worker import stream
from scalectl.trainer.events import Done, Event, Spent
from scalectl.trainer.spec import Job


def told(job: Job) -> list[Event]:
    """All that a job tells; raises RuntimeError where it doesn't come to its last step."""
    events = [event for batch in stream(job, threading.Event()) for event in batch]
    if not isinstance(events[-1], Done):
        raise RuntimeError(f"{job.name}: {events[-1]}")
    return events


def spent(events: list[Event]) -> Spent:
    """Where the time of a job went, up to the last of its events that says so."""
    return [event for event in events if isinstance(event, Spent)][-1]


def cache(folder: Path) -> dict[str, str]:
    """The environment in which JAX keeps every program that it compiles in `folder`."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str(folder),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


if __name__ == "__main__":
    print(json.dumps(asdict(spent(told(pickle.load(sys.stdin.buffer))))))
