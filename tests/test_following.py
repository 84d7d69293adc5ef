"""Slots that come and go, in the parts of a launch: no cluster is started here."""

import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_add_backend import Threads
from told import rows

from scalectl.orchestrator.cluster import ray_head, supervisor
from scalectl.orchestrator.cluster.base import Lost, Report, Request
from scalectl.orchestrator.cluster.following import followed, inventory, left_by, serves, shortage, workers
from scalectl.orchestrator.cluster.ray_cluster import OnRay
from scalectl.orchestrator.cluster.ray_head import Head
from scalectl.orchestrator.cluster.ray_slots import POD_LABEL, SLICE_LABEL, Seats
from scalectl.orchestrator.cluster.ray_visit import Answer, Visits, own_versions, seen, unseen, written
from scalectl.orchestrator.cluster.supervisor import Supervisor
from scalectl.orchestrator.cluster.watch import Patience
from scalectl.orchestrator.errors import Exit, Refusal
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.launch.awaiting import awaited
from scalectl.orchestrator.launch.config import LaunchConfig
from scalectl.orchestrator.launch.jobs import Board
from scalectl.orchestrator.launch.ledger import Ledger
from scalectl.orchestrator.launch.loop import launch
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.records import Records
from scalectl.orchestrator.vocabulary import Slot
from scalectl.trainer.checkpoint import prune
from scalectl.trainer.claim import Superseded, check, claim
from scalectl.trainer.events import Failed, Started, Stopped
from scalectl.trainer.spec import Job
from scalectl.trainer.train import train

SLICE = Seats(2, chips=4.0, kind="v4-16", platform="tpu")


def names(slots) -> list[str]:
    return [slot.name for slot in slots]


def test_slots_that_work_stay_those_that_only_wait_go_first_and_names_are_used_again():
    three = workers(3)
    assert names(followed(three, workers(5), set(), set())) == [f"cpu-{n}" for n in range(5)]
    assert names(followed(three, workers(1), {"cpu-2"}, {"cpu-1", "cpu-2"})) == ["cpu-2"]
    assert names(followed(three, workers(2), {"cpu-2"}, {"cpu-1", "cpu-2"})) == ["cpu-1", "cpu-2"]
    assert names(followed(three, {}, {"cpu-0"}, {"cpu-0"})) == ["cpu-0"]  # its end is yet to come
    slices = {Slot(f"v4-16/{n}", "v4-16"): SLICE for n in range(2)}
    mixed = followed(three | slices, workers(1) | dict([*slices.items()][:1]), {"v4-16/1"}, {"v4-16/1"})
    assert names(mixed) == ["cpu-0", "v4-16/1"] and mixed[Slot("v4-16/1", "v4-16")] == SLICE


def test_new_hosts_of_another_kind_get_a_name_that_no_worker_has():
    slots = {Slot("tpu/0", "tpu"): SLICE}  # its worker, if it has one, knows how to take a v4-16
    assert names(followed(slots, {Slot("tpu/0", "tpu"): replace(SLICE, kind="v5e-8")}, set(), set())) == ["tpu/1"]


def node(name: str, resources: dict[str, float], **labels: str) -> dict[str, object]:
    return {"NodeID": name, "Alive": True, "Resources": resources, "Labels": labels}


def test_a_node_serves_what_it_has_something_of():
    head, cpus, chips = node("head", {"CPU": 0.0}), node("a", {"CPU": 2.0}), node("b", {"CPU": 2.0, "TPU": 4.0})
    assert [serves(one, {"cpu": 1.0}, plain=True) for one in (head, cpus, chips)] == [False, True, True]
    assert [serves(one, {"v4-16": 16.0}, plain=False) for one in (head, cpus, chips)] == [False, False, True]
    assert serves(cpus, {"cpu-2": 2.0}, plain=False)


def test_what_a_slot_lacks():
    nodes = [node("a", {"CPU": 2.0}), node("b", {"CPU": 1.0})]
    assert shortage(Seats(cpus=1.0), nodes, {"a": {"CPU": 1.0}}) == ""
    assert shortage(Seats(cpus=1.0), nodes, {"a": {}}) == "it needs 1 CPU, and of 3 in the cluster 0 are free"
    assert shortage(Seats(2, cpus=1.0), nodes, {"a": {"CPU": 1.0}, "b": {"CPU": 0.5}}).endswith("1.5 are free")
    hosts = [
        node(f"{name}{n}", {"TPU": 4.0}, **{SLICE_LABEL: name, POD_LABEL: "v4-16"}) for name in "xy" for n in range(2)
    ]
    free = {"x0": {"TPU": 4.0}, "y0": {"TPU": 4.0}}
    assert shortage(SLICE, hosts, free) == "it needs 8 TPU, and of 16 in the cluster 8 are free"  # of two halves
    assert shortage(SLICE, hosts, free | {"x1": {"TPU": 4.0}}) == ""
    assert shortage(replace(SLICE, kind="v5e-8"), hosts, free | {"x1": {"TPU": 4.0}}).endswith(
        "of 0 in the cluster 0 are free"
    )


@pytest.mark.parametrize(("share", "others"), [(0.2, 4), (1 / 3, 2)])
def test_the_last_share_of_a_gpu_is_room_in_spite_of_rounding(share, others):
    seats, nodes = Seats(gpus=share, platform="cuda"), [node("a", {"GPU": 1.0})]
    assert shortage(seats, nodes, left_by([seats] * others, nodes)) == ""
    assert shortage(seats, nodes, {"a": {"GPU": round(1 - others * share, 4)}}) == ""  # as Ray tells it
    assert shortage(seats, nodes, left_by([seats] * (others + 1), nodes)) != ""


def test_who_waited_for_a_slot_in_vain_is_told_what_that_slot_needs():
    nodes = [node("a", {"CPU": 16.0, "GPU": 8.0}), node("b", {"CPU": 16.0})]
    free = {"a": {"CPU": 16.0, "GPU": 6.0}, "b": {"CPU": 1.0}}
    gpus = inventory(Seats(gpus=8.0, platform="cuda"), nodes, free)
    assert gpus == "it needs 8 GPU, and of 8 in the cluster 6 are free"
    assert inventory(Seats(cpus=1.0), nodes, free) == "it needs 1 CPU, and of 32 in the cluster 17 are free"


def test_a_job_whose_node_has_left_may_be_stopped_before_that_is_told():
    backend = object.__new__(OnRay)
    backend._actors = {}
    backend._returned = [("h100/0", Lost("the cluster has no place for slot h100/0 any more", "slot_lost"))]
    backend.stop("h100/0")
    assert backend.events(0.0)[0][0] == "h100/0"


@pytest.mark.parametrize(("state", "held"), [("PENDING", "of 16 in the cluster 0 are free"), ("CREATED", "")])
def test_what_its_own_workers_have_is_not_held_by_others(state, held):
    backend = object.__new__(OnRay)
    backend._head, backend._offered = Head(None), {Slot("v4-16/0", "v4-16"): SLICE}
    backend._actors = {"v4-16/0": SimpleNamespace(gang="v4-16/0 of a launch")}
    table = {"state": state, "bundles_to_node_id": {0: "x0", 1: "x1"}}
    group = SimpleNamespace(get_placement_group=lambda name: name, placement_group_table=lambda _: table)
    nodes = [node(name, {}) | {"NodeManagerHostname": f"host-{name}"} for name in ("x0", "x1", "x2")]
    backend._ray = SimpleNamespace(util=group, nodes=lambda: nodes)
    backend._nodes = SimpleNamespace(held=lambda seats: "of 16 in the cluster 0 are free")
    assert backend.held("v4-16/0") == held
    assert backend.place("v4-16/0") == ("" if held else "nodes host-x0, host-x1")


@pytest.mark.parametrize("trains", ["cpu-0", "cpu-1"])
def test_a_worker_that_is_slow_to_start_on_one_machine_does_not_wait_for_its_own_cpu(trains):
    """Ray says of neither CPU that it is free, from when it begins to start the workers."""
    pair = {Slot("cpu-2/0", "cpu-2"): Seats(2, cpus=1.0)}
    backend = object.__new__(OnRay)
    backend._head, backend._nodes, backend._offered = Head(None), None, workers(2) | pair
    backend._actors = {name: SimpleNamespace(gang="", placed=name == trains) for name in ("cpu-0", "cpu-1", "cpu-2/0")}
    free = {"a": {"CPU": 0.0}}
    state = SimpleNamespace(available_resources_per_node=lambda: free)
    backend._ray = SimpleNamespace(nodes=lambda: [node("a", {"CPU": 2.0})], _private=SimpleNamespace(state=state))
    assert backend.held("cpu-0") == "" and backend.held("cpu-1") == ""
    assert backend.held("cpu-2/0").endswith("of 2 in the cluster 1 are free")


@pytest.mark.parametrize("acquire", [0.4, 600.0])
def test_idle_workers_make_room_also_where_little_time_is_left_for_a_slot(acquire, endless, monkeypatch):
    monkeypatch.setattr(supervisor, "ROOM_SECONDS", 0.5)

    class Hoarding(Thinning):
        def make_room(self) -> None:
            self.text = ""
            Thinning.start(self, "thread", endless)

    backend = Hoarding(Request())
    backend.text = "an idle worker has it"
    with closing(Supervisor(backend, Patience(acquire=acquire))) as cluster:
        cluster.start("thread", endless)
        until, batches = time.monotonic() + 10, []
        while not batches:
            assert time.monotonic() < until, cluster.waiting
            batches = cluster.events(0.05)
        assert isinstance(batches[0][1][0], Started)


def test_a_board_places_on_the_slots_of_the_day_and_lets_jobs_end_where_they_are(study):
    found = plan(read(study.write(steps="[20]", seeds="[0, 1, 2]")))
    board = Board(found, [Slot("a"), Slot("b")], {}, 0)
    for job, slot in board.placements():
        board.place(job, slot)
    assert set(board.running) == {"a", "b"}
    board.follow([Slot("b"), Slot("c")])
    assert names(board.slots) == ["b", "c"]
    assert [slot.name for _, slot in board.placements()] == ["c"]
    board.take("a", [Failed("slot_lost", 0, "gone")])
    board.follow([])
    board.take("b", [Failed("slot_lost", 0, "gone")])
    assert board.ready and not board.placements() and not board.failures.held
    board.follow([Slot("d")])
    assert [slot.name for _, slot in board.placements()] == ["d"]


def test_the_books_count_a_slot_for_as_long_as_it_is_there():
    now = 0.0
    ledger = Ledger(["a", "b"], lambda: now)
    now = 10.0
    ledger.follow(["b", "c"])
    now = 15.0
    ledger.follow(["a", "b", "c"])
    now = 18.0
    assert {slot: sum(entries.values()) for slot, entries in ledger.entries().items()} == {"a": 13, "b": 18, "c": 8}


class Thinning(Threads):
    """A place that can be full, shrink to nothing, or be gone."""

    text, grows, came = "", False, False

    def start(self, slot: str, job: Job) -> None:
        if not self.text:
            super().start(slot, job)
            self.came = True

    def present(self, slot: str) -> bool:
        return self.came

    def held(self, slot: str) -> str:
        return self.text

    def lacking(self) -> str:
        return "it has 37 empty racks"

    def events(self, timeout: float) -> list[Report]:
        return super().events(0.05)


@pytest.fixture
def endless(study) -> Job:
    return replace(plan(read(study.write(steps="[20]"))).jobs[0].job, stop=10**7)


def test_a_full_place_is_no_failure_and_a_stop_ends_what_waits_for_it(endless, monkeypatch):
    monkeypatch.setattr(supervisor, "ROOM_SECONDS", 0.1)
    backend = Thinning(Request())
    backend.text = "of 4 racks 0 are free"
    with closing(Supervisor(backend, Patience(acquire=0.5))) as cluster:
        cluster.start("thread", endless)
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            assert cluster.events(0.05) == []
        assert cluster.waiting == "slot thread: of 4 racks 0 are free"
        cluster.backend.text = ""  # free, and still nobody comes
        while not (batches := cluster.events(0.05)):
            assert time.monotonic() < until + 5
        ((_, (end,)),) = batches
        assert isinstance(end, Failed) and end.kind == "no_capacity" and cluster.waiting == ""
        backend.text = "full"
        cluster.start("thread", endless)
        cluster.stop("thread")
        while not (batches := cluster.events(0.05)):
            assert time.monotonic() < until + 10
        assert batches == [("thread", [Stopped(endless.start)])]


def test_a_worker_that_has_its_place_and_tells_nothing_is_told_as_that(endless, monkeypatch):
    """It is waited for since it has its place, whatever was waited for before."""
    monkeypatch.setattr(supervisor, "ROOM_SECONDS", 0.1)
    backend = Thinning(Request())
    backend.text = "of 4 racks 0 are free"
    with closing(Supervisor(backend, Patience(acquire=1.0))) as cluster:
        cluster.start("thread", endless)
        until = time.monotonic() + 20
        while not cluster.waiting:
            assert time.monotonic() < until and cluster.events(0.05) == []
        backend.text, backend.place = "", lambda slot: "node b"
        assert cluster.events(0.05) == [] and cluster.waiting == ""
        while not (batches := cluster.events(0.05)):
            assert time.monotonic() < until
            said = cluster.waiting or "nothing yet"
        assert said == "slot thread: it has its place on node b, and its worker told nothing yet"
        ((_, (end,)),) = batches
        assert isinstance(end, Failed) and end.kind == "no_capacity"
        assert end.reason.endswith("it had its place on node b, and its worker told nothing. Look at Ray's logs there")


def test_a_place_that_is_lost_leaves_jobs_time_for_checkpoints_and_then_gives_them_up(endless, monkeypatch):
    monkeypatch.setattr(supervisor, "LEAVE_SECONDS", 0.5)

    class Deaf(Thinning):
        def stop(self, slot: str) -> None: ...

    backend = Deaf(Request())
    with closing(Supervisor(backend)) as cluster:
        cluster.start("thread", endless)
        backend.lost = "the head is gone"
        began, end = time.monotonic(), None
        while not isinstance(end, Failed):
            end = next((batch[-1] for _, batch in cluster.events(0.05)), None)
        assert time.monotonic() - began > 0.5
        assert (end.kind, end.reason, cluster.lost) == ("node_lost", "the head is gone", "the head is gone")


def test_a_launch_without_a_slot_says_so_and_ends_at_its_limit(study, monkeypatch):
    monkeypatch.setattr("scalectl.orchestrator.launch.surroundings.STARVED_SECONDS", 0.3)
    experiment, said = read(study.write(steps="[20]")), list[str]()
    backend = Thinning(Request())
    backend.slots = ()
    with closing(Supervisor(backend)) as cluster, Records(study.store) as records:
        found = plan(experiment)
        records.plan(found, experiment)
        going = launch(found, records, cluster, {}, LaunchConfig(acquire=1.2, hint=said.append))
        with pytest.raises(StopIteration) as end:
            next(going)
    assert end.value.value == "limits.acquire is reached: no slot for the jobs that are left in 1 s"
    assert said == ["waiting   no slot of the cluster will do for the jobs that are left"]
    assert set(rows(study, "SELECT state FROM runs")) == {"stopped"} and not rows(study, "SELECT id FROM attempts")
    assert Store(study.store).status().waits_for == ""  # no launch is running


def test_a_launch_waits_for_its_first_worker_and_then_refuses(study):
    found, said = plan(read(study.file)), list[str]()
    backend = Thinning(Request())
    backend.slots, backend.grows = (), True
    cluster, stopping = Supervisor(backend), threading.Event()
    with pytest.raises(Refusal, match=r"no worker has joined the cluster in 0 s .*: it has 37 empty racks") as refused:
        awaited(cluster, found, [], 0.1, stopping, said.append)
    assert refused.value.exit is Exit.REFUSED
    assert said == [
        "No worker has joined the cluster yet: it has 37 empty racks. Waiting for nodes to join, up to 0 s."
    ]
    stopping.set()
    assert not awaited(cluster, found, [], 60, stopping, said.append)
    backend.slots = ("thread",)
    assert awaited(cluster, found, [], 60, threading.Event(), said.append)


def test_only_the_newest_attempt_writes_checkpoints(study, endless):
    old = replace(endless, token=claim(endless.folder), stop=8, checkpoint_every=4)
    events = train(old)
    next(events)
    new = replace(old, token=claim(endless.folder))
    with pytest.raises(Superseded, match="belongs to a newer attempt"):
        list(events)
    assert not [path for path in Path(old.folder).iterdir() if path.name.isdigit()]
    list(train(new))
    assert (Path(new.folder) / "8").exists()
    prune(new.folder, 8)
    check(new.folder, new.token)
    with pytest.raises(Superseded):
        next(train(old))
    (Path(new.folder) / "attempt").unlink()
    check(old.folder, old.token)  # nobody's any more


def test_nodes_are_told_apart_by_what_they_answer(tmp_path):
    ray = SimpleNamespace(remote=lambda **options: lambda function: function)
    visits, own = Visits(ray), own_versions()
    visits._answers = {
        "1": Answer("good", own),
        "2": Answer("old", own | {"jax": "0.0.1"}),
        "3": Answer("older", own | {"jax": "0.0.1", "Python": "3.9.0"}),
        "4": Answer("broken", problem="ImportError: no libcuda"),
        "5": Answer("blind", own, sees=False),
    }
    assert [number for number in "12345" if visits.usable(number)] == ["1", "2", "3"]
    assert visits.problems("12345") == ["node broken is left out: ImportError: no libcuda"]
    assert visits.blind("12345") == ["blind"]
    jax, python = visits.differences("12345")
    assert jax.startswith(f"jax is 0.0.1 on node old, older and {own['jax']} in this launch")
    assert python.startswith(f"Python is 3.9.0 on node older and {own['Python']} in this launch")
    refusal = str(unseen(["a", "b"], "/share"))
    assert refusal.startswith("refused: nodes a, b don't see the artifacts folder /share") and refusal.endswith(
        "trained."
    )
    file, text = written(str(tmp_path))
    seen((file, text))
    with pytest.raises(FileNotFoundError, match="does not see the artifacts folder"):
        seen((file, "of another launch"))


def test_a_head_that_is_gone_is_noticed_and_asked_nothing_more(monkeypatch):
    monkeypatch.setattr(ray_head, "GONE_SECONDS", 0.2)
    monkeypatch.setattr(ray_head, "KNOCK_SECONDS", 0.1)
    monkeypatch.setattr(ray_head, "ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        head = Head(address)
        assert head.lost == "" and head.ask(lambda: 37, 0) == 37
        hanging = threading.Event()
        assert head.ask(hanging.wait, None) is None and head.ask(lambda: 37, 0) == 0  # one question at a time
        hanging.set()
    deadline = time.monotonic() + 5
    while not head.lost:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert head.lost == f"the head of the cluster at {address} is gone"
    assert head.ask(lambda: 37, 0) == 0


ORPHAN = """
import os, time
from scalectl.orchestrator.cluster import orphan
orphan.POLL_SECONDS = 0.1
if os.fork():
    time.sleep(0.5)
    os._exit(0)
saving = []
def leave():
    print("leaving", flush=True)
    saving.extend("abc")
def busy():
    print("saving", saving.pop(), flush=True)
    return bool(saving)
orphan.ends_with_parent(leave, busy)
time.sleep(1000)
"""


def test_a_worker_ends_with_its_parent():
    done = subprocess.run([sys.executable, "-c", ORPHAN], capture_output=True, text=True, timeout=20)
    assert done.stdout.split() == ["leaving", "saving", "c", "saving", "b", "saving", "a"]  # and it closed the pipe
