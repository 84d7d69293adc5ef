"""Pages are in plain English, as far as a test can see."""

import re
from collections.abc import Iterator

import pytest
from pages import PAGES

UNSPOKEN = re.compile(r"^```.*?^```$|^[|#][^\n]*$", re.M | re.S)  # code, tables and headings
LONGEST = 40  # words of a sentence
IDIOM = r"\bunless told\b|\bno launcher\b|\bis no (state|topology|slot|part)\b|\bare no part\b|\bhang together\b"


def sentences(page: str) -> Iterator[str]:
    """The sentences of a page, without code, tables and headings; each point of a list begins one."""
    prose = re.sub(UNSPOKEN, "", page)
    for paragraph in re.split(r"\n\s*\n|\n\s*(?=[-*] |\d+\. )", prose):
        yield from re.split(r"(?<=[.!?:])\s+", " ".join(paragraph.split()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_sentences_are_short(page):
    assert [line for line in sentences(page.read_text()) if len(line.split()) > LONGEST] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "cli.md"], ids=lambda page: page.name)
def test_phrases_are_english(page):
    prose = re.sub(UNSPOKEN, "", page.read_text())
    assert [match[0] for match in re.finditer(IDIOM, prose)] == []


def test_a_long_sentence_is_seen():
    text = "# A heading\n\n- Short.\n- " + "word " * 41 + "end. Next one.\n\n```\n" + "code " * 50 + "\n```\n"
    assert [len(line.split()) for line in sentences(text) if line] == [2, 43, 2]
