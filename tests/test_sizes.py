"""scalectl models prints Table 2 of the paper."""

import json

from click.testing import CliRunner
from test_flops import TABLE_2

from scalectl.orchestrator.cli.main import scalectl


def models(*words: str) -> str:
    return CliRunner().invoke(scalectl, ["models", *words]).output


def test_models_prints_every_number_of_table_2_in_the_papers_order():
    rows = [line.split() for line in models().splitlines()[1:12]]
    shown = [(name, params, unit, *gigas) for name, *_, params, unit, low, high in rows for gigas in [(low, high)]]
    assert shown == [(f"{name}/{patch}", millions, "M", *gigas) for name, patch, millions, *gigas in TABLE_2]


def test_models_as_json_are_shapes_with_exact_counts():
    b16 = next(row for row in json.loads(models("-o", "json")) if row["name"] == "B/16")
    shape = [b16[key] for key in ("width", "depth", "mlp_dim", "num_heads", "patch_size")]
    assert shape == [768, 12, 3072, 12, 16]
    # by hand: embedding, 196 positions, 12 blocks of four and two products with their biases and two norms, last norm
    block = 4 * 768 * 769 + 768 * 3072 + 3072 + 3072 * 768 + 768 + 4 * 768
    assert b16["params"] == 16 * 16 * 3 * 768 + 768 + 196 * 768 + 12 * block + 2 * 768
