"""Which jobs of a launch wait, run and are done, what failed, and where their checkpoints lie."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from scalectl.orchestrator.launch.news import ASKED, INTERRUPTED, News
from scalectl.orchestrator.launch.retries import Failures
from scalectl.orchestrator.plan.plan import Plan, PlannedJob
from scalectl.orchestrator.plan.planner import stretch_again
from scalectl.orchestrator.plan.scheduler import Queue
from scalectl.orchestrator.vocabulary import JobState, Slot
from scalectl.trainer.events import Checkpoint, Done, End, Event, Failed, Stopped
from scalectl.trainer.failures import FAILURE_KINDS
from scalectl.trainer.spec import Job


class Board:
    """The jobs of a plan on `slots`; `checkpoints` has the folders in the store by trunk or run and by step."""

    def __init__(
        self, plan: Plan, slots: Sequence[Slot], checkpoints: Mapping[str, Mapping[int, str]], max_retries: int
    ) -> None:
        self.queue = Queue(plan.jobs, slots)
        self.failures = Failures(max_retries)
        self.running: dict[str, PlannedJob] = {}  # by the name of the slot
        self.halted = ""  # why nothing more is placed
        self._stopped: set[str] = set()  # runs that were asked to stop
        self._lost: set[str] = set()  # runs that failed or diverged
        self._retried: dict[str, PlannedJob] = {}  # jobs that failed and wait for another try
        self._slots = {slot.name: slot for slot in slots}
        self._gone: set[str] = set()  # slots that jobs still run on, and none is placed on
        self._trunks = {run.trunk: run.trunk_name for run in plan.runs}
        self._folders = {trunk: dict(checkpoints.get(trunk, {})) for trunk in self._trunks}

    def follow(self, slots: Sequence[Slot]) -> None:
        """Place jobs on these slots from now on; jobs that run elsewhere go on."""
        if slots == self.slots:
            return
        self._gone = self.running.keys() - {slot.name for slot in slots}
        self._slots = {name: self._slots[name] for name in self._gone} | {slot.name: slot for slot in slots}
        self.queue.follow(slots)

    @property
    def slots(self) -> list[Slot]:
        """The slots that jobs may be placed on."""
        return [slot for name, slot in self._slots.items() if name not in self._gone]

    @property
    def ready(self) -> bool:
        """Whether a job waits for nothing but a slot."""
        return self.queue.ready and not self.failures.paused and not self.halted

    def placements(self) -> list[tuple[PlannedJob, Slot]]:
        """Take jobs that are ready off the queue, each with a free slot."""
        if not self.ready:
            return []
        return self.queue.placements([slot for slot in self.slots if slot.name not in self.running])

    def place(self, job: PlannedJob, slot: Slot) -> News:
        """Note that a slot has a job from now on."""
        self.running[slot.name] = job
        self._retried.pop(job.id, None)
        return News(slot.name, job, slot_type=slot.type)

    def resolved(self, planned: PlannedJob) -> Job:
        """The trainer's job with the folder of the checkpoint that it begins from."""
        return replace(planned.job, origin=self._folders[planned.trunk].get(planned.job.start))

    @property
    def unwanted(self) -> set[str]:
        """The slots whose jobs serve only runs that were asked to stop."""
        return {slot for slot, job in self.running.items() if self._unwanted(job)}

    def _unwanted(self, job: PlannedJob) -> bool:
        return self._stopped.issuperset(job.runs)

    def stop(self, runs: Iterable[str]) -> list[str]:
        """Take runs out of the plan; returns those of them that no job on a slot has to leave a checkpoint for."""
        waiting = {run for job in self.queue.waiting.values() for run in job.runs}
        running = {run for job in self.running.values() for run in job.runs}
        self._stopped.update(waiting.union(running).intersection(runs))
        self.queue.drop(self._stopped | self._lost)
        busy = {run for slot in self.unwanted for run in self.running[slot].runs}
        return sorted(self._stopped.intersection(runs) - busy)

    def paused(self) -> dict[str, list[str]]:
        """The runs that are held back, by the cause."""
        runs: dict[str, list[str]] = defaultdict(list)
        for job in self.queue.waiting.values():
            if cause := self.failures.waits(job):
                runs[cause] += job.runs
        gone = self._lost | self._stopped
        return {cause: [run for run in held if run not in gone] for cause, held in runs.items()}

    def retried(self) -> list[str]:
        """The runs whose jobs failed and wait for another try."""
        runs = {run for name, job in self._retried.items() if name in self.queue.waiting for run in job.runs}
        return sorted(runs - self._lost - self._stopped)

    def waiting(self) -> list[str]:
        """The runs whose jobs wait."""
        gone = self._lost | self._stopped
        waiting = dict.fromkeys(run for job in self.queue.waiting.values() for run in job.runs)
        return [run for run in waiting if run not in gone]

    def take(self, slot: str, events: Sequence[Event]) -> News:
        """Note what a job reported; returns that with what it means for the job and for those that wait."""
        job, end = self.running[slot], events[-1]
        self._note_checkpoints(job, events)
        state, pause = JobState.RUNNING, ""
        if isinstance(end, Done | Stopped | Failed):
            del self.running[slot]
            state = self._judge(job, end)
        if isinstance(end, Failed) and state in (JobState.FAILED, JobState.DIVERGED):
            pause = self.failures.pause(job, end)
            self.queue.held = {*self.failures.held}
        reason = self._stop_reason(job, state)
        return News(slot, job, tuple(events), state, pause, reason, self._slots[slot].type)

    def _note_checkpoints(self, job: PlannedJob, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Checkpoint):
                self.failures.reach(job, event.step)
                if event.kept and not job.is_cooldown:
                    self._folders[job.trunk][event.step] = event.path

    def _judge(self, job: PlannedJob, end: End) -> JobState:
        """What a job that ended becomes; it is put back where it goes on later."""
        match end:
            case Done():
                self.queue.done(job)
                self.failures.done(job)
                self.queue.held = {*self.failures.held}
                return JobState.DONE
            case Stopped():
                if not self._unwanted(job):
                    self.queue.again(job)
                return JobState.STOPPED
            case Failed():
                return self._failed(job, end)

    def _failed(self, job: PlannedJob, end: Failed) -> JobState:
        state = self.failures.judge(job, end)
        if state is not JobState.RETRIED:
            self._lost.update(job.runs)
            self.queue.drop(self._lost | self._stopped, job.trunk)
        elif self._unwanted(job):
            return JobState.STOPPED
        else:
            self._retried[job.id] = job
            if FAILURE_KINDS[end.kind].makes_origin_again and job.job.start:
                self._wait_for_origin(job)
            else:
                self.queue.again(job)
        return state

    def _stop_reason(self, job: PlannedJob, state: JobState) -> str:
        """Why the runs of a job are stopped with it; empty where they go on, failed, or are done."""
        if state is JobState.STOPPED and self._unwanted(job):
            return self.halted or ASKED
        if state is JobState.STOPPED:
            return self.halted or INTERRUPTED
        if state is JobState.RETRIED:
            return self.halted  # nobody tries it again now
        if state is JobState.DONE and not job.is_cooldown and self._unwanted(job):
            return ASKED  # the stretch ended before it heard
        return ""

    def _wait_for_origin(self, job: PlannedJob) -> None:
        """Put a job back to begin once a stretch has made its checkpoint of the trunk again.

        All others that wait to begin from it do so too: each would fail, and use up what it may be tried again.
        """
        live = [*self.queue.waiting.values(), *self.running.values()]
        making = [stretch for stretch in live if stretch.owner == job.trunk and stretch.job.stop == job.job.start]
        if making:
            self.queue.after(job, making[0])
            return
        stretch = self._stretch(job, live)
        alike = [other for other in self.queue.waiting.values() if _begin_alike(job, other)]
        for dependent in (job, *alike):
            self.queue.after(dependent, stretch)
        self.queue.again(stretch)

    def _stretch(self, job: PlannedJob, live: Sequence[PlannedJob]) -> PlannedJob:
        """The stretch that ends where a job begins, for the sake of all jobs that go on from there."""
        start, folders = job.job.start, self._folders[job.trunk]
        begin = max((step for step in folders if step < start), default=0)
        served = [planned for planned in (job, *live) if planned.trunk == job.trunk and planned.job.start >= start]
        runs = tuple(dict.fromkeys(run for planned in served for run in planned.runs))
        folder, _, _ = folders[start].rpartition("/")  # which holds the checkpoint before the lost one, too
        return stretch_again(job, self._trunks[job.trunk], begin, folder, runs)


def _begin_alike(job: PlannedJob, other: PlannedJob) -> bool:
    """Tell whether two jobs begin from one checkpoint of their trunk; an evaluation begins from that of its run."""
    return bool(other.flops) and other.trunk == job.trunk and other.job.start == job.job.start
