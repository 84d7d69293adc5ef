"""`wandb sync` itself takes what was exported, as far as a server of this machine, and misses no row."""

import gzip
import json
import os
import subprocess
import sys
import threading
import zlib
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from studies_of_pages import trained

from scalectl import analysis
from scalectl.orchestrator.export.content import content
from scalectl.orchestrator.export.record_log import log_of
from scalectl.orchestrator.export.targets import export_to
from scalectl.orchestrator.vocabulary import RunState

pytest.importorskip("wandb", reason="uv sync --group exports installs wandb")
pytestmark = pytest.mark.filterwarnings("ignore:.*:Warning")  # what wandb says of other packages


class _Server(BaseHTTPRequestHandler):
    """Answers as a server of W&B does to an upload, and keeps what it is told."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        answer = {}
        if self.path == "/graphql":
            answer = {"data": _answer(json.loads(body), self.server.told)}
        elif self.path.endswith("/file_stream"):
            self.server.told.append(json.loads(body))
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words):
        pass


def _answer(asked, told):
    told.append(asked["variables"])
    if "upsertBucket" in asked["query"]:
        project = {"name": "small", "entity": {"name": "me"}}
        run = {"id": "1", "name": asked["variables"]["name"], "displayName": "", "config": "{}", "project": project}
        return {"upsertBucket": {"bucket": run, "inserted": True}}
    if "createRunFiles" in asked["query"]:
        return {"createRunFiles": {"runID": "1", "uploadHeaders": [], "files": []}}
    return {"viewer": {"id": "1", "entity": "me", "username": "me"}, "serverInfo": {"features": []}}


@contextmanager
def _serving():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    server.told = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_wandb_sync_uploads_every_row_the_settings_and_the_end(tmp_path):
    study = trained(tmp_path)
    export_to("wandb", tmp_path / "out", study.store, None)
    points = analysis.read(study.store)
    run = points[points["state"] == "done"].sort_values("steps").iloc[-1]
    (folder,) = (tmp_path / "out" / "wandb").glob(f"offline-run-*-{run['run']}")
    with _serving() as server:
        own = {"WANDB_BASE_URL": f"http://127.0.0.1:{server.server_port}", "WANDB_API_KEY": "0" * 40}
        done = subprocess.run(
            [sys.executable, "-m", "wandb", "sync", folder],
            env=os.environ | own | {"HOME": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0 and "Finished syncing" in done.stderr, done.stderr
    streams = [one["files"] for one in server.told if "files" in one and isinstance(one["files"], dict)]
    lines = [line for files in streams for line in files.get("wandb-history.jsonl", {"content": []})["content"]]
    rows = {row["_step"]: row for row in map(json.loads, lines)}
    (expected,) = [one for one in content(study.store, None).runs() if one.id == run["run"]]
    assert list(rows) == [scalars.step for scalars in expected.scalars] and len(lines) == len(rows)
    for scalars in expected.scalars:
        row = rows[scalars.step]
        assert {name: row[name] for name in scalars.values} == pytest.approx(dict(scalars.values), 1e-12)
        assert row["_runtime"] == pytest.approx(scalars.at - expected.started, abs=1e-3)
    asked = [one for one in server.told if one.get("displayName")][-1]
    assert (asked["displayName"], asked["project"], asked["host"]) == (run["name"], "small", "scalectl")
    assert json.loads(asked["config"])["steps"]["value"] == run["steps"]
    assert any(one.get("complete") for one in server.told) and {one.get("exitcode") for one in server.told} >= {0}
    left = sorted(path.name for path in folder.iterdir())
    assert f"run-{run['run']}.wandb.synced" in left
    export_to("wandb", tmp_path / "out", study.store, None)  # changes nothing: no run is uploaded again
    assert sorted(path.name for path in folder.iterdir()) == left
    (folder / f"run-{run['run']}.wandb").write_bytes(b"torn")
    export_to("wandb", tmp_path / "out", study.store, None)  # is written anew, also among what an upload left
    assert (folder / f"run-{run['run']}.wandb").stat().st_size > 1000


def test_a_run_that_is_not_done_has_not_finished(tmp_path):
    """One that is stopped or goes on had the exit code of one that is done."""
    from scalectl.orchestrator.export.wandb import run_records

    study = trained(tmp_path)
    run = next(content(study.store, None).runs())
    codes = {state: list(run_records("small", replace(run, state=state)))[-1].exit.exit_code for state in RunState}
    assert codes.pop("done") == 0 and codes.pop("failed") == codes.pop("diverged") == 1
    assert set(codes.values()) == {255}  # that of the client for a run that Ctrl-C ends


@pytest.mark.parametrize("size", [0, 1, 32768 - 14, 32768 - 13, 32768 - 20, 32768 - 21, 70_000])
def test_records_come_back_from_the_blocks_of_a_log(size):
    """Around the size at which a record just fits into the first block, or a head of a piece no longer does."""
    records = [b"a" * size, b"b" * 5, b"c" * size]
    assert list(_pieced(log_of(records, b"head..."))) == records


def _pieced(data):
    place, whole = 7, b""
    while place < len(data):
        left = 32768 - place % 32768
        if left < 7:
            assert not any(data[place : place + left])
            place += left
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        piece = data[place + 7 : place + 7 + length]
        assert length + 7 <= left and zlib.crc32(bytes([kind]) + piece) == int.from_bytes(
            data[place : place + 4], "little"
        )
        whole, place = whole + piece, place + 7 + length
        if kind in (1, 4):
            yield whole
            whole = b""
