"""Triangular systems have the solutions that SciPy gives them."""

import numpy as np
import pytest
from scipy.linalg import solve_triangular

from scalectl.analysis.triangular import solve_lower


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 200])
@pytest.mark.parametrize("columns", [(), (1,), (37,)])
def test_solutions_are_those_of_scipy(size, columns):
    draw = np.random.default_rng(37)
    root = np.tril(draw.normal(size=(size, size))) / size + np.diag(draw.uniform(1, 2, size))
    right = draw.normal(size=(size, *columns))
    before = right.copy()
    assert solve_lower(root, right) == pytest.approx(solve_triangular(root, right, lower=True), rel=1e-9, abs=1e-12)
    assert (right == before).all()
