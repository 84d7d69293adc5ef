"""What is asked of each node of a cluster before jobs are placed on it: its versions, and whether it sees a file.

A node where scalectl can't be imported would lose every job that it is given, and say no cause.
"""

import platform
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from scalectl.orchestrator.cluster.ray_slots import Node
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.format import last_line
from scalectl.trainer.data.storage import as_path, remote
from scalectl.trainer.events import Stop

FILE = "seen-by-all-nodes"
PACKAGES = ("scalectl", "jax", "jaxlib")
NEEDED = ("scalectl.orchestrator.cluster.worker", "jax")
VISIT_SECONDS = 60.0  # that the nodes which are there are waited for; those that answer later are used from then on
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Answer:
    """What a node says of itself: its name, versions, why it can't run jobs, and whether it sees the file."""

    host: str
    versions: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    sees: bool = True


def own_versions() -> dict[str, str]:
    """The versions of this process that change numbers."""
    return {"Python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def _questions() -> Callable[..., dict[str, Any]]:
    """The function that a node runs; Ray carries its code there, since scalectl may be missing or another one."""

    def look(packages: Sequence[str], needed: Sequence[str], file: str, text: str) -> dict[str, Any]:
        import importlib
        import platform
        import socket
        from importlib.metadata import version

        problem, sees, versions = "", True, {"Python": platform.python_version()}
        try:
            versions |= {name: version(name) for name in packages}
            for module in needed:
                importlib.import_module(module)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        if file:
            try:
                if "://" in file:
                    from etils.epath import Path
                else:
                    from pathlib import Path
                sees = Path(file).read_text() == text
            except Exception:
                sees = False
        return {"host": socket.gethostname(), "versions": versions, "problem": problem, "sees": sees}

    return look


class Visits:
    """The nodes of a cluster by what they answered; `probe` is a file, and the text that it has."""

    def __init__(self, ray: Any, probe: tuple[str, str] = ("", "")) -> None:
        self._ray, self._probe = ray, probe
        self._look = ray.remote(num_cpus=0, max_calls=1, max_retries=0)(_questions())  # JAX is told its place once
        self._under_way: dict[str, tuple[str, Any]] = {}  # node -> its name in the cluster, and its answer to come
        self._answers: dict[str, Answer] = {}

    def visit(self, nodes: Iterable[Node]) -> list[str]:
        """Ask the nodes that weren't asked yet, and return the ids of those whose answer has come since."""
        for node in nodes:
            if node["NodeID"] not in {*self._under_way, *self._answers}:
                name = node["NodeManagerHostname"]
                self._under_way[node["NodeID"]] = name, self._asked(node["NodeID"])
        new: list[str] = []
        for visited, (name, reference) in list(self._under_way.items()):
            ready, _ = self._ray.wait([reference], timeout=0)
            if ready:
                del self._under_way[visited]
                self._answers[visited] = self._answer(name, reference)
                new.append(visited)
        return new

    def wait(self, nodes: Sequence[Node], stopping: Stop) -> list[str]:
        """The same, once they have all answered, VISIT_SECONDS have passed, or the launch is to end."""
        deadline, new = time.monotonic() + VISIT_SECONDS, self.visit(nodes)
        while self._under_way and time.monotonic() < deadline and not stopping.is_set():
            time.sleep(POLL_SECONDS)
            new += self.visit(nodes)
        return new

    def usable(self, node: str) -> bool:
        """Whether a node has answered that it can run jobs and sees the file."""
        answer = self._answers.get(node)
        return answer is not None and answer.sees and not answer.problem

    def leave_out(self, node: str, problem: str) -> None:
        """Note why a node can't run jobs after all."""
        self._answers[node] = Answer(self.host(node), problem=problem)

    def host(self, node: str) -> str:
        """The name of a node for people."""
        if node in self._answers:
            return self._answers[node].host
        return node[:8]

    def left_out(self, node: str) -> bool:
        """Whether a node has answered that it can't run jobs or doesn't see the file."""
        return node in self._answers and not self.usable(node)

    @property
    def under_way(self) -> bool:
        """Whether a node was asked that hasn't answered yet."""
        return bool(self._under_way)

    def problems(self, nodes: Iterable[str]) -> list[str]:
        """Why some of these nodes can't run jobs, a sentence each."""
        answers = [self._answers[node] for node in nodes if node in self._answers]
        sentences = [f"node {answer.host} is left out: {answer.problem}" for answer in answers if answer.problem]
        return list(dict.fromkeys(sentences))

    def blind(self, nodes: Iterable[str]) -> list[str]:
        """The names of those of these nodes that don't see the file, though they could run jobs."""
        answers = [self._answers[node] for node in nodes if node in self._answers]
        return list(dict.fromkeys(answer.host for answer in answers if not answer.sees and not answer.problem))

    def differences(self, nodes: Iterable[str]) -> list[str]:
        """A sentence for each version that differs from that of the launch, with the names of the nodes."""
        own, hosts = own_versions(), dict[tuple[str, str], list[str]]()
        for node in nodes:
            if node in self._answers:
                for name, number in self._answers[node].versions.items():
                    if number != own.get(name):
                        hosts.setdefault((name, number), []).append(self._answers[node].host)
        return [
            f"{name} is {number} on node {', '.join(dict.fromkeys(names))} and {own[name]} in this launch:"
            " numbers may differ, and jobs may fail. Install one version everywhere."
            for (name, number), names in hosts.items()
        ]

    def _asked(self, node: str) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        pinned = NodeAffinitySchedulingStrategy(node, soft=False)
        return self._look.options(scheduling_strategy=pinned).remote(PACKAGES, NEEDED, *self._probe)

    def _answer(self, name: str, reference: Any) -> Answer:
        try:
            return Answer(**self._ray.get(reference))
        except self._ray.exceptions.RayError as error:
            return Answer(name, problem=cause(error))


def cause(error: Exception) -> str:
    """The last line of what Ray says of an error, which names the cause where that was raised on a node."""
    return last_line(str(error)) or type(error).__name__


def written(artifacts: str) -> tuple[str, str]:
    """A new file in the folder of artifacts, with its text; none in a bucket that only the nodes have access to.

    Raises OSError where a folder can't be written.
    """
    file, text = f"{artifacts}/{FILE}", secrets.token_hex(8)
    try:
        as_path(file).write_text(text)
    except Exception:
        if not remote(artifacts):
            raise
        return "", ""
    return file, text


def seen(probe: tuple[str, str]) -> None:
    """Raise FileNotFoundError where this machine doesn't see such a file; there may be none to see."""
    file, text = probe
    if file and not (as_path(file).exists() and as_path(file).read_text() == text):
        raise FileNotFoundError(f"{file}: this machine does not see the artifacts folder of the launch")


def remove(file: str) -> None:
    """Take the file away, if it is there."""
    if file:
        with suppress(Exception):
            as_path(file).unlink()


def unseen(hosts: Sequence[str], artifacts: str) -> Refusal:
    """The refusal of a launch of which some nodes don't see the artifacts."""
    nodes = f"node {hosts[0]} doesn't"
    if len(hosts) > 1:
        nodes = f"nodes {', '.join(hosts)} don't"
    return Refusal(
        f"refused: {nodes} see the artifacts folder {artifacts}: a file that this launch wrote there is missing."
        " Share that folder between all nodes by one path, or name one in a bucket. Nothing was trained."
    )
