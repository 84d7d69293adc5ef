"""Expressions that choose runs."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalectl.analysis.checks import Refused
from scalectl.analysis.selection import Unreadable, select

RUNS = pd.DataFrame(
    {
        "model": ["s/28", "B/16", "B/16", "G/14"],
        "data_size": [30_000_000, 3_000_000_000, 300_000_000, 3_000_000_000],
        "core_days": [0.267, 18.5, float("nan"), 27498.0],
        "upstream/error": [0.81, 0.3, 0.2, 0.1513],
        "crop": [True, False, True, False],
    }
)


def rows(text: str) -> list[int]:
    return list(RUNS.index[select(RUNS, text)])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("data_size==3e9", [1, 3]),
        ("not core_days>100", [0, 1]),  # as core_days<=100 does: the third lacks the number
        ("core_days not in [18.5]", [0, 3]),
        ("not (core_days>100 or data_size>1e9)", [0]),
        ("core_days>100 or not model='B/16'", [0, 3]),
        ("data_size = 3B", [1, 3]),
        ("model=='B/16' and data_size>=1e9", [1]),
        ("model in [\"s/28\", 'G/14']", [0, 3]),
        ("model not in [s/28, G/14]", [1, 2]),
        ("model=B/16, data_size<1B", [2]),
        ("not model=='B/16'", [0, 3]),
        ("model=='s/28' or model=='B/16' and data_size==3e9", [0, 1]),
        ("(model=='s/28' or model=='B/16') and data_size==3e9", [1]),
        ("0.3 <= core_days < 100", [1]),
        ("core_days != 18.5", [0, 3]),  # what was not measured is not known to differ
        ("300M == data_size", [2]),
        ("upstream/error < 0.25 and crop == true", [2]),
        ("upstream/error > -.5e-3", [0, 1, 2, 3]),
    ],
)
def test_an_expression_chooses_its_rows(text, found):
    assert rows(text) == found


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("modle == 'B/16'", (0, 5), "unknown column 'modle'; did you mean 'model'?"),
        ("data_size == 3e9 and stps > 1", (21, 25), "unknown column 'stps'; the columns are model, data_size"),
        ("data_size", (9, 10), "expected a comparison after data_size"),
        ("data_size == 'B/16'", (13, 19), "data_size is a number, and so must be"),
        ("model > 'B/16'", (6, 7), "text is equal or not; write == or !="),
        ("model == 3", (9, 10), "model is text, and so must be"),
        ("(model == 'B/16'", (16, 17), "expected ')'"),
        ("model == 'B/16' data_size == 3", (16, 25), "expected nothing more"),
        ("3 == 3", (5, 6), "two values are compared, and no column"),
        ("model in 'B/16'", (9, 15), "expected '[' and values"),
        ("core_days + 1 > 3", (10, 11), "can't read '+' here"),
        ("", (0, 1), "expected a column"),
        ("model == 'B/16", (9, 10), "can't read \"'\" here"),
        ("__import__('os').system('true')", (16, 17), "can't read '.' here"),
        ("model.str.len() == 4", (0, 13), "unknown column 'model.str.len'"),
        ("(" * 60 + "model == a", (50, 51), "more than 50 brackets"),
    ],
)
def test_what_is_no_expression_is_refused_with_its_place(text, place, said):
    with pytest.raises(Unreadable) as refused:
        select(RUNS, text)
    assert (refused.value.start, refused.value.end) == place and str(refused.value).startswith(said)


def test_what_is_no_text_is_refused():
    with pytest.raises(Refused, match=r"^{'model': 'B/16'} chooses no runs: give a text such as"):
        select(RUNS, {"model": "B/16"})


@given(st.text(alphabet="model'\"()[]<>=!,. 3eBandorti_/@-`{}:+*", max_size=30))
def test_any_text_is_an_answer_or_a_refusal(text):
    try:
        assert select(RUNS, text).dtype == bool
    except Unreadable as refused:
        assert 0 <= refused.start < refused.end
