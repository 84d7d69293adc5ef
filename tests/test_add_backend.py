# ruff: noqa: F811 - a fixture and the arguments that it fills have one name
"""A kind of place for jobs that is added from outside: one class, which keeps every promise of a cluster."""

import queue
import threading
from contextlib import closing, suppress
from dataclasses import replace

import pytest
from test_cluster import (  # noqa: F401 - the same suite as for Ray and for this process
    job,
    test_a_job_tells_its_start_its_steps_its_checkpoint_and_its_end,
    test_a_job_that_raises_ends_with_its_traceback_and_the_slot_goes_on,
    test_a_second_job_of_a_shape_compiles_nothing,
    test_a_slot_is_silent_when_nothing_runs,
    test_a_stopped_job_goes_on_from_its_checkpoint_to_the_same_end,
    told,
)
from told import rows

from scalectl.orchestrator.cluster.backends import BACKENDS, opened
from scalectl.orchestrator.cluster.base import Backend, Lost, Report, Request
from scalectl.orchestrator.cluster.supervisor import Supervisor
from scalectl.orchestrator.cluster.watch import Patience
from scalectl.orchestrator.cluster.worker import stream
from scalectl.orchestrator.errors import NotFound
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.launch.session import carry_out
from scalectl.orchestrator.plan.plan import Caps
from scalectl.trainer.events import Event, Failed, Progress
from scalectl.trainer.spec import Job


class Threads(Backend):
    """A thread of this process for each job, one after another: Orbax can't save two checkpoints at once."""

    slots = ("thread",)

    def __init__(self, request: Request) -> None:
        self._batches: queue.SimpleQueue[list[Event]] = queue.SimpleQueue()
        self._stop, self._thread = threading.Event(), threading.Thread()

    def start(self, slot: str, job: Job) -> None:
        self._batches, self._stop = queue.SimpleQueue(), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(job, self._stop, self._batches))
        self._thread.start()

    def _run(self, job: Job, stop: threading.Event, batches: queue.SimpleQueue[list[Event]]) -> None:
        for batch in stream(job, stop):
            batches.put(batch)

    def events(self, timeout: float) -> list[Report]:
        with suppress(queue.Empty):
            return [("thread", self._batches.get(timeout=timeout))]
        return []

    def stop(self, slot: str) -> None:
        self._stop.set()

    def kill(self, slot: str) -> None:
        self._stop.set()  # for a thread can't be killed
        if self._thread.is_alive():
            self._thread.join()
        self._batches = queue.SimpleQueue()

    def close(self) -> None:
        self.kill("thread")


@pytest.fixture
def threads(monkeypatch) -> None:
    monkeypatch.setitem(BACKENDS, "threads", Threads)


@pytest.fixture
def cluster(threads):
    with closing(opened("threads")) as made:
        yield made


def test_a_study_is_launched_on_it(study, threads):
    experiment = read(study.write(sizes="[60, 90]"))
    outcome = carry_out(experiment, Caps(), backend="threads")
    assert (outcome.done, outcome.runs) == (4, 4)
    assert set(rows(study, "SELECT slot FROM attempts")) == {"thread"}


def test_a_name_that_no_backend_has_is_refused_with_the_nearest(threads):
    with pytest.raises(NotFound, match="did you mean 'threads'"):
        opened("thread")


@pytest.fixture
def endless(job) -> Job:
    return replace(job, stop=10**7)


def end(backend: type[Backend], job: Job, patience: Patience | None = None) -> Failed:
    """How a job ends on a backend: never by itself."""
    with closing(Supervisor(backend(Request()), patience)) as cluster:
        cluster.start("thread", job)
        last = told(cluster, "thread")[-1]
        assert isinstance(last, Failed)
        return last


def test_a_job_leaves_a_machine_before_it_is_taken_away(endless):
    class Drained(Threads):
        def draining(self) -> list[str]:
            return ["thread"]

    last = end(Drained, endless)
    assert last.kind == "preempted" and "drained" in last.reason


def test_a_worker_that_is_lost_is_a_failure_at_the_last_step_that_it_reported(endless):
    class Burning(Threads):
        def events(self, timeout: float) -> list[Report]:
            reports = super().events(timeout)
            if not (trained and reports):
                trained.extend(event.step for _, batch in reports for event in batch if isinstance(event, Progress))
                return reports
            self.kill("thread")
            return [("thread", Lost("the machine caught fire"))]

    trained: list[int] = []
    last = end(Burning, endless)
    assert (last.kind, last.reason) == ("node_lost", "the machine caught fire")
    assert last.step >= trained[-1] > 0


def test_a_worker_that_falls_silent_is_killed(endless, monkeypatch):
    class Silent(Threads):
        def events(self, timeout: float) -> list[Report]:
            super().events(timeout)
            return []

    monkeypatch.setattr("scalectl.orchestrator.cluster.watch.SLOW_SECONDS", 0.0)
    last = end(Silent, endless, Patience(stall=1.0))
    assert last.kind == "stalled" and last.reason.startswith("slot thread reported nothing for ")


def test_a_worker_that_never_comes_is_a_failure_that_says_what_is_free(endless):
    class Absent(Threads):
        def start(self, slot: str, job: Job) -> None:
            pass

        def present(self, slot: str) -> bool:
            return False

        def inventory(self, slot: str) -> str:
            return "all 37 machines are taken"

    last = end(Absent, endless, Patience(acquire=1.0))
    assert last.kind == "no_capacity" and "all 37 machines are taken" in last.reason
