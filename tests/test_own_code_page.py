"""The page on code of one's own: its files make a study that is planned, trained, fitted and planned again."""

import re
from pathlib import Path

import pytest
from pages import DOCS
from test_docs_run import LANGUAGES, Reader, blocks

PAGE = (DOCS / "own_code.md").read_text()


class Writer(Reader):
    """Somebody who saves each block that begins with the name of a file under that name, and types all others."""

    def read(self, page: str) -> None:
        for block in blocks(page):
            if named := re.match(r"# (\w+\.(py|yaml))\n", block.text):
                (self.folder / named[1]).write_text(block.text)
                page = page.replace(f"```{block.language}\n{block.text}```", "")
        super().read(page)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_its_study_is_planned_trained_fitted_and_knows_a_change(tmp_path):
    folder = tmp_path / "lab"
    folder.mkdir()
    Writer(folder).read(PAGE)
    assert (folder / "results.db").is_file()


def test_every_block_says_what_it_is():
    assert {block.language for block in blocks(PAGE)} <= LANGUAGES


def test_every_file_of_the_study_is_on_the_page():
    named = re.search(r"^code: \[(.*)\]$", PAGE, re.M)
    assert named and all(f"# {Path(file)}\n" in PAGE for file in named[1].split(", "))
