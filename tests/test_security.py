"""What must not get out, and what must not get in: secrets, foreign clusters, YAML objects, paths of a bad store."""

import base64
import json
import os
import re
import secrets
import shlex
import socket
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from test_cli import scalectl
from test_control import until
from told import everything, planned, planning, rows, started, write

from scalectl.orchestrator.cluster.address import joined
from scalectl.orchestrator.cluster.ray_server import Unreachable
from scalectl.orchestrator.cluster.ray_trust import trusted
from scalectl.orchestrator.cluster.worker import stream
from scalectl.orchestrator.errors import InvalidExperiment, Refusal
from scalectl.orchestrator.experiment.reading import read
from scalectl.orchestrator.plan.planner import plan
from scalectl.orchestrator.redact import redacted
from scalectl.orchestrator.store.known import inside, known
from scalectl.trainer.events import Failed, Skipped

SECRET = "s3cr3t-of-37-offset"


@pytest.fixture
def secret(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", SECRET)
    return SECRET


# fmt: off
VARIABLES = [
    "HF_TOKEN", "GITHUB_TOKEN", "GITHUB_PAT", "AZURE_DEVOPS_PAT", "DB_PASSWORD", "MYSQL_PWD", "PGPASSWORD",
    "REDIS_PASS", "SSH_PASSPHRASE", "SENTRY_DSN", "SLACK_WEBHOOK", "WEBHOOK_URL", "SIGNING_KEY", "ENCRYPTION_KEY",
    "DEPLOY_KEY", "SSH_KEY", "STRIPE_KEY", "WANDB_API_KEY", "OPENAI_APIKEY", "AWS_SECRET_ACCESS_KEY",
    "AZURE_STORAGE_KEY", "JWT", "SESSION_JWT", "BEARER", "API_BEARER", "SESSION_COOKIE", "CLIENT_SECRET",
    "CLIENT_CREDENTIALS", "PROXY_AUTH", "authToken", "npm_config__auth",
]
# fmt: on
PAIRS = [  # with the secret in place of @
    "password=@",
    "api_key: '@'",
    '{"apiKey": "@"}',
    r"{\"client_secret\": \"@\"}",
    "{'passphrase': '@'}",
    "--password @",
    "--api-key=@",
    "DB_PWD=@;",
    "GET /v1?token=@&page=2",
    "https://api.example.org/v1?access_token=@",
    "https://host/x#sig=@",
    "postgres://ada:@@db.example.org/runs",
    "https://@@github.com/ada/private.git",
    "Authorization: Bearer @",
    "authorization: basic @",
    "{'Authorization': 'Token @'}",
    '{"Proxy-Authorization": "Digest @"}',
    "sent with bearer @",
    "Cookie: session=@; theme=dark",
    "Set-Cookie: id=@; HttpOnly",
    "X-Api-Key: @",
    "X-Auth-Token: @",
    "signing_key => @",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n@\n-----END OPENSSH PRIVATE KEY-----",
]
TOKENS = [  # as their issuers make them, taken apart so that no scanner of repositories takes them for real
    "gh" + "p_" + "a1B2" * 9,
    "github_" + "pat_" + "a1B2" * 9,
    "gl" + "pat-" + "a1B2" * 5,
    "h" + "f_" + "a1B2" * 8,
    "s" + "k-" + "a1B2" * 8,
    "sk_" + "live_" + "a1B2" * 6,
    "xox" + "b-37-37-" + "a1B2" * 5,
    "AK" + "IA" + "A1B2" * 4,
    "AI" + "za" + "a1B2" * 9,
    "npm" + "_" + "a1B2" * 9,
    "ey" + "J" + "a1B2" * 4 + ".ey" + "J" + "a1B2" * 4 + "." + "a1B2" * 4,
    "https://hooks." + "slack.com/services/T37/B37/" + "a1B2" * 6,
]
ENCODED = [
    lambda secret: base64.b64encode(secret.encode()).decode(),
    lambda secret: base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
    lambda secret: quote(secret, safe=""),
    lambda secret: json.dumps(secret),
    repr,
    shlex.quote,
]


@pytest.mark.parametrize("name", VARIABLES)
def test_variables_that_are_named_like_secrets_are_replaced_by_their_names(name):
    assert redacted(f"403 for {SECRET}.", {name: SECRET}) == f"403 for [{name}]."


@pytest.mark.parametrize("text", PAIRS)
def test_secrets_in_pairs_headers_and_addresses_are_replaced(text):
    hidden = redacted(text.replace("@", SECRET, 1), {})
    assert SECRET not in hidden and ("[secret]" in hidden or "[user]@" in hidden)


@pytest.mark.parametrize("token", TOKENS)
def test_tokens_are_known_by_how_they_begin(token):
    assert redacted(f"401 with {token} again", {}) == "401 with [secret] again"


@pytest.mark.parametrize("encode", ENCODED)
def test_a_secret_is_known_by_its_encodings(encode):
    secret = 'it\'s "37" a+b/c\\d ü?'
    text = f"sent {encode(secret)}"
    assert (
        redacted(text, {"DB_PASSWORD": secret}).strip("'\"").removesuffix("=").rstrip("'\"").endswith("[DB_PASSWORD]")
    )
    assert "[DATABASE_URL]" in redacted("login with hunter22", {"DATABASE_URL": "postgres://ada:hunter22@db/runs"})


HARMLESS = """KeyError: 'upstream/error'
max_tokens=1234567, tokens: 37000000
token = new_token(37); self._token = token_of(file)
author=Ada_Lovelace compass=northwest monkey=banana37 tokenizer=bert-base
PASS: everything; signature: (self, path)
PATH=/usr/bin:/bin token_file=/home/ada/token
https://example.org/key/37?page=upstream s3://bucket/secrets/37
sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"""


@pytest.mark.parametrize("line", HARMLESS.splitlines())
def test_what_is_no_secret_stays(line):
    environ = {"PATH": "/usr/bin:/bin", "PWD": "/home/ada", "SSH_AUTH_SOCK": "/tmp/agent", "AUTH_MODE": "northwest"}
    environ |= {
        "GIT_AUTHOR_NAME": "Ada_Lovelace",
        "SSH_KEY": "/home/ada/.ssh/id",
        "RAY_AUTH_TOKEN_PATH": "/home/ada/token",
    }
    assert redacted(line, environ) == line


def test_secrets_of_the_environment_and_of_urls_are_replaced_by_their_names():
    environ = {"HF_TOKEN": SECRET, "WANDB_API_KEY": f"{SECRET}-longer", "RAY_AUTH_TOKEN_PATH": "/home/ada/token"}
    environ |= {"SHELL": "/bin/bash", "AUTH_MODE": "on", "HOME": "homestead"}
    text = f"GET https://ada:pass@host/?t={SECRET}-longer&u={SECRET}: homestead /home/ada/token on"
    assert redacted(text, environ) == (
        "GET https://[user]@host/?t=[WANDB_API_KEY]&u=[HF_TOKEN]: homestead /home/ada/token on"
    )


def test_no_secret_reaches_the_store_or_the_screen(study, secret):
    records, found = planning(study)
    attempt = records.start(found.jobs[0], "here")
    records.write(attempt, [Skipped(8, "/a/8", f"403 for {secret}"), started()])
    records.write(attempt, [Failed("user_error", 3, f"Traceback\nHTTPError: 401 with {secret}")])
    records.settle(found.jobs[0].runs, "failed", "user_error", f"HTTPError: 401 with {secret}")
    records.close()
    assert secret not in str(everything(study)) and "[HF_TOKEN]" in str(everything(study))
    said = scalectl("logs", found.runs[0].id, "--store", study.store).stdout
    assert secret not in said and "401 with [HF_TOKEN]" in said


def test_a_worker_tells_no_secret_of_its_own_environment(study, secret, monkeypatch):
    def refused(*_: object) -> object:
        raise OSError(f"401 with {secret}")

    monkeypatch.setattr("scalectl.orchestrator.cluster.worker.prepare_jax", refused)
    (batch,) = stream(planned(study).jobs[0].job, None)
    assert secret not in batch[-1].reason and "[HF_TOKEN]" in batch[-1].reason


@pytest.mark.parametrize("variable", ["RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE", "RAY_ADDRESS"])
def test_a_cluster_is_joined_with_a_token_or_on_request_only(variable, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Refusal, match=r"10\.0\.0\.37:6379 .* without a token.*--insecure"):
        trusted("10.0.0.37:6379", insecure=False)
    trusted("10.0.0.37:6379", insecure=True)
    trusted(None, insecure=False)
    monkeypatch.setenv(variable, "token")
    if variable != "RAY_ADDRESS":
        trusted("10.0.0.37:6379", insecure=False, ask=lambda address: True)
        for answer, said in ((False, "takes whoever comes without a token"), (None, "did not say")):
            with pytest.raises(Refusal, match=rf"10\.0\.0\.37:6379 {said}.*--insecure"):
                trusted("10.0.0.37:6379", insecure=False, ask=lambda address, answer=answer: answer)


@pytest.mark.slow
def test_a_real_cluster_without_tokens_says_so_to_whoever_has_one(monkeypatch, tmp_path):
    """The head of a cluster whose tokens are switched off, on loopback alone; Ray may have them on by itself."""
    for name in [name for name in os.environ if name.startswith(("RAY_AUTH", "RAY_ADDRESS"))]:
        monkeypatch.delenv(name)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    alone = {"RAY_AUTH_MODE": "disabled", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    alone |= {"RAY_USAGE_STATS_ENABLED": "0"}
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        options = [f"--port={address.split(':')[1]}", "--node-ip-address=127.0.0.1", f"--temp-dir={folder}"]
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus=0", *options]
        log = tmp_path / "head.log"
        with (
            log.open("wb") as said,
            subprocess.Popen(
                [*command, "--include-dashboard=false"], stdout=said, stderr=said, env=os.environ | alone
            ) as head,
        ):
            try:
                until(lambda: b"Ray runtime started" in log.read_bytes())
                monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
                with pytest.raises(Refusal, match=f"{address} takes whoever comes without a token.*--insecure"):
                    trusted(address, insecure=False)
            finally:
                head.terminate()


def test_launch_refuses_such_a_cluster_before_anything_is_written(study, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as cluster:
        done = scalectl("launch", study.file, "--address", f"127.0.0.1:{cluster.getsockname()[1]}")
    assert done.returncode == 4 and "--insecure" in done.stderr and not study.store.exists()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "http://127.0.0.1:8265", "head", "auto"])
def test_a_stale_address_of_the_environment_is_named_before_tokens_are_asked_for(address, monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with pytest.raises(Unreachable, match=r"no Ray cluster at .* RAY_ADDRESS .* --address local"):
        joined(address, by_variable=True, insecure=False)
    with pytest.raises(Unreachable, match="no Ray cluster at") as refusal:
        joined(address, by_variable=False, insecure=False)
    assert "RAY_ADDRESS" not in str(refusal.value)


def test_local_and_auto_are_meant_as_ray_means_them(monkeypatch, tmp_path):
    assert joined("local", by_variable=True, insecure=False) is None
    with socket.create_server(("127.0.0.1", 0)) as cluster:
        address = f"127.0.0.1:{cluster.getsockname()[1]}"
        (tmp_path / "ray").mkdir()
        (tmp_path / "ray" / "ray_current_cluster").write_text(address)
        monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
        assert joined("auto", by_variable=True, insecure=True) == address


@pytest.mark.parametrize(
    "tag",
    ["!!python/object/apply:os.system ['touch {}']", "!!python/name:os.system", "!!python/object:pathlib.Path {{}}"],
)
def test_a_file_makes_no_python_objects(study, tag):
    touched = study.folder / "touched"
    text = study.file.read_text().replace("name: small", f"name: {tag.format(touched)}", 1)
    study.file.write_text(text)
    with pytest.raises(InvalidExperiment):
        read(study.file)
    assert not touched.exists()


HOSTILE = ["../../x", "/etc/passwd", "..", "a/../../b", "x\x00y"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_in_the_file_leads_no_folder_out_of_the_artifacts(study, name):
    quoted = '"' + name.replace("\x00", "\\0") + '"'
    study.file.write_text(
        study.file.read_text().replace("name: small", f"name: {quoted}", 1).replace("pico:", f"{quoted}:")
    )
    try:
        experiment = read(study.file)
    except InvalidExperiment:
        return
    for job in plan(experiment).jobs:
        assert inside(job.job.folder, experiment.artifacts)


@pytest.mark.parametrize("path", ["/etc", "{artifacts}/../x", "{artifacts}/link/37", "{artifacts}-other/37"])
def test_a_checkpoint_that_a_store_places_outside_the_artifacts_is_not_used(study, path):
    records, found = planning(study)
    write(records, found.jobs)
    records.close()
    artifacts = study.folder / "artifacts"
    (artifacts / "link").symlink_to("/etc")
    hostile = path.format(artifacts=artifacts)
    with closing(sqlite3.connect(study.store)) as store, store:
        store.execute("UPDATE checkpoints SET path = ? WHERE step = 16", [hostile])
    Path(os.path.normpath(hostile)).mkdir(exist_ok=True) if path.startswith("{artifacts}/..") else None
    trunk = found.runs[0].trunk
    assert set(known(study.store, str(artifacts)).checkpoints[trunk]) == {32}


def test_addresses_of_buckets_are_inside_or_not():
    assert inside("gs://bucket/a/37", "gs://bucket/a") and inside("gs://bucket/a/37", "gs://bucket/a/")
    for path in ("gs://bucket/a/../b", "gs://other/a/37", "gs://bucket/ab", "/bucket/a/37"):
        assert not inside(path, "gs://bucket/a")


def test_nothing_reads_pickles_or_unsafe_yaml():
    root = Path(__file__).parents[1]
    for path in (path for room in ("orchestrator", "trainer", "analysis") for path in (root / room).rglob("*.py")):
        text = path.read_text()
        assert not re.search(r"\bpickle\b|\byaml\.(unsafe_)?load\b|allow_pickle=True", text), path
        assert not re.search(r"(?<!\.)\beval\(|\bexec\(", text), path  # a module of torch is put into its eval mode
        assert not re.search(r"YAML\(typ=.(unsafe|base)", text), path


def test_what_lies_beside_a_store_is_private(study):
    records, _ = planning(study)
    modes = {path.name: path.stat().st_mode & 0o777 for path in study.folder.glob("results.db*")}
    records.close()
    assert set(modes.values()) == {0o600} and {"results.db", "results.db.lock"} <= modes.keys()
    assert rows(study, "SELECT count(*) FROM runs") == [2]
