"""Lower triangular systems in NumPy alone: to import SciPy's linear algebra takes longer than most fits."""

import numpy as np

from scalectl.analysis.law import Floats

_BLOCK = 64  # rows that are solved at once as any system is; the work on all that come before them is a product


def solve_lower(root_NN: Floats, right: Floats) -> Floats:
    """The solution [N, ...] of root x = right, by forward substitution."""
    solution = np.array(right, float)
    for first in range(0, len(root_NN), _BLOCK):
        rows = slice(first, first + _BLOCK)
        solution[rows] -= root_NN[rows, :first] @ solution[:first]
        solution[rows] = np.linalg.solve(root_NN[rows, rows], solution[rows])
    return solution
