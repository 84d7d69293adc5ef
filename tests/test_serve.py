"""The live page over HTTP: who may see it, and what all viewers together cost."""

import gzip
import http.client
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner
from conftest import Study, stored
from runs import laptop
from studies_of_pages import imported, trained
from told import planned, planned_again, told, write

from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.goodput import ENTRIES
from scalectl.orchestrator.page import live
from scalectl.orchestrator.page.document import document
from scalectl.orchestrator.page.live import Feed
from scalectl.orchestrator.page.server import Server, check_free
from scalectl.orchestrator.store import older
from scalectl.orchestrator.store.records import Records
from scalectl.orchestrator.store.snapshot import LAUNCHED

HOLDER = """
import sys
from pathlib import Path
from scalectl.orchestrator.store.lock import Lock
held = Lock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def server(study):
    """A server of the study whose looks at the store are quick, as a test's patience is short."""
    quick = pytest.MonkeyPatch()
    quick.setattr(live, "LOOK_SECONDS", 0.1)
    quick.setattr(live, "STUDY_SECONDS", 0.1)
    quick.setattr(live, "REST", 0.0)
    feed = Feed(study.store)
    with Server(feed) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield made
        made.shutdown()
        feed.close()
        thread.join()
    quick.undo()


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


def get(server: Server, path: str, token: str | None = None, method: str = "GET", **headers: str) -> Answer:
    """The answer to a request, by default with the right token."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection(*server.server_address[:2], timeout=20)) as connection:
        connection.request(method, f"{path}?token={server.token if token is None else token}", headers=named)
        with connection.getresponse() as answer:
            return Answer(answer.status, answer.headers, answer.read())


@contextmanager
def stream(server: Server) -> Iterator[Iterator[dict[str, Any]]]:
    """The news that a viewer hears."""
    with (
        closing(http.client.HTTPConnection(*server.server_address[:2], timeout=20)) as connection,
        closing(connection.request("GET", f"/news?token={server.token}") or connection.getresponse()) as answer,
    ):
        assert answer.headers["Content-Type"] == "text/event-stream"
        yield (json.loads(line.removeprefix(b"data: ")) for line in answer if line.startswith(b"data: "))


def done(news: dict[str, Any]) -> int:
    """The number of runs that are done."""
    return [state for state, *_ in news["runs"].values()].count("done")


@pytest.mark.parametrize("path", ["/", "/study.json", "/curves.json", "/news", "/none"])
@pytest.mark.parametrize("token", ["", "wrong"])
def test_without_the_token_nothing_is_shown(server, path, token):
    answer = get(server, path, token)
    assert answer.status == 403 and b"token" in answer.body and b"small" not in answer.body


def test_the_printed_address_leads_to_the_page_which_nobody_keeps_or_frames(server):
    address = urlsplit(server.address)
    assert address.hostname == "127.0.0.1" and address.port == server.server_address[1]
    answer = get(server, "/")
    assert answer.status == 200 and answer.body.startswith(b"<!doctype html>")
    assert answer.headers["Referrer-Policy"] == "no-referrer" and answer.headers["X-Frame-Options"] == "DENY"


def test_what_a_viewer_has_already_is_not_sent_again(server):
    first = get(server, "/study.json", Accept_Encoding="gzip")
    assert json.loads(gzip.decompress(first.body)) == json.loads(get(server, "/study.json").body)
    again = get(server, "/study.json", If_None_Match=first.headers["ETag"])
    assert again.status == 304 and again.body == b""


def test_nothing_can_be_sent_to_it(server):
    assert [get(server, "/", method=method).status for method in ("POST", "PUT", "DELETE")] == [501] * 3


def test_news_come_when_the_store_changes_and_the_data_follow(server, study):
    with stream(server) as news:
        before = next(news)
        assert before["launch"] is None and done(before) == 5
        with Records(study.store) as records:
            write(records, planned(study, sizes="[60, 120]", steps="[20, 40, 80]").jobs, value=0.1)
        changes = (said["study"] for said in news if done(said) == 6 and said["study"] > before["study"])
        while (runs := json.loads(get(server, "/study.json").body)["runs"])["state"] != ["done"] * 6:
            next(changes)
    assert min(runs["upstream/error"]) == 0.1


def test_ten_viewers_cost_the_store_as_much_as_one(server, monkeypatch):
    looks = []
    status = live.Store.status
    monkeypatch.setattr(live.Store, "status", lambda store: looks.append(time.monotonic()) or status(store))
    numbers = []
    for viewers in (1, 10):
        with ExitStack() as streams:
            for _ in range(viewers):
                next(streams.enter_context(stream(server)))
            looks.clear()
            time.sleep(1.5)
            numbers.append(len(looks))
    at_most = 1.5 / live.LOOK_SECONDS + 2  # however many viewers: a busy machine looks less often
    assert numbers[0] > 0 and numbers[1] <= at_most


@pytest.fixture
def working(study):
    """Another process that holds the store as a launch does."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, study.store], stdin=-1, stdout=-1, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.communicate("", timeout=20)


def account(study: Study, ago: float, left: float) -> None:
    """Write what a launch says of itself, as if so many seconds ago."""
    at = f"strftime('%Y-%m-%d %H:%M:%f', 'now', '-{ago} seconds')"
    with closing(sqlite3.connect(study.store)) as store, store:
        store.execute(f"INSERT OR REPLACE INTO launches (launch, at, seconds_left) VALUES (1, {at}, {left})")


def test_the_time_left_is_the_launchs_and_silence_is_told(server, study, working):
    def launch(condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first that is said of the launch and meets a condition."""
        return next(said["launch"] for said in news if said["launch"] and condition(said["launch"]))

    with stream(server) as news:
        assert str(working.pid) in launch(lambda said: said["seconds_left"] is None)["process"]
        account(study, 0, 123.5)
        said = launch(lambda said: said["seconds_left"] is not None)
        status = CliRunner().invoke(scalectl, ["status", "--store", str(study.store), "-o", "json"])
        assert said["seconds_left"] == json.loads(status.output)["seconds_left"] == 123.5
        assert said["behind"] < said["silent_from"]
        lock = study.store.with_name("results.db.lock")
        earlier = time.time() - said["silent_from"] - 60
        lock.write_text(json.dumps(json.loads(lock.read_text()) | {"started": earlier}))
        account(study, said["silent_from"] + 5, 99.0)
        assert launch(lambda said: said["seconds_left"] == 99.0)["behind"] > said["silent_from"]


def test_a_store_that_is_gone_is_told_and_what_was_shown_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(live, "REST", 0.0)
    made = trained(tmp_path)
    feed = Feed(made.store)
    before = feed.study()
    made.store.rename(tmp_path / "elsewhere.db")
    number, problem = 0, ""
    while not problem:
        number, text = feed.news(number, 10)
        problem = json.loads(text).get("problem", "")
    feed.close()
    assert str(made.store) in problem and feed.study() == before


@pytest.fixture
def quick(monkeypatch):
    """Looks at the store without rests between them."""
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(live, "CURVES_SECONDS", 0.0)
    monkeypatch.setattr(live, "REST", 0.0)


def heard(feed: Feed, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first news that meet a condition."""
    number = 0
    for _ in range(200):
        number, text = feed.news(number, 10)
        if condition(news := json.loads(text)):
            return news
    raise AssertionError("no such news")


@pytest.mark.parametrize("part", ["status", "segments"])
def test_an_error_that_nobody_foresaw_is_told_and_the_next_look_goes_on(part, study, monkeypatch, capsys, quick):
    """The thread that met one ended, and viewers were told of a silent launcher, or of nothing."""
    feed = Feed(study.store)
    with monkeypatch.context() as broken, Records(study.store):  # a launch, of which there are news all the time
        broken.setattr(live.Store, part, lambda *_: {}["lost"])
        news = heard(feed, lambda said: "problem" in said)
    assert "internal error: KeyError: 'lost'" in news["problem"]
    assert ("summary" in news) == (part == "segments")  # what could be read is still told
    heard(feed, lambda said: "problem" not in said)
    feed.close()
    assert 1 <= capsys.readouterr().err.count("Traceback") <= 2  # of this feed, and of the server that looks as well


def test_a_store_that_another_takes_the_place_of_is_told_as_that(tmp_path, quick):
    """Its runs were told as so many imported ones."""
    made = trained(tmp_path)
    feed = Feed(made.store)
    (tmp_path / "new").mkdir()
    imported(tmp_path / "new", laptop().head(4)).replace(made.store)
    news = heard(feed, lambda said: "problem" in said)
    feed.close()
    assert "has no study 'small'" in news["problem"] and "summary" not in news


def test_a_store_that_is_locked_for_long_is_looked_at_soon_after(study, monkeypatch):
    """Ten times the time was rested that the lock had been waited for: minutes, in silence."""
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.05)
    feed = Feed(study.store)
    status, looks = live.Store.status, []

    def waiting(store: live.Store) -> object:
        looks.append(time.monotonic())
        time.sleep(0.5)
        return status(store)

    monkeypatch.setattr(live.Store, "status", waiting)
    feed.news(0, 1)
    time.sleep(3)
    feed.close()
    assert len(looks) > 1


def test_a_store_whose_page_can_not_be_made_is_refused_at_once(study, monkeypatch):
    """An empty answer was served."""
    monkeypatch.setattr(live, "document", lambda *_, thorough: {}["lost"])
    with pytest.raises(KeyError):
        Feed(study.store)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "example.org", "::"])
def test_an_address_that_others_reach_needs_a_yes(host, study):
    done = CliRunner().invoke(scalectl, ["serve", "--host", host, "--store", str(study.store)], standalone_mode=False)
    assert isinstance(done.exception, Refusal) and done.exception.exit == 4
    assert "--insecure" in str(done.exception) and host in str(done.exception)


def test_a_port_that_is_taken_is_refused_by_its_number(server, study):
    port = server.server_address[1]
    with pytest.raises(Refusal, match=f"port {port}.*--port"):
        Server(server.feed, "127.0.0.1", port)
    words = ["serve", "--port", str(port), "--store", "none.db"]  # said before any store is waited for or read
    done = CliRunner().invoke(scalectl, words, standalone_mode=False)
    assert isinstance(done.exception, Refusal) and f"port {port}" in str(done.exception)


def test_an_address_of_a_family_that_this_machine_lacks_is_refused(monkeypatch):
    """Of a kernel without IPv6; it was an internal error."""

    def lacking(*_: object) -> None:
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr("socket.socket", lacking)
    with pytest.raises(Refusal, match="::1, port 0: Address family not supported"):
        check_free("::1", 0)


def test_what_people_do_to_runs_changes_the_page(study, tmp_path, monkeypatch):
    """The page of imported runs never changed: only the states of the store's own were looked at."""
    monkeypatch.setattr(live, "STUDY_SECONDS", 0.0)
    monkeypatch.setattr(live, "REST", 0.0)
    monkeypatch.setattr(live, "document", lambda *words, thorough: document(*words, thorough=False))
    store = imported(tmp_path, laptop().head(4))
    feed = Feed(store)
    feed.close()

    def page() -> dict[str, Any]:
        feed._look()
        feed._rebuild()
        return json.loads(gzip.decompress(feed.study().body))

    def changed(act: Callable[[Records], object]) -> dict[str, Any]:
        number = feed._study.number
        with Records(store) as records:
            act(records)
        after = page()
        assert feed._study.number > number
        return after["runs"]

    run = page()["runs"]["run"][0]
    assert changed(lambda records: records.exclude(run, "copied wrongly"))["excluded"][0] is True
    assert changed(lambda records: records.exclude(run, "of other images"))["why"][0] == "excluded: of other images"
    assert changed(lambda records: records.include(run))["excluded"][0] is False
    fitted = feed._fitted
    page()
    assert feed._fitted is fitted  # nothing has changed: nothing is fitted


def test_a_live_page_of_some_runs_tells_of_these_alone(study):
    feed = Feed(study.store, where="data_size == 60")
    news, page = json.loads(feed.news(0, 10)[1]), json.loads(gzip.decompress(feed.study().body))
    feed.close()
    assert "problem" not in news, news["problem"]
    assert set(news["runs"]) == set(page["runs"]["run"]) and len(news["runs"]) == 3


def test_of_a_launch_of_another_study_its_name_is_told_and_nothing_of_its_jobs(tmp_path):
    """They were shown as jobs of this study, with its goodput and the command that goes on with the other."""
    study = trained(tmp_path)
    study.file.write_text(study.write(sizes="[60]", steps="[160]").read_text().replace("name: small", "name: later"))
    with Records(study.store) as records:
        plan = planned_again(study, records)
        records.note(LAUNCHED, "scalectl launch later.yaml")
        records.write(records.start(plan.jobs[0], "cpu-1"), told(plan.jobs[0])[:3])
        records.keep({"cpu-1": dict.fromkeys(ENTRIES, 1e-6)}, 37.0)
        news = {}
        for name in ("small", "later"):
            feed = Feed(study.store, name)
            news[name] = json.loads(feed.news(0, 10)[1])
            page = json.loads(gzip.decompress(feed.study().body))
            feed.close()
            assert [launch["study"] for launch in page["launches"]] == ["later"]
    assert news["small"]["launch"]["study"] == "later" and news["later"]["launch"]["study"] == ""
    assert [len(said["running"]) for said in news.values()] == [0, 1]
    assert news["small"]["goodput"] is None and news["later"]["goodput"] > 0
    assert (news["small"]["again"], news["later"]["again"]) == ("", "scalectl launch later.yaml")
    with Records(study.store) as records:
        planned_again(study, records)
        feed = Feed(study.store, "later")
        assert json.loads(feed.news(0, 10)[1])["goodput"] is None  # the launch that runs now has no books yet
        feed.close()


def test_of_a_store_of_an_older_version_one_copy_is_kept(tmp_path, monkeypatch, quick):
    """Each of the two threads kept one, as large as the store."""
    store, copies = stored(Study(tmp_path), 10).store, weakref.WeakSet()
    os.utime(store, (1e9, 1e9))  # long settled
    monkeypatch.setattr(older, "_Copy", type("Counted", (older._Copy,), {"__init__": counting(copies)}))
    feed = Feed(store)
    time.sleep(1.5)  # some thirty looks
    deadline = time.monotonic() + 10
    while (number := len(copies)) != 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    feed.close()
    assert number == 1


def counting(copies: "weakref.WeakSet[object]") -> Callable[..., None]:
    def begin(copy: older._Copy, old: object) -> None:
        copies.add(copy)
        super(type(copy), copy).__init__(old)

    return begin
