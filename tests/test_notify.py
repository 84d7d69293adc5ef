"""The hook of a study: what a server and a command really get, and that neither can hurt a launch."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import SCHEDULES
from smallest import STUDY
from told import planning, rows, write

from scalectl.orchestrator.errors import Exit, InvalidExperiment
from scalectl.orchestrator.experiment.hooks import Hook
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.launch import notify
from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.launch.notify import Laws, Notifier, Unheard, execute, notifying, post
from scalectl.orchestrator.launch.outcome import Outcome
from scalectl.orchestrator.launch.session import carry_out
from scalectl.orchestrator.plan.plan import Caps
from scalectl.trainer.failures import FAILURE_KINDS as KINDS
from scalectl.trainer.identity import identity

SMALL = {"schedule": SCHEDULES["linear"], "steps": "[8]", "seeds": "[0, 1]"}


@contextmanager
def server(code: int = 204, seconds: float = 0.0) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """A URL of this machine, and what was sent to it: method, type and text."""
    calls: list[tuple[str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
            calls.append((self.command, self.headers["Content-Type"], text))
            time.sleep(seconds)
            self.send_response(code)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        do_GET = do_POST = answer  # noqa: N815 - names of the library

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=[0.02], daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}/hook", calls
        finally:
            listening.shutdown()
            thread.join()


def script(file: Path, text: str) -> Path:
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o700)
    return file


def hooked(study, hook: str, **changes: object):
    """The experiment of a study with a hook in its file."""
    return read(study.write(f"\nnotify: {json.dumps(hook)}\n", **SMALL | changes))


@pytest.mark.slow
def test_a_server_and_a_command_get_the_same_of_a_launch_that_fails_and_of_one_that_ends(study, monkeypatch, capfd):
    """The server hears of the first launch, which a fault pauses, and the command of the second, which ends well."""
    monkeypatch.setenv("DEPLOY_TOKEN", "hunter2hunter2")

    def torn(spec):
        raise OSError("disk on fire: hunter2hunter2")

    with server() as (url, calls), monkeypatch.context() as patch:
        patch.setattr("scalectl.trainer.data.batches.load", torn)
        patch.setenv("HOOK", url)
        assert carry_out(hooked(study, "$HOOK"), Caps(), backend="here").exit is Exit.FAILED
    assert {call[:2] for call in calls} == {("POST", "application/json")}
    paused, failed = sorted((json.loads(call[2]) for call in calls), key=lambda told: not told["running"])
    assert (paused["event"], failed["event"], failed["running"]) == ("paused", "failed", False)
    assert "disk on fire: [DEPLOY_TOKEN]" in paused["reason"] and "hunter2" not in str(calls)
    assert (failed["runs"], failed["done"], failed["states"], failed["exit"]) == (2, 0, {"failed": 1, "stopped": 1}, 1)

    script(study.file.parent / "note.sh", 'pwd > where; echo "$1" > word; echo $PPID > parent; cat >> payload')
    outcome = carry_out(hooked(study, "./note.sh 'two words'"), Caps(), backend="here")
    folder = study.file.parent
    done = json.loads((folder / "payload").read_text())  # one object: it was called once
    assert (done["event"], done["study"], done["runs"], done["done"]) == ("done", read(study.file).name, 2, 2)
    assert set(done) == set(failed) == set(paused) | {"runs", "done", "states", "laws", "seconds", "exit"}
    assert done["text"].startswith(f"{done['study']}: 2 of 2 runs done in ")
    assert (folder / "word").read_text() == "two words\n"
    assert Path((folder / "where").read_text().strip()) == folder
    assert (folder / "parent").read_text().strip() == str(os.getpid())

    (folder / "payload").unlink()
    assert carry_out(hooked(study, "./note.sh"), Caps(), backend="here").exit is Exit.DONE  # nothing is missing
    assert outcome.exit is Exit.DONE and not (folder / "payload").exists()
    assert "notify" not in capfd.readouterr().err


def test_a_launch_whose_only_run_fails_says_why(study, monkeypatch):
    """Nothing is held back for it, so that no pause gives the reason."""

    def torn(spec):
        raise OSError("disk on fire")

    monkeypatch.setattr("scalectl.trainer.data.batches.load", torn)
    script(study.folder / "note.sh", "cat > payload")
    assert carry_out(hooked(study, "./note.sh", seeds="[0]"), Caps(), backend="here").exit is Exit.FAILED
    document = json.loads((study.folder / "payload").read_text())
    assert document["event"] == "failed" and document["reason"].endswith("OSError: disk on fire")
    assert document["reason"] in document["text"] and document["reason"].partition(": ")[0] in KINDS


@pytest.mark.parametrize(("most", "wanted"), [(2560, "law"), (80, "refused")])
def test_the_end_of_a_study_is_told_with_its_law_or_why_there_is_none(study, most, wanted):
    """The last of its runs is trained; when the command is called the law is in the store, which nobody holds."""
    steps = [20 * 2**power for power in range(8) if 20 * 2**power <= most]
    second = "  nano: {width: 12, depth: 1, num_heads: 2, patch_size: 4}\ndata:\n"
    study.write("\nnotify: ./note.sh\n", schedule=SCHEDULES["linear"], steps=str(steps))
    study.file.write_text(study.file.read_text().replace("data:\n", second, 1))
    study.write = lambda **_: study.file
    records, found = planning(study)
    last = min(found.jobs, key=lambda job: job.job.stop)
    with records:
        for job in found.jobs:
            turn = (job.job.stop // 20).bit_length() % 2 == (job.job.trunk.model.width == 8)
            if job is not last:
                write(records, [job], value=0.05 + 0.7 * (1 + job.job.stop / 30) ** -0.5 if turn else 0.9)
    look = "import sqlite3; print(sqlite3.connect('results.db').execute('SELECT count(*) FROM fits').fetchone()[0])"
    script(study.folder / "note.sh", f'cat > payload; {sys.executable} -c "{look}" > laws')
    words = [sys.executable, "-m", "scalectl", "launch", str(study.file), "--here"]
    done = subprocess.run(words, cwd=study.folder, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0 and "warning   notify" not in done.stderr, done.stderr
    told = json.loads((study.folder / "payload").read_text())
    (law,) = told["laws"].values()
    assert (study.folder / "laws").read_text() == f"{int(wanted == 'law')}\n"
    assert told["event"] == "done" and told["done"] == 2 * len(steps) and wanted in law
    if wanted == "law":
        (stored,) = rows(study, "SELECT document FROM fits")
        assert json.loads(stored) == law and law["runs"]["used"] == told["done"]
    else:
        assert law["refused"].removeprefix("refused: ") in " ".join(done.stdout.split())


def test_an_end_whose_fit_is_interrupted_is_told_without_laws(study):
    def interrupted(_: Outcome) -> Laws:
        raise KeyboardInterrupt

    script(study.folder / "note.sh", "cat > payload")
    with pytest.raises(KeyboardInterrupt):
        carry_out(hooked(study, "./note.sh"), Caps(), backend="here", conclude=interrupted)
    told = json.loads((study.folder / "payload").read_text())
    assert (told["event"], told["done"], told["laws"]) == ("done", 2, {})


def test_the_page_lists_every_key_of_what_a_hook_is_told():
    page = (Path(__file__).parents[1] / "docs" / "experiments.md").read_text()
    section = page.partition("## Notify")[2].partition("\n## ")[0]
    sent = told(lambda notifier: notifier.end(Outcome(Exit.DONE, 1.0, 1, 1, True, ()), {}))
    assert all(f"`{key}`" in section for key in sent)


def told(tell) -> dict[str, object]:
    """What a hook is told by a notifier of a launch that works."""
    with server() as (url, calls):
        experiment = SimpleNamespace(notify=Hook(url), path="/f.yaml", name="study", store="/s.db")
        notifier = Notifier(experiment, pytest.fail)
        notifier.begin()
        tell(notifier)
        notifier._wait()
    ((_, _, text),) = calls
    return json.loads(text)


OUTCOME = Outcome(Exit.DONE, 1.0, 4, 4, True, ())


@pytest.mark.parametrize(
    ("changes", "event"),
    [
        ({}, ("done", "")),
        ({"done": 3, "states": (("diverged", 1),)}, ("done", "")),
        ({"states": (("failed", 1),), "exit": Exit.FAILED, "failure": "stalled: x"}, ("failed", "stalled: x")),
        ({"states": (("failed", 1),), "exit": Exit.FAILED, "pause": "held", "failure": "x"}, ("failed", "held")),
        ({"done": 3, "states": (("stopped", 1),)}, ("paused", "asked to stop")),
        ({"done": 4, "states": (("not evaluated", 1),)}, ("paused", "asked to stop")),
        ({"states": (("planned", 1),), "exit": Exit.INTERRUPTED, "failure": "x"}, ("paused", "interrupted")),
        ({"states": (("planned", 1),), "exit": Exit.REFUSED, "cap": "limits"}, ("paused", "limits")),
        ({"states": (("planned", 1),), "exit": Exit.NOT_FOUND, "cap": "lost"}, ("paused", "lost")),
    ],
)
def test_the_event_and_its_reason_say_what_is_left_to_do(changes, event):
    document = told(lambda notifier: notifier.end(replace(OUTCOME, **changes), {}))
    assert (document["event"], document["reason"]) == event
    assert event[1] in document["text"]


def test_a_launch_that_a_second_ctrl_c_ends_is_told_once():
    with server() as (url, calls):
        experiment = SimpleNamespace(notify=Hook(url), path="/f.yaml", name="study", store="/s.db")
        with pytest.raises(KeyboardInterrupt), notifying(experiment, pytest.fail) as notifier:
            notifier.begin()
            raise KeyboardInterrupt
        with pytest.raises(KeyboardInterrupt), notifying(experiment, pytest.fail) as notifier:
            notifier.begin()
            notifier.end(OUTCOME, {})
            raise KeyboardInterrupt  # of the fit
    first, second = (json.loads(call[2]) for call in calls)
    assert (first["event"], first["reason"], first["exit"]) == ("paused", "interrupted", 130)
    assert second["event"] == "done"


def test_an_error_that_ends_a_launch_is_told(tmp_path):
    with server() as (url, calls):
        experiment = SimpleNamespace(notify=Hook(url), path="/f.yaml", name="study", store="/s.db")
        with pytest.raises(OSError, match="full"), notifying(experiment, pytest.fail) as notifier:
            notifier.begin()
            raise OSError("disk full")
        with pytest.raises(OSError, match="full"), notifying(experiment, pytest.fail):
            raise OSError("disk full")  # before anything began: whoever launches sees it
    (call,) = calls
    assert json.loads(call[2])["event"] == "failed" and json.loads(call[2])["reason"] == "disk full"


def test_the_same_pause_is_told_once():
    job = SimpleNamespace()
    text = told(lambda notifier: [notifier.take(News("s", job, pause="paused: x")) for _ in range(3)])
    assert text["event"] == "paused" and text["running"] is True


@pytest.mark.parametrize(("code", "said"), [(500, "answered 500"), (302, "answered 302"), (404, "answered 404")])
def test_a_server_that_refuses_is_named_without_its_path(code, said):
    with server(code) as (url, calls), pytest.raises(Unheard, match=said) as caught:
        post(f"{url}?secret", b"{}")
    assert [call[0] for call in calls] == ["POST"] and "secret" not in str(caught.value)


def test_a_server_that_is_not_there_or_silent_is_a_reason(monkeypatch):
    monkeypatch.setattr(notify, "SECONDS", 0.2)
    with server(seconds=0.5) as (url, _), pytest.raises(Unheard, match=r"127\.0\.0\.1: .*timed out"):
        post(url, b"{}")
    with pytest.raises(Unheard, match="refused"):
        post(url, b"{}")


def test_a_command_that_fails_or_hangs_is_a_reason(tmp_path, monkeypatch):
    failing = script(tmp_path / "fail.sh", "echo no bot here >&2; exit 3")
    with pytest.raises(Unheard, match=r"fail\.sh ended with 3\. no bot here"):
        execute([str(failing)], tmp_path, b"{}")
    with pytest.raises(Unheard, match="Exec format error"):
        file = tmp_path / "no.sh"
        file.write_bytes(b"\x7fnothing")
        file.chmod(0o700)
        execute([str(file)], tmp_path, b"{}")
    monkeypatch.setattr(notify, "SECONDS", 0.3)
    hanging = script(tmp_path / "hang.sh", "sleep 600 & echo $! > child; wait")
    with pytest.raises(Unheard, match="took more than"):
        execute([str(hanging)], tmp_path, b"{}")
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 5
    while Path(f"/proc/{child}/cmdline").exists() and Path(f"/proc/{child}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("hook", ["nobody-has-this --loud", "./missing.sh", "$NOT_SET_ANYWHERE", "http://$NOT_SET/x"])
def test_a_hook_that_cannot_be_called_is_a_warning_when_the_launch_begins(hook, tmp_path):
    warnings: list[str] = []
    experiment = SimpleNamespace(notify=Hook(hook), path=str(tmp_path / "f.yaml"), name="study", store="s")
    notifier = Notifier(experiment, warnings.append)
    notifier.begin()
    notifier.end(OUTCOME, {})
    assert len(warnings) == 2 and all(line.startswith("warning   notify: ") for line in warnings)


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        ("ftp://example.com/x", "begins with http"),
        ("http:///x", "begins with http"),
        ("http://[::1", "not a URL"),
        ("http://example.com:99999/", "not a URL"),
        ('"http://example.com/a b"', "%20"),
        ('"say \'oh"', "not a command: no closing quotation"),
        ('""', "not a command"),
        ("7", "neither a command nor a URL"),
        ("[a, b]", "neither a command nor a URL"),
    ],
)
def test_what_is_no_hook_is_refused_with_its_place(hook, said, tmp_path):
    (tmp_path / "study.yaml").write_text(f"{STUDY}notify: {hook}\n")
    with pytest.raises(InvalidExperiment, match="notify: ") as caught:
        read(tmp_path / "study.yaml")
    assert said in str(caught.value)


def test_a_hook_changes_no_run(tmp_path):
    ids = []
    for more in ("", "notify: ./a.sh\n", "notify: https://example.com/\n"):
        (tmp_path / "study.yaml").write_text(STUDY + more)
        ids.append([identity(cell.run) for cell in read(tmp_path / "study.yaml").cells])
    assert ids[0] == ids[1] == ids[2]
