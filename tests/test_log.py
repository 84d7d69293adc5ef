"""The log file of a launch, and how much of it is on the screen."""

import logging
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from told import planned, told

from scalectl.orchestrator.cli.launch import attached
from scalectl.orchestrator.cli.main import scalectl
from scalectl.orchestrator.errors import Refusal
from scalectl.orchestrator.launch.log import LOG, Journal, Loudness, logging_to, say
from scalectl.orchestrator.launch.news import News
from scalectl.orchestrator.launch.progress import Tally
from scalectl.orchestrator.launch.screens import Quiet, screen
from scalectl.orchestrator.vocabulary import CPU, JobState, Slot
from scalectl.trainer.events import Failed


@pytest.fixture
def plan(study):
    return planned(study, steps="[20]")


def news(plan) -> list[News]:
    """A trunk that is trained, and a run that is tried again and fails at last."""
    trunk, run = plan.jobs
    failed = (Failed("out_of_memory", 3, "no room for 37 GiB"),)
    return [
        News("here", trunk),
        News("here", trunk, tuple(told(trunk)), JobState.DONE),
        News("here", run, failed, JobState.RETRIED),
        News("here", run, failed, JobState.FAILED),
    ]


def taken(plan, listener) -> None:
    for piece in news(plan):
        listener.take(piece)


@pytest.mark.parametrize(
    ("level", "levels"),
    [
        ("debug", {"DEBUG", "WARNING", "ERROR"}),
        ("warning", {"WARNING", "ERROR"}),
        ("error", {"ERROR"}),
    ],
)
def test_a_log_has_what_happened_from_its_level_up(plan, tmp_path, level, levels):
    file = tmp_path / "logs" / "launch.log"
    for _ in range(2):  # a second launch is appended
        with logging_to(file, level):
            taken(plan, Journal(Tally(plan, [Slot("here", CPU)])))
    lines = file.read_text().splitlines()
    stamped = [re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (\w+) +(\w+) .+", line) for line in lines]
    assert all(stamped) and {match[1] for match in stamped} == levels
    assert sum("no room for 37 GiB" in line for line in lines) == 2 * (len(levels - {"DEBUG"}))
    assert ("started" in {match[2] for match in stamped}) == (level == "debug")
    assert len(LOG.handlers) == 1  # nothing is logged any more


def test_a_log_has_no_secrets_and_nothing_that_steers_a_terminal(tmp_path, monkeypatch):
    monkeypatch.setenv("DEPLOY_TOKEN", "hunter2hunter2")
    logging.disable(logging.CRITICAL)  # as a launch does with libraries
    try:
        with logging_to(tmp_path / "a.log", "info"):
            say("token hunter2hunter2 \x1b[2J")
    finally:
        logging.disable(logging.NOTSET)
    text = (tmp_path / "a.log").read_text()
    assert "[DEPLOY_TOKEN]" in text and "hunter2" not in text and "\x1b" not in text


def test_an_error_that_ends_a_launch_is_logged_with_its_place(tmp_path):
    with pytest.raises(ZeroDivisionError), logging_to(tmp_path / "a.log", "error"):
        _ = 1 / 0
    with pytest.raises(Refusal), logging_to(tmp_path / "b.log", "error"):
        raise Refusal("refused: no")
    assert "test_log.py" in (tmp_path / "a.log").read_text()
    assert (tmp_path / "b.log").read_text().endswith("ERROR   refused: no\n")


def test_a_log_that_cannot_be_written_is_refused_before_and_a_warning_later(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(Refusal, match="file"), logging_to(tmp_path / "file" / "a.log", "info"):
        pass
    with logging_to(Path("/dev/full"), "info"):
        LOG.error("lost")
        LOG.error("lost")
    assert capsys.readouterr().err.count("the log ends here") == 1


def test_quiet_shows_failures_and_verbose_shows_starts_and_checkpoints(plan, capsys):
    slots = [Slot("here", CPU)]
    shown = {}
    for name, options in {"quiet": {"quiet": True}, "normal": {}, "verbose": {"verbose": True}}.items():
        with screen(Tally(plan, slots), **options) as lines:
            taken(plan, lines)
        shown[name] = [line.split()[0] for line in capsys.readouterr().err.splitlines()]
    assert shown == {
        "quiet": ["retried", "failed"],
        "normal": ["retried", "failed"],
        "verbose": ["started", "saved", "retried", "failed"],
    }
    with screen(Tally(plan, slots), quiet=True) as lines:
        assert isinstance(lines, Quiet)


def test_quiet_still_says_what_is_waited_for(capsys):
    for line in ("2 slots · measuring", "waiting   no slot", "warning   notify: no answer"):
        say(line, Loudness.QUIET)
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == ["waiting", "warning"]


@pytest.mark.parametrize(
    ("words", "message"),
    [(["-v", "-q"], "give one of --verbose and --quiet"), (["--log-level", "debug"], "give --log-file as well")],
)
def test_options_that_make_no_sense_together_are_wrong_usage(study, words, message):
    done = CliRunner().invoke(scalectl, ["launch", str(study.file), *words])
    assert done.exit_code == 2 and message in done.output and not study.store.exists()


def test_what_is_launched_in_the_background_is_as_loud():
    assert attached(["launch", "-dqy", "--log-file", "a.log"]) == ["launch", "-qy", "--log-file", "a.log"]
    assert attached(["launch", "-d", "-v"]) == ["launch", "-v"]
