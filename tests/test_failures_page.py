"""docs/failures.md has a row for every kind of failure and every exit code, and says what is tried again."""

import re

import pytest
from pages import DOCS, defined

PAGE = (DOCS / "failures.md").read_text()
KINDS = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \| [^|]+ \|$", PAGE, re.M))
CODES = dict(re.findall(r"^\| (\d+) \| ([^|]+) \| [^|]*\|$", PAGE, re.M))
AGAIN = {
    "once": r"no launch tries it again|does not try it again",
    "retries": r"`limits\.retries` times",
    "progress": r"for as long as the job comes forward",
    "always": r"as often as it happens",
}


def test_every_kind_has_its_row_and_no_other():
    assert set(KINDS) == set(defined("FAILURE_KINDS")) == set(re.findall(r"^\| `(\w+)`", PAGE, re.M))


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_how_often_a_kind_is_tried_again(kind):
    tries = defined("FAILURE_KINDS")[kind].tries
    assert [name for name, phrase in AGAIN.items() if re.search(phrase, KINDS[kind])] == [tries]
    assert ("`diverged`" in KINDS[kind]) == (defined("FAILURE_KINDS")[kind].run == "diverged")


def test_it_says_how_often_a_job_is_lost_and_how_many_fail_alike():
    assert f"{defined('LOSSES')} times without a new checkpoint" in PAGE
    assert f"first {defined('ALIKE')} jobs" in PAGE


def test_every_exit_code_has_its_row_and_no_other():
    assert set(map(int, CODES)) == {int(code) for code in defined("Exit")}
