#!/bin/sh
# kiwisolver, which arranges Matplotlib's constrained layout: it goes through the terms of a constraint in the order of
# the addresses of their variables, so that one and the same system has answers that differ in their last bits from one
# time to the next. Where panels of a figure are, then differs too, and as an SVG names its clip paths by a hash of all
# digits of these places, the same figure has other names inside now and then, with svg.hashsalt
# and without a date. Rounded places mend it. The script solves one system of six equations with variables whose
# addresses are in each of the 720 orders. Shown with kiwisolver 1.5.1 from PyPI, without other packages.
# Exit 0: it is as described. 1: the answers are all the same now.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check kiwisolver==1.5.1
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from collections import Counter
from itertools import permutations

import kiwisolver
from kiwisolver import Solver, Variable


def answer(order):
    """The six values, where `order` says which variable has the lowest address, the next, and so on."""
    by_address = sorted((Variable() for _ in order), key=id)
    variables = a, b, c, d, e, f = [by_address[place] for place in order]
    solver = Solver()
    for constraint in (a + b + c + d + e + f == 1, b == a * 0.37, c == a * 1.1, d == b * 1.7 + 0.01, e == c * 0.3, f == d * 0.9):
        solver.addConstraint(constraint)
    solver.updateVariables()
    return tuple(variable.value() for variable in variables)


answers = Counter(map(answer, permutations(range(6))))
firsts = sorted({values[0] for values in answers})
spread = max(max(values) - min(values) for values in zip(*answers))
print("kiwisolver", kiwisolver.__version__)
print(f"{sum(answers.values())} times the same system: {len(answers)} answers, which differ by {spread:.0e} at most")
print("the first variable:", *map(repr, firsts))
sys.exit(not (len(answers) > 1 and 0 < spread < 1e-12))
PYTHON
