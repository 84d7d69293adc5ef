"""Which jobs of a launch wait, run and are done, what failed, and where their checkpoints lie."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from scalectl.orchestrator.launch.retries import Failures
from scalectl.orchestrator.plan.plan import Plan, PlannedJob
from scalectl.orchestrator.plan.planner import stretch_again
from scalectl.orchestrator.plan.scheduler import Queue
from scalectl.orchestrator.slots import Slot
from scalectl.trainer.events import Checkpoint, Done, Event, Failed, Stopped
from scalectl.trainer.spec import Job


class Board:
    """The jobs of a plan on `slots`; `checkpoints` tells the folders that the record holds for each owner and step."""

    def __init__(
        self, plan: Plan, slots: Sequence[Slot], checkpoints: Mapping[str, Mapping[int, str]], max_retries: int
    ) -> None:
        self.queue = Queue(plan.jobs, slots)
        self.failures = Failures(max_retries)
        self.running: dict[str, tuple[PlannedJob, int]] = {}  # by slot: the job, and the number of its attempt
        self.stopped: set[str] = set()  # runs that were asked to stop
        self._slots = slots
        self._lost: set[str] = set()  # runs that failed or diverged
        self._folders = {owner: dict(steps) for owner, steps in checkpoints.items()}
        self._trunks = {run.trunk: run.trunk_name for run in plan.runs}

    @property
    def ready(self) -> bool:
        """Return whether a job waits for nothing but a slot."""
        return self.queue.ready and not self.failures.paused

    def placements(self) -> list[tuple[PlannedJob, Slot]]:
        """Take jobs off the queue, each with a free slot."""
        return self.queue.placements([slot for slot in self._slots if slot.name not in self.running])

    def resolved(self, planned: PlannedJob) -> Job:
        """Return the trainer's job with the folder of the checkpoint that it begins from."""
        return replace(planned.job, origin=self._folders.get(planned.trunk, {}).get(planned.job.start))

    @property
    def unwanted(self) -> set[str]:
        """Return the slots whose jobs serve no other runs than those that were asked to stop."""
        return {slot for slot, (job, _) in self.running.items() if self.stopped.issuperset(job.runs)}

    def stop(self, runs: Iterable[str]) -> list[str]:
        """Take runs out of the plan, and return those of them that no job on a slot has to leave a checkpoint for."""
        waiting = {run for job in self.queue.waiting.values() for run in job.runs}
        running = {run for job, _ in self.running.values() for run in job.runs}
        self.stopped.update(waiting.union(running).intersection(runs))
        self.queue.drop(self.stopped | self._lost)
        busy = {run for slot in self.unwanted for run in self.running[slot][0].runs}
        return sorted(self.stopped.intersection(runs) - busy)

    def paused(self) -> dict[str, list[str]]:
        """Return the runs that are held back, by the cause."""
        found: dict[str, list[str]] = defaultdict(list)
        for job in self.queue.waiting.values():
            if why := self.failures.waits(job):
                found[why] += self._left(job)
        return found

    def waiting(self) -> list[str]:
        """Return the runs whose jobs wait."""
        return list({run: None for job in self.queue.waiting.values() for run in self._left(job)})

    def _left(self, job: PlannedJob) -> list[str]:
        return [run for run in job.runs if run not in self._lost | self.stopped]

    def take(self, slot: str, events: Sequence[Event]) -> str:
        """Note what a job told and return what it became: running, done, stopped, retried, failed or diverged."""
        job, _ = self.running[slot]
        for event in events:
            if isinstance(event, Checkpoint):
                self.failures.reach(job, event.step)
                if event.kept:
                    self._folders.setdefault(job.owner, {})[event.step] = event.path
        end = events[-1]
        if not isinstance(end, Done | Stopped | Failed):
            return "running"
        del self.running[slot]
        if isinstance(end, Done):
            self.queue.done(job)
            self.failures.done(job)
            self.queue.held = {*self.failures.held}
            return "done"
        if isinstance(end, Stopped):
            if not self.stopped.issuperset(job.runs):
                self.queue.again(job)
            return "stopped"
        return self._failed(job, end)

    def _failed(self, job: PlannedJob, end: Failed) -> str:
        state = self.failures.judge(job, end)
        if state == "retried" and self.stopped.issuperset(job.runs):
            return "stopped"
        if state != "retried":
            self._lost.update(job.runs)
            self.queue.drop(self._lost | self.stopped)
        elif end.kind == "checkpoint_corrupt" and job.job.start:
            self._wait_for_origin(job)
        else:
            self.queue.again(job)
        return state

    def pause(self, job: PlannedJob, end: Failed) -> str:
        """Hold back what should wait after a job failed for good, and return what that is and why, or nothing."""
        held = self.failures.pause(job, end)
        self.queue.held = {*self.failures.held}
        return held

    def _wait_for_origin(self, job: PlannedJob) -> None:
        """Put a job back to begin once a stretch has made its checkpoint of the trunk again."""
        live = [*self.queue.waiting.values(), *(one for one, _ in self.running.values())]
        making = next((one for one in live if one.owner == job.trunk and one.job.stop == job.job.start), None)
        stretch = making or self._stretch(job, live)
        self.queue.after(job, stretch)
        if not making:
            self.queue.again(stretch)

    def _stretch(self, job: PlannedJob, live: Sequence[PlannedJob]) -> PlannedJob:
        """Return the stretch that ends where a job begins, for the sake of all jobs from there on."""
        start, known = job.job.start, self._folders[job.trunk]
        begin = max((step for step in known if step < start), default=0)
        after = [one for one in (job, *live) if one.trunk == job.trunk and one.job.start >= start]
        runs = tuple(dict.fromkeys(run for one in after for run in one.runs))
        folder, _, _ = known[start].rpartition("/")  # which holds the checkpoint before the lost one, too
        return stretch_again(job, f"{self._trunks[job.trunk]} trunk {begin:,} to {start:,}", begin, folder, runs)
