"""What refuses a launch does so before its store is made or changed, however late it is known."""

import os
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Study
from invoking import command
from test_following import Thinning
from told import planning, rows

from scalectl.orchestrator.cluster import ray_server
from scalectl.orchestrator.cluster.backends import BACKENDS
from scalectl.orchestrator.cluster.base import Request
from scalectl.orchestrator.cluster.ray_trust import trusted
from scalectl.orchestrator.errors import Exit, NotFound, Refusal
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.launch import awaiting, background
from scalectl.orchestrator.launch.outcome import Outcome
from scalectl.orchestrator.launch.session import carry_out
from scalectl.orchestrator.plan.plan import Caps
from scalectl.orchestrator.store.lock import holder, holding
from scalectl.orchestrator.store.reading import Store
from scalectl.orchestrator.store.requests import ask_to_stop

WANTS = "resources: {default: {type: h100}}\nlimits: {acquire: SECONDS}\n"


class Growing(Thinning):
    """A place with one CPU worker that may get a GPU; `join` says how soon, and `blind` what its nodes don't see.

    What is `meanwhile` is done once, when a launch first looks whether it has got one.
    """

    grows, join, blind, broken = True, 1e9, False, False
    meanwhile = staticmethod(lambda: None)

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.began = time.monotonic()

    def follow(self) -> None:
        done, self.meanwhile = self.meanwhile, lambda: None
        done()
        if time.monotonic() - self.began > self.join:
            self.slots, self.types = ("thread",), {"thread": "h100"}

    def admit(self, artifacts: str) -> None:
        if self.blind:
            raise Refusal("refused: node b doesn't see the artifacts")
        if self.broken:
            self.slots, self.types = ("cpu",), {}

    def notices(self) -> list[str]:
        return ["node b is left out: ImportError"] * self.broken


@pytest.fixture
def growing(monkeypatch) -> None:
    monkeypatch.setattr(awaiting, "POLL_SECONDS", 0.05)
    monkeypatch.setitem(BACKENDS, "growing", Growing)


def launched(study: Study, seconds: float = 0.3) -> Outcome:
    study.write(WANTS.replace("SECONDS", str(seconds)), steps="[20]")
    return carry_out(read(study.file), Caps(), backend="growing")


@pytest.fixture(params=["without-a-store", "with-one"])
def unchanged(study, request):
    """Whether the store is as it was before, which may be that there is none."""
    if request.param == "with-one":
        planning(study)[0].close()
    before = contents(study.folder)
    return lambda: contents(study.folder) == before


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder but locks and the study itself."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file): file.read_bytes() for file in files if "lock" not in file.name and file.suffix != ".yaml"}


def test_slots_that_never_come_are_waited_for_and_refused(study, growing, unchanged, capsys):
    began = time.monotonic()
    with pytest.raises(Refusal, match=r"^refused: jobs need slots of type h100, and there are only cpu") as refused:
        launched(study)
    assert refused.value.exit is Exit.REFUSED and time.monotonic() - began > 0.3
    assert "No slot of type h100 yet: it has 37 empty racks. Waiting for nodes" in capsys.readouterr().err
    assert unchanged() and not (study.folder / "artifacts").exists()


def test_slots_that_come_in_time_are_used(study, growing, monkeypatch):
    monkeypatch.setattr(Growing, "join", 0.3)
    assert launched(study, 60).done == 1


def test_nodes_that_do_not_see_the_artifacts_refuse(study, growing, unchanged, monkeypatch):
    monkeypatch.setattr(Growing, "join", 0.0)
    monkeypatch.setattr(Growing, "blind", True)
    with pytest.raises(Refusal, match="node b"):
        launched(study)
    assert unchanged()


def test_slots_whose_nodes_are_left_out_are_waited_for_once_more(study, growing, unchanged, monkeypatch, capsys):
    monkeypatch.setattr(Growing, "join", 0.0)
    monkeypatch.setattr(Growing, "broken", True)
    monkeypatch.setattr(Growing, "follow", lambda self: None)
    monkeypatch.setattr(Growing, "slots", ("thread",))
    monkeypatch.setattr(Growing, "types", {"thread": "h100"})
    with pytest.raises(Refusal, match="need slots of type h100, and there are only cpu"):
        launched(study)
    assert "warning   node b is left out: ImportError\nNo slot of type h100 yet" in capsys.readouterr().err
    assert unchanged()


def test_a_request_to_stop_is_heard_that_was_made_while_slots_are_waited_for(study, growing, monkeypatch):
    records, plan = planning(study, extra=WANTS.replace("SECONDS", "60"))
    records.close()
    ask_to_stop(study.store, ["of an earlier launch"])

    def asked():
        ask_to_stop(study.store, [run.id for run in plan.runs])
        Growing.join = 0.0

    monkeypatch.setattr(Growing, "join", Growing.join)  # what it was, afterwards
    monkeypatch.setattr(Growing, "meanwhile", staticmethod(asked))
    outcome = carry_out(read(study.file), Caps(), backend="growing")
    assert outcome.done == 0 and set(rows(study, "SELECT state FROM runs")) == {"stopped"}


def test_of_a_store_that_is_about_to_be_made_it_is_said_who_makes_it(study):
    with (
        holding(study.store),
        pytest.raises(NotFound, match=r"process .* makes it once it has slots; scalectl stop --all"),
    ):
        Store(study.store).status()


def test_a_launch_that_ends_at_once_keeps_its_store_and_artifacts_until_its_workers_have_ended(
    study, growing, monkeypatch
):
    held, holders = (study.store, study.folder / "artifacts"), []

    def interrupted(self, timeout: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Growing, "join", 0.0)
    monkeypatch.setattr(Growing, "events", interrupted)
    monkeypatch.setattr(Growing, "close", lambda self: holders.extend(map(holder, held)))
    with pytest.raises(KeyboardInterrupt):
        launched(study)
    assert [holder.pid for holder in holders] == [os.getpid()] * 2
    assert [*map(holder, held)] == [None] * 2


def test_a_detached_launch_that_reads_its_store_and_is_then_refused_is_not_taken_for_begun(study, monkeypatch):
    planning(study)[0].close()
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from scalectl.orchestrator.store.database import reading\n"
        "from scalectl.orchestrator.store.lock import holding\n"
        "store = Path(sys.argv[1])\n"
        "with holding(store), reading(store):\n"
        "    time.sleep(1)\n"
        "sys.exit(4)"
    )
    monkeypatch.setattr(background, "COMMAND", (sys.executable, "-c", code))
    with pytest.raises(background.NotLaunched, match="exit code 4"):
        background.detach([str(study.store)], study.store, study.folder)


class Ssh(socketserver.BaseRequestHandler):
    """A program that isn't Ray."""

    def handle(self) -> None:
        self.request.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


@pytest.mark.parametrize("said", ["1", "true", "True"])
def test_a_head_that_speaks_tls_waits_for_whoever_joins(monkeypatch, said):
    monkeypatch.setenv("RAY_USE_TLS", said)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        ray_server.check_head(f"127.0.0.1:{mute.getsockname()[1]}", 0.2)


@pytest.fixture
def places(monkeypatch) -> Iterator[dict[str, str]]:
    """The addresses of a port where nobody listens, of a program that says nothing, and of one that isn't Ray."""
    monkeypatch.setattr(ray_server.check_head, "__defaults__", (0.5,))
    monkeypatch.setattr(background, "find_spec", bool)  # as if the extra `jobs` were there
    with socketserver.TCPServer(("127.0.0.1", 0), Ssh) as ssh, socket.create_server(("127.0.0.1", 0)) as mute:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            nobody = closed.getsockname()
        ports = {"NOBODY": nobody, "MUTE": mute.getsockname(), "SSH": ssh.server_address}
        threading.Thread(target=ssh.serve_forever, args=[0.05]).start()
        yield {name: f"127.0.0.1:{port}" for name, (_, port) in ports.items()}
        ssh.shutdown()


def test_a_program_that_is_not_ray_is_not_asked_whether_it_wants_a_token(places, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(ray_server.Unreachable, match="another program listens there"):
        trusted(places["MUTE"], insecure=False)


CASES = {  # words of a command line, what it says, its exit code
    "a port where nobody listens": (["--address", "NOBODY"], "Connection refused", Exit.NOT_FOUND),
    "a program that says nothing": (["--address", "MUTE", "--insecure"], "another program listens", Exit.NOT_FOUND),
    "a program that is not Ray": (["--address", "SSH", "--insecure"], "another program listens", Exit.NOT_FOUND),
    "one for a launch in the background": (
        ["-d", "--address", "MUTE", "--insecure"],
        "another program",
        Exit.NOT_FOUND,
    ),
    "a file of a fake cluster": (["--fake-cluster", "wrong.yaml"], "no slot at all", Exit.INVALID),
    "no file of a fake cluster": (["--fake-cluster", "none.yaml"], "none.yaml", None),
    "a folder for exports": (["--here", "--export", "tensorboard:wrong.yaml/runs"], "can't be written", Exit.REFUSED),
    "a format of exports": (["--here", "--export", "csv:runs"], "write FORMAT:DIR", Exit.INVALID),
    "a file for the log": (["--here", "--log-file", "wrong.yaml/log"], "wrong.yaml", None),
    "a folder for artifacts": (["--here", "--set", "artifacts=wrong.yaml"], "artifacts", Exit.INVALID),
    "slots of no use": (["--here", "--slots", "2xh100"], "--slots asks for 2 slots", Exit.REFUSED),
    "a type that this machine lacks": (["--set", "resources.default.type=h100-8"], "no slots of type h100-8", 4),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_command_line_asks_in_vain_is_refused(study, unchanged, places, monkeypatch, case):
    monkeypatch.chdir(study.folder)
    (study.folder / "wrong.yaml").write_text("cpus: 0\n")
    words, said, code = CASES[case]
    refused = command("launch", study.file, *(places.get(word, word) for word in words)).exception
    assert isinstance(refused, Refusal) and said in str(refused), refused
    assert code in (None, refused.exit)
    assert unchanged()
