"""Every block of commands or code of README and of the tutorial runs, and prints what the page shows."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from pages import DOCS, ROOT

SKIPPED = {
    "pip install uv": "a test brings no tools to the machine",
    "uv sync": "the packages that tests run with are these",
    "source .venv/bin/activate": "they are on the path already",
}
FRESH = "Before you start anything"  # the section whose commands are shown where nothing ran
LANGUAGES = {"bash", "python", "text", "yaml", "sql"}
BLOCK = re.compile(r"^## ([^\n]+)$|^```(\w*)\n(.*?)^```$", re.M | re.S)


class Block(NamedTuple):
    """A fenced block of a page."""

    section: str
    language: str
    text: str


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page in their order."""
    section, fenced = "", []
    for heading, language, text in BLOCK.findall(page):
        section = heading or section
        if not heading:
            fenced.append(Block(section, language, text))
    return fenced


def words(line: str) -> tuple[tuple[str, int], ...]:
    """The words of a line in any order, without what differs from one machine or moment to another.

    Numbers, durations and runs count as equal, and so do intervals that are unknown. Where the time of slots went, and
    what is concluded of a law, depend on the machine.
    """
    line = re.sub(r"(goodput[^:]*:|AICc).*", r"\1", line)
    line = re.sub(r"(\d+ (h|min) )*\d+ s\b", "#", line)
    line = re.sub(r"\d[\d.e+:-]*\d|\d", "#", line)
    line = re.sub(r"# to #|unknown by itself", "#", line)
    line = re.sub(r"\b[a-z]+-#", "RUN", line)  # which runs end first and last
    return tuple(sorted(Counter(line.split()).items()))


def unseen(shown: str, output: str) -> list[str]:
    """The lines that a page shows and a command didn't print; what stands for others or warns of data is none."""
    printed = {words(line) for line in output.splitlines()}
    lines = [line for line in shown.splitlines() if line.strip() not in ("", "...") and "warning:" not in line]
    return [line for line in lines if words(line) not in printed]


class Reader:
    """Somebody who types a page, block by block, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = ""
        self._typed = ""  # Python of earlier blocks, as a notebook keeps it

    def read(self, page: str) -> None:
        """Run the blocks of commands and code, and compare what the page shows after them."""
        for block in blocks(page):
            if block.language == "bash":
                self.output = self.bash(block.text, fresh=block.section == FRESH)
            elif block.language == "python":
                self._typed += block.text
                self.output = self.run([sys.executable, "-c", self._typed], self.folder)
            elif block.language == "text":
                assert unseen(block.text, self.output) == [], self.output

    def bash(self, text: str, *, fresh: bool) -> str:
        """What the lines of a block print; a `cd` holds for the blocks after it."""
        lines = [line for line in text.splitlines() if line.partition("  #")[0].strip() not in SKIPPED]
        folder = copy(self.folder.parent / "fresh") if fresh else self.folder
        end = folder.parent / "folder"
        script = "\n".join(["set -eo pipefail", *lines, f"pwd > '{end}'"])
        output = self.run(["bash", "-c", script], folder)
        if not fresh:
            self.folder = Path(end.read_text().strip())
        return output

    def run(self, command: list[str], folder: Path) -> str:
        """What a command prints on both streams; it has to end with 0."""
        tools = Path(sys.executable).parent
        path = os.pathsep.join([str(self.stand_in()), str(tools), os.environ["PATH"]])
        environment = os.environ | {"PATH": path, "MPLBACKEND": "agg"}
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def stand_in(self) -> Path:
        """A folder with a `uv` whose `run` runs a command here: uv itself would make an environment for the copy."""
        uv = self.folder.parent / "bin" / "uv"
        if not uv.exists():
            uv.parent.mkdir(exist_ok=True)
            uv.write_text('#!/bin/sh\nshift\nexec "$@"\n')
            uv.chmod(0o755)
        return uv.parent


def copy(folder: Path) -> Path:
    """A folder with what a clone has beside the program."""
    folder.mkdir()
    shutil.copy(ROOT / "experiments.yaml", folder)
    shutil.copytree(ROOT / "examples", folder / "examples")
    return folder


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "tutorial.md"], ids=lambda page: page.name)
def test_every_block_runs_and_shows_what_the_page_shows(page, tmp_path):
    Reader(copy(tmp_path / "clone")).read(page.read_text())


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "tutorial.md"], ids=lambda page: page.name)
def test_every_block_says_what_it_is(page):
    assert {block.language for block in blocks(page.read_text())} <= LANGUAGES
    assert blocks(page.read_text())


def test_a_line_that_is_not_printed_is_seen():
    printed = "48 of 48 runs done in 3 min 01 s\ngoodput 7 % of 2 slots: idle 93 %\nb  exponent  0.5  0.1 to 0.7\n"
    assert unseen("12 of 48 runs done in 9 s\n...\nb  exponent  0.6  unknown by itself\n", printed) == []
    assert unseen("goodput 99 % of 4 slots: step 99 %\nwarning: few points\n", printed) == []
    assert unseen("48 of 48 runs failed in 9 s\n", printed) == ["48 of 48 runs failed in 9 s"]


def test_a_block_that_fails_is_seen(tmp_path):
    with pytest.raises(AssertionError, match="before"):
        Reader(copy(tmp_path / "clone")).read("```bash\necho before\nfalse | cat\n```\n")
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        Reader(copy(tmp_path / "other")).read("```python\nhalf = 0\n```\n```python\n1 / half\n```\n")


def test_a_folder_holds_for_the_blocks_after_it(tmp_path):
    Reader(copy(tmp_path / "clone")).read(
        "```bash\npip install uv\nmkdir inner\ncd inner\n```\n```bash\nuv run pwd\n```\n```text\n"
        f"{tmp_path}/clone/inner\n```\n"
    )
