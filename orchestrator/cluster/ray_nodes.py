"""The nodes of a cluster that a launch joined: which can be used, the slots that they make, and what is free."""

import threading
import time
from collections.abc import Mapping
from typing import Any

from scalectl.orchestrator.cluster import ray_visit
from scalectl.orchestrator.cluster.base import Request
from scalectl.orchestrator.cluster.following import inventory, serves, shortage, workers
from scalectl.orchestrator.cluster.ray_head import Head
from scalectl.orchestrator.cluster.ray_slots import Node, Seats, lacking, plain
from scalectl.orchestrator.cluster.ray_slots import slots as slots_of
from scalectl.orchestrator.cluster.ray_visit import Visits, unseen
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.vocabulary import CPU, Slot

LOOK_SECONDS = 15.0  # between two looks, for nodes that have joined
HURRY_SECONDS = 1.0  # the same soon after a worker was lost, while a node is asked, and where there is no slot at all
LEARN_SECONDS = 30.0  # after a worker was lost: Ray may take as long to learn that its node is gone
FREE_SECONDS = 2.0  # for which it is remembered what is free


class Nodes:
    """The living nodes that may be part of the slots that are wanted, as the head knows them.

    A node is used once it was visited, which `admit` begins with.
    """

    def __init__(self, ray: Any, head: Head, request: Request) -> None:
        self._ray, self._head, self._request = ray, head, request
        self._visits: Visits | None = None
        self._artifacts, self.probe = "", ("", "")
        self._notices: list[str] = []
        self._own = str(ray.get_runtime_context().get_node_id())
        self._free: tuple[float, Mapping[str, Mapping[str, float]]] = (-FREE_SECONDS, {})
        self.known: list[Node] = []
        self._hurried = -LEARN_SECONDS
        self._look()

    def _look(self) -> None:
        self._looked = time.monotonic()
        self.known = self._head.ask(self._ray.nodes, self.known)

    def hurry(self) -> None:
        """Look more often for a while."""
        self._hurried = time.monotonic()

    def follow(self) -> bool:
        """Look at the nodes again when it is time to, and visit new ones; returns whether that was done."""
        wait = LOOK_SECONDS
        if (
            time.monotonic() - self._hurried < LEARN_SECONDS
            or not self._usable
            or (self._visits and self._visits.under_way)
        ):
            wait = HURRY_SECONDS
        if time.monotonic() - self._looked < wait:
            return False
        self._look()
        if self._visits:
            self._note(self._visits, self._visits.visit(self._serving))
        return True

    @property
    def lost(self) -> str:
        """Why nothing can be started any more, in a sentence's words."""
        if self._head.lost:
            return self._head.lost
        if any(node["NodeID"] == self._own and not node["Alive"] for node in self.known):
            return "the node of this launch is no longer part of the cluster"
        return ""

    def alive(self, node: str) -> bool:
        """Whether a node is alive, looked up now."""
        self._look()
        return any(known["NodeID"] == node and known["Alive"] for known in self.known)

    @property
    def _serving(self) -> list[Node]:
        wanted = self._request.wanted
        by_name = plain(wanted, slots_of(wanted, self.known))
        return [node for node in self.known if node["Alive"] and serves(node, wanted, plain=by_name)]

    @property
    def _usable(self) -> list[Node]:
        if self._visits is None:
            return self._serving
        return [node for node in self._serving if self._visits.usable(node["NodeID"])]

    @property
    def left_out(self) -> frozenset[str]:
        """The ids of living nodes that were visited and can't be used."""
        if self._visits is None:
            return frozenset()
        return frozenset(node["NodeID"] for node in self.known if self._visits.left_out(node["NodeID"]))

    @property
    def usable(self) -> frozenset[str]:
        """The ids of the nodes that can be used by now."""
        return frozenset(node["NodeID"] for node in self._usable)

    def slots(self) -> dict[Slot, Seats]:
        """The slots that the usable nodes make by now."""
        nodes, wanted = self._usable, self._request.wanted
        slots = slots_of(wanted, nodes)
        cpus = sum(int(node["Resources"].get("CPU", 0)) for node in nodes)
        if cpus and plain(wanted, slots):
            return workers(self._request.slots or cpus) | slots
        return slots

    def admit(self, artifacts: str) -> None:
        """Visit all nodes; raises Refusal where one doesn't see the artifacts, or none can run jobs."""
        try:
            self._artifacts, self.probe = artifacts, ray_visit.written(artifacts)
        except OSError as error:
            raise Refusal(f"refused: artifacts {artifacts}: {error.strerror}.") from error
        self._visits = Visits(self._ray, self.probe)
        stopping = self._request.stopping or threading.Event()
        answered = self._visits.wait(self._serving, stopping)
        if blind := self._visits.blind(answered):
            raise unseen(blind, artifacts)
        problems = self._visits.problems(answered)
        if self._serving and not self._usable and not stopping.is_set():
            causes = "; ".join(problems) or "none has answered"
            raise Refusal(f"refused: no node of the cluster can run jobs: {causes}. Nothing was trained.")
        self._note(self._visits, answered)

    def leave_out(self, node: str, problem: str) -> str:
        """Use a node no longer on which a worker could not be made; returns its name."""
        self.hurry()
        if self._visits is None:
            return node
        if self._visits.usable(node):
            self._visits.leave_out(node, problem)
            self._notices += self._visits.problems([node])
        return self._visits.host(node)

    def _note(self, visits: Visits, answered: list[str]) -> None:
        """Note what people have to know of nodes that have answered."""
        self._notices += visits.problems(answered) + visits.differences(answered)
        for host in visits.blind(answered):
            self._notices.append(f"node {host} is left out: it does not see the artifacts folder {self._artifacts}")

    def notices(self) -> list[str]:
        """What people have to know of nodes since this was last asked."""
        notices, self._notices = self._notices, []
        return notices

    def held(self, seats: Seats) -> str:
        """What a slot lacks, which others hold; nothing where there is enough."""
        return shortage(seats, self._usable, self._unused)

    def inventory(self, seats: Seats) -> str:
        """What a slot needs, and how much of it there is, in a few words."""
        return inventory(seats, self._usable, self._unused)

    @property
    def _unused(self) -> Mapping[str, Mapping[str, float]]:
        """The resources of each node, by its id, that nobody has."""
        if time.monotonic() - self._free[0] > FREE_SECONDS:
            free = self._head.ask(self._ray._private.state.available_resources_per_node, self._free[1])
            self._free = time.monotonic(), free
        return self._free[1]

    def lacking(self) -> str:
        """What the cluster has in place of slots, in a few words."""
        nodes = [node for node in self.known if node["NodeID"] not in self.left_out]
        return lacking(self._request.wanted or (CPU,), nodes)

    def close(self) -> None:
        """Take away the file that nodes were asked for."""
        ray_visit.remove(self.probe[0])
