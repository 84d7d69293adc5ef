"""Rules of experiments.yaml choose the same runs as the expressions of --where that they are another form of."""

import random

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalectl.analysis.selection import select
from scalectl.orchestrator.experiment.rules import SETTINGS, Rule

SIZES = [60, 100, 350, 1_000_000, 300_000_000]
RATES = [0.0, 1e-05, 0.001, 0.003, 1.0, 1e16]
WORDS = {
    "model": ["nano", "B/16", "it's", "two words", "and"],
    "head": ["map", "gap", "tok"],
    "pre_logits": ["none", "tanh"],
}
REALS = ("lr", "clip_norm", "weight_decay_head", "weight_decay_body")


def values(name: str) -> list[str] | list[int] | list[float]:
    if name in WORDS:
        return WORDS[name]
    return RATES if name in REALS else SIZES


CHANCE = random.Random(0)
POINTS = pd.DataFrame([{name: CHANCE.choice(values(name)) for name in SETTINGS} for _ in range(40)])


def conditions(name: str) -> st.SearchStrategy[object]:
    """The forms in which a condition on a setting is typed: a value, a list, or text with a sign."""
    if name in WORDS:
        return st.sampled_from(WORDS[name]) | st.permutations(WORDS[name]).map(lambda words: tuple(words[:2]))
    numbers = st.sampled_from(values(name))
    compared = st.builds("{} {}".format, st.sampled_from([">", ">=", "<", "<=", "=", "=="]), numbers)
    return numbers | compared | st.lists(numbers, min_size=1, unique=True).map(tuple)


@given(st.data())
def test_a_rule_and_its_expression_choose_the_same_runs(data):
    names = data.draw(st.lists(st.sampled_from(SETTINGS), min_size=1, max_size=3, unique=True))
    rule = Rule.model_validate({name: data.draw(conditions(name), label=name) for name in names})
    assert select(POINTS, str(rule)).tolist() == [rule.holds(row) for row in POINTS.to_dict("records")]


@pytest.mark.parametrize(
    ("rule", "expression"),
    [
        ({"data_size": ">350"}, "data_size>350"),
        ({"data_size": ">= 10k"}, "data_size >= 10k"),
        ({"params": (1000000, "300M")}, "params in [1M, 300M]"),
        ({"model": ("nano", "B/16"), "lr": "<0.003"}, "model in [nano, B/16] and lr < 3e-3"),
        ({"model": "it's", "seed": 60}, 'model == "it\'s", seed = 60'),
    ],
)
def test_what_is_typed_in_either_form_chooses_the_same_runs(rule, expression):
    chosen = [Rule.model_validate(rule).holds(row) for row in POINTS.to_dict("records")]
    assert select(POINTS, expression).tolist() == chosen and any(chosen) and not all(chosen)
